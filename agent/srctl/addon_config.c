/* SPDX-License-Identifier: Apache-2.0 */
/* srctl addon config: the settings of an add-on, by its schema; and a change of some. */
#include <stdlib.h>
#include <string.h>

#include "agent/srctl/srctl.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"
#include "lib/schema.h"

/* Of the payload that is active, else of the packaged one. */
static struct json_object *read_schema(const struct srctl *s, const char *id, struct error *err)
{
	_cleanup_json_ struct json_object *state = NULL;
	_cleanup_manifest_ struct manifest m = { 0 };
	struct json_object *schema = NULL;
	_cleanup_close_ int dir = -1;
	const char *active;
	char path[256];

	snprintf(path, sizeof(path), SR_ADDONS "/%s/state.json", id);
	(void)json_read_file(s->rootfd, path + 1, &state, NULL);
	active = text_at(state, "active");
	if (*active && strcmp(active, "packaged") != 0)
		snprintf(path, sizeof(path), SR_ADDONS "/%s/versions/%s", id, active);
	else
		snprintf(path, sizeof(path), SR_PACKAGED_ADDONS "/%s", id);
	dir = fs_open_dir(s->rootfd, path, false, err);
	if (dir < 0 || manifest_read(dir, path, &m, err) < 0 || json_read_file(dir, m.config_schema, &schema, err) < 0)
		return NULL;
	return schema;
}

/* A value as JSON, or a text that needs no quotes. */
static struct json_object *value_of(const char *text)
{
	struct json_object *o = NULL;

	return json_parse(text, strlen(text), "value", &o, NULL) == 0 ? o : json_object_new_string(text);
}

static int change(struct srctl *s, const char *id, struct json_object *schema, struct json_object *assignment, struct json_object *config)
{
	struct error err = { .text = "" };
	char key[128];

	if (needs_root(id))
		return EXIT_NOT_DONE;
	if (!assignment) {
		fprintf(stderr, "srctl: %s: it is not assigned: srctl addon enable %s\n", id, id);
		return EXIT_NOT_DONE;
	}
	for (size_t i = 0; i < s->n_set; i++) {
		size_t n = strcspn(s->set[i], "=");

		if (s->set[i][n] != '=' || n == 0 || n >= sizeof(key)) {
			fprintf(stderr, "srctl: --set %.64s: not KEY=VALUE\n", s->set[i]);
			return EXIT_USAGE;
		}
		snprintf(key, sizeof(key), "%.*s", (int)n, s->set[i]);
		json_object_object_add(config, key, value_of(s->set[i] + n + 1));
	}
	if (schema_validate(schema, config, id, "/config", &err) < 0) {
		fprintf(stderr, "srctl: %s\n", err.text);
		return EXIT_NOT_DONE;
	}
	json_object_object_add(assignment, "config", json_object_get(config));
	return put_assignment(s, id, assignment, json_flag(assignment, "enabled") ? "active" : "disabled");
}

static void show(const struct srctl *s, struct json_object *schema, struct json_object *config)
{
	struct json_object *properties = NULL;

	if (s->json) {
		puts(json_object_to_json_string_ext(config, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
		return;
	}
	if (!json_object_object_get_ex(schema, "properties", &properties))
		return;
	json_object_object_foreach(properties, name, sub)
	{
		struct json_object *v = NULL;
		char value[512], text[512];
		bool given = json_object_object_get_ex(config, name, &v);

		printable(given ? json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "-", value, sizeof(value));
		printf("%-36s %s\n", name, value);
		if (*text_at(sub, "description"))
			printf("    %s\n", printable(text_at(sub, "description"), text, sizeof(text)));
	}
}

int verb_addon_config(struct srctl *s, const char *id)
{
	struct error err = { .text = "" };
	_cleanup_json_ struct json_object *schema = read_schema(s, id, &err), *assignment = read_assignment(s, id), *config = NULL;

	if (!schema) {
		fprintf(stderr, "srctl: %s\n", err.text);
		return EXIT_FAILED;
	}
	config = json_object_get(json_object_object_get(assignment, "config"));
	if (!json_object_is_type(config, json_type_object)) {
		json_object_put(config);
		config = json_object_new_object();
	}
	if (s->n_set)
		return change(s, id, schema, assignment, config);
	schema_apply_defaults(schema, config);
	show(s, schema, config);
	return EXIT_DONE;
}
