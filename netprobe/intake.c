/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/intake.h"

#include "netprobe/server.h"
#include "netprobe/server_state.h"

static void enqueue(const struct event *event, void *userdata)
{
	struct server *s = userdata;

	if (!server_enabled(s)) {
		s->discarded++;
		return;
	}
	if (s->queue.count == 0)
		s->waiting_since = event->kernel.time_ns / 1000;
	(void)events_push(&s->queue, event);
}

void server_event(const struct event *event, void *server)
{
	struct server *s = *(struct server **)server;

	if (!s)
		return;
	s->taken++;
	presumed_take(&s->presumed, event, enqueue, s);
}

bool intake(struct server *s, uint64_t now_usec)
{
	bool busy = s->attribution && attribution_drain(s->attribution) > 0;

	presumed_expire(&s->presumed, now_usec * 1000, enqueue, s);
	return busy || s->presumed.held > 0;
}

uint64_t intake_waiting(const struct server *s, const struct attribution_totals *t)
{
	return t->produced - t->dropped - s->taken + s->queue.count + s->presumed.held;
}

void intake_flush(struct server *s)
{
	if (s->attribution)
		(void)attribution_drain(s->attribution);
	presumed_expire(&s->presumed, UINT64_MAX, enqueue, s);
}

void intake_free(struct server *s)
{
	presumed_free(&s->presumed);
	events_free(&s->queue);
}
