/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/paths.h"

static int bad(struct error *err, const char *key, struct json_object *v, const char *rule)
{
	return error_set(err, -EINVAL, SR_AGENT_CONFIG ": %s: %.100s: %s", key, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN), rule);
}

static int read_path(struct json_object *v, const char *key, char **out, struct error *err)
{
	if (!json_object_is_type(v, json_type_string) || *json_object_get_string(v) != '/')
		return bad(err, key, v, "must be an absolute path");
	free(*out);
	*out = strdup(json_object_get_string(v));
	return *out ? 0 : error_set(err, -ENOMEM, "out of memory");
}

static int read_fetch(struct json_object *fetch, struct agent_config *c, struct error *err)
{
	if (!json_object_is_type(fetch, json_type_object))
		return bad(err, "fetch", fetch, "must be an object");
	json_object_object_foreach(fetch, key, v)
	{
		int r = 0;

		if (strcmp(key, "ca_file") == 0)
			r = read_path(v, "fetch.ca_file", &c->ca_file, err);
		else if (strcmp(key, "client_cert") == 0)
			r = read_path(v, "fetch.client_cert", &c->client_cert, err);
		else if (strcmp(key, "client_key") == 0)
			r = read_path(v, "fetch.client_key", &c->client_key, err);
		else if (strcmp(key, "allow_http") == 0 && json_object_is_type(v, json_type_boolean))
			c->allow_http = json_object_get_boolean(v);
		else if (strcmp(key, "allow_http") == 0)
			r = bad(err, "fetch.allow_http", v, "must be true or false");
		else
			r = error_set(err, -EINVAL, SR_AGENT_CONFIG ": fetch.%s: unknown key", key);
		if (r < 0)
			return r;
	}
	if (!c->client_cert != !c->client_key)
		return error_set(err, -EINVAL, SR_AGENT_CONFIG ": fetch.%s: required beside fetch.%s", c->client_cert ? "client_key" : "client_cert",
				 c->client_cert ? "client_cert" : "client_key");
	return 0;
}

int agent_config_read(int rootfd, struct agent_config *out, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct agent_config c = { 0 };
	int r = json_read_file(rootfd, &SR_AGENT_CONFIG[1], &o, err);

	*out = c;
	if (r == -ENOENT)
		return 0;
	if (r == 0 && !json_object_is_type(o, json_type_object))
		r = error_set(err, -EINVAL, SR_AGENT_CONFIG ": must be a JSON object");
	if (r < 0)
		return r;
	json_object_object_foreach(o, key, v)
	{
		r = strcmp(key, "fetch") == 0 ? read_fetch(v, &c, err) : error_set(err, -EINVAL, SR_AGENT_CONFIG ": %s: unknown key", key);
		if (r < 0) {
			agent_config_free(&c);
			return r;
		}
	}
	*out = c;
	return 0;
}

void agent_config_free(struct agent_config *c)
{
	free(c->ca_file);
	free(c->client_cert);
	free(c->client_key);
	*c = (struct agent_config){ 0 };
}
