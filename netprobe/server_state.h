/* SPDX-License-Identifier: Apache-2.0 */
/* What server.c and the files that answer requests (requests.c) share: the state of the server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "netprobe/attribute.h"
#include "netprobe/capture.h"
#include "netprobe/client.h"
#include "netprobe/config.h"
#include "netprobe/events.h"
#include "netprobe/external.h"
#include "netprobe/listeners.h"
#include "netprobe/observe.h"
#include "netprobe/presumed.h"

struct server {
	sd_event *event;
	sd_event_source *listen_source, *client_source, *tick_source, *ring_source;
	int listen_fd;
	struct client client;
	struct attribution *attribution;
	struct observe *observe; /* flows; may be NULL */
	struct capture *capture; /* the session; NULL: none */
	const char *unavailable;
	VisibilityConfig *config;
	struct presumed presumed;
	struct external external;
	struct external_counts external_told; /* of the counts, what this client was told in acks */
	struct listeners_schedule listeners;
	struct event_queue queue;
	uint64_t waiting_since, busy_until, reported_at;
	bool announced; /* connections that are older than the daemon */
	uint64_t taken; /* flow events that the kernel handed over */
	uint64_t delivered, discarded;  /* discarded: while a config switches attribution off */
	uint64_t lost_told;             /* of the lost ones, how many a batch has told of */
	uint64_t reported_lost, refused_configs;
	int64_t started_unix_nano;
};

/* server.c: what a capture session needs of it. */
struct capture_host server_capture_host(struct server *s);

static inline struct attribution_totals server_totals(const struct server *s)
{
	return s->attribution ? attribution_totals(s->attribution) : (struct attribution_totals){ 0 };
}

/* Whether there are to be events at all; so it is until a config says otherwise. */
static inline bool server_enabled(const struct server *s)
{
	return !s->config || s->config->enabled;
}
