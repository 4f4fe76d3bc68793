/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/intake.h"

#include <stdlib.h>

#include "netprobe/privilege.h"
#include "netprobe/server.h"
#include "netprobe/server_state.h"

#define RING_KEEP     16384u /* events are left in the ring buffer while the queue has no room, but not more than half of what it holds */
#define ANNOUNCE_ROOM (EVENTS_QUEUE_MAX / 2) /* the queue is filled so far with connections that are older than the daemon */

static void enqueue(const struct event *event, void *userdata)
{
	struct server *s = userdata;

	if (!server_enabled(s)) {
		s->discarded++;
		return;
	}
	if (s->queue.count == 0)
		s->waiting_since = event->external_flow_id ? 0 : event->kernel.time_ns / 1000;
	(void)events_push(&s->queue, event);
}

/* Its owner is as right as it gets. */
static void settled(const struct event *event, void *userdata)
{
	struct server *s = userdata;

	enqueue(event, s);
	external_socket_event(&s->external, event);
}

void intake_init(struct server *s)
{
	s->external.fn = enqueue;
	s->external.userdata = s;
	s->external.offset_ns = events_clock_offset();
}

void server_event(const struct event *event, void *server)
{
	struct server *s = *(struct server **)server;

	if (!s)
		return;
	s->taken++;
	presumed_take(&s->presumed, event, settled, s);
}

/* Connections that are older than the daemon, once there is a client, no faster than it takes them. */
static bool announce(struct server *s)
{
	int r;

	if (s->client.fd < 0 || !s->config || !s->config->enabled || s->announced || s->queue.count >= ANNOUNCE_ROOM)
		return false;
	r = privilege_raise(NULL);
	if (r == 0)
		r = attribution_announce(s->attribution, (unsigned)(ANNOUNCE_ROOM - s->queue.count));
	privilege_lower();
	s->announced = r <= 0;
	return r > 0;
}

/* While the client does not keep up, the ring buffer is a second queue. */
static bool hold_back(const struct server *s)
{
	struct attribution_totals t = attribution_totals(s->attribution);

	return s->queue.count + ATTRIBUTION_TURN > EVENTS_QUEUE_MAX && t.produced - t.dropped - s->taken < RING_KEEP;
}

bool intake(struct server *s, uint64_t now_usec, bool *more)
{
	bool busy = false;
	int n;

	*more = false;
	if (s->attribution && !hold_back(s)) {
		n = attribution_drain(s->attribution);
		*more = n >= ATTRIBUTION_TURN;
		busy = announce(s) || n > 0;
	}
	presumed_expire(&s->presumed, now_usec * 1000, settled, s);
	s->external.offset_ns = events_clock_offset();
	external_expire(&s->external, now_usec * 1000);
	return busy || s->presumed.held > 0;
}

uint64_t intake_waiting(const struct server *s, const struct attribution_totals *t)
{
	return t->produced - t->dropped - s->taken + s->queue.count + s->presumed.held;
}

void intake_flush(struct server *s)
{
	while (s->attribution && !attribution_outlives(s->attribution) && attribution_drain(s->attribution) >= ATTRIBUTION_TURN)
		;
	presumed_expire(&s->presumed, UINT64_MAX, settled, s);
}

void intake_free(struct server *s)
{
	presumed_free(&s->presumed);
	external_free(&s->external);
	events_free(&s->queue);
}
