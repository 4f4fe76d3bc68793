/* SPDX-License-Identifier: Apache-2.0 */
/* The NetprobeFrame server (docs/netprobe-ipc.md): one client, its requests, and the events it is sent. */
#pragma once

#include <systemd/sd-event.h>

#include "netprobe/attribute.h"
#include "netprobe/config.h"

struct server;

/* Serves `listen_fd` (owned from here on) in the event loop. `attribution` may be NULL; then `unavailable` says why and
 * is kept by reference. `config` may be NULL: events wait until a client sends one; else it is owned from here on. */
int server_new(struct server **out, sd_event *event, int listen_fd, struct attribution *attribution,
	       const char *unavailable, VisibilityConfig *config);

/* For the callback of attribution_open, which is older than the server: one event from the kernel. */
void server_event(const struct event *event, void *server);

/* Logs the counters and closes everything but the attribution. */
void server_free(struct server *s);
