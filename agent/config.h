/* SPDX-License-Identifier: Apache-2.0 */
/* SR_AGENT_CONFIG: what an administrator sets for the agent itself; agent/agent.schema.json says what may be in it. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "lib/error.h"
#include "lib/log.h"

struct agent_config {
	char *ca_file, *client_cert, *client_key; /* for https; NULL: the system's authorities, no client certificate */
	bool allow_http;                          /* plain http to other hosts, too */
	enum log_level log_level;
	struct json_object *sinks;                /* as in the file, with its defaults; NULL: none */
};

/* Reads `file`, or when that is NULL SR_AGENT_CONFIG below `rootfd`, which may be missing: then all is as by default. What breaks the
 * schema is -EINVAL with a line that names file, key and value. *out is to be freed whatever is returned. */
int agent_config_read(int rootfd, const char *file, struct agent_config *out, struct error *err);
void agent_config_free(struct agent_config *c);
