/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_schema.h" /* made of agent.schema.json */
#include "lib/json.h"
#include "lib/paths.h"
#include "lib/schema.h"

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug"
};

static enum log_level level_of(const char *name)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (level_names[i] && strcmp(level_names[i], name) == 0)
			return (enum log_level)i;
	return LOG_LEVEL_INFO;
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return o && json_object_object_get_ex(o, key, &v) ? v : NULL;
}

static int copy(struct json_object *o, const char *key, char **out)
{
	struct json_object *v = member(o, key);

	*out = v ? strdup(json_object_get_string(v)) : NULL;
	return v && !*out ? -ENOMEM : 0;
}

/* Of what the schema has let pass. */
static int take(struct json_object *o, struct agent_config *c)
{
	struct json_object *fetch = member(o, "fetch"), *level = member(o, "log_level");

	c->sinks = json_object_get(member(o, "sinks"));
	if (level)
		c->log_level = level_of(json_object_get_string(level));
	c->allow_http = json_object_get_boolean(member(fetch, "allow_http"));
	if (copy(fetch, "ca_file", &c->ca_file) < 0 || copy(fetch, "client_cert", &c->client_cert) < 0 ||
	    copy(fetch, "client_key", &c->client_key) < 0)
		return -ENOMEM;
	return 0;
}

int agent_config_read(int rootfd, const char *file, struct agent_config *out, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL, *schema = NULL;
	const char *shown = file ? file : SR_AGENT_CONFIG;
	int r;

	*out = (struct agent_config){ .log_level = LOG_LEVEL_INFO };
	r = json_read_file(file ? AT_FDCWD : rootfd, file ? file : &SR_AGENT_CONFIG[1], &o, err);
	if (r == -ENOENT && !file)
		return 0;
	if (r == 0)
		r = json_parse(config_schema, sizeof(config_schema) - 1, "agent.schema.json", &schema, err);
	if (r == 0)
		r = schema_check(schema, "agent.schema.json", err);
	if (r == 0)
		r = schema_validate(schema, o, shown, "", err);
	if (r == 0 && (schema_apply_defaults(schema, o) < 0 || take(o, out) < 0))
		r = error_set(err, -ENOMEM, "out of memory");
	return r;
}

void agent_config_free(struct agent_config *c)
{
	free(c->ca_file);
	free(c->client_cert);
	free(c->client_key);
	json_object_put(c->sinks);
	*c = (struct agent_config){ .log_level = LOG_LEVEL_INFO };
}
