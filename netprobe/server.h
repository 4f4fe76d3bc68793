/* SPDX-License-Identifier: Apache-2.0 */
/* The NetprobeFrame server (docs/netprobe-ipc.md): one client, its requests, and the events it is sent. */
#pragma once

#include <systemd/sd-event.h>

#include "netprobe/attribute.h"
#include "netprobe/config.h"
#include "netprobe/observe.h"

struct server;

/* Serves `listen_fd` (owned from here on) in the event loop. `attribution` may be NULL; then `unavailable` says why and
 * is kept by reference. `config` may be NULL: events wait until a client sends one; else it is owned from here on. */
int server_new(struct server **out, sd_event *event, int listen_fd, struct attribution *attribution,
	       const char *unavailable, VisibilityConfig *config);

/* Sends what the observer has, and gives it the config: the one that the server began with now. The observer stays the caller's
 * and must stay as long as the server. An error is that of the config: it is logged. */
void server_observe(struct server *s, struct observe *o);

/* For the callback of attribution_open, which is older than the server: one event from the kernel. */
void server_event(const struct event *event, void *server);

/* Logs the counters and closes everything but the attribution. */
void server_free(struct server *s);
