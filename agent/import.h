/* SPDX-License-Identifier: Apache-2.0 */
/* External flows on their way from a client of the agent's socket to the add-on (docs/agent-socket.md). */
#pragma once

#include <json-c/json.h>

#include "agent/ipc.h"

struct import;

/* `on_ack` is called with the counts of what was sent since the ack before, or with NULL when the connection to the add-on is
 * lost. NULL without memory, or when another import goes on over this connection. */
struct import *import_new(struct ipc *ipc, void (*on_ack)(void *userdata, const NpExternalFlowAck *ack), void *userdata);

/* One line: a flow, or {"ack":true}, after which the counts come. Each flow is held back until the next line, so that the last
 * one can ask for the ack. 0 or a negative errno. */
int import_line(struct import *m, struct json_object *line);

void import_free(struct import *m);
