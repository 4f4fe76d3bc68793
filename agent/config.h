/* SPDX-License-Identifier: Apache-2.0 */
/* SR_AGENT_CONFIG: what an administrator sets for the agent itself. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

struct agent_config {
	char *ca_file, *client_cert, *client_key; /* for https; NULL: the system's authorities, no client certificate */
	bool allow_http;                          /* plain http to other hosts, too */
};

/* Reads {"fetch": {"ca_file", "client_cert", "client_key", "allow_http"}} below `rootfd`. A missing file is all defaults; an
 * unknown key or wrong type is -EINVAL with a line that names file, key and value. */
int agent_config_read(int rootfd, struct agent_config *out, struct error *err);
void agent_config_free(struct agent_config *c);
