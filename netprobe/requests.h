/* SPDX-License-Identifier: Apache-2.0 */
/* The client's requests and their replies (docs/netprobe-ipc.md). */
#pragma once

#include <stdint.h>

#include "netprobe/client.h"

struct server;

/* Answers one request: the reply is appended to what is to be sent. What the request holds may be taken out of it. 0, or
 * a negative errno after which the connection is to be closed. */
int requests_handle(struct server *s, NetprobeFrame *request);

/* Appends an ErrorFrame. 0 or a negative errno. */
int requests_error(struct client *c, uint64_t sequence, const char *code, const char *message);
