/* SPDX-License-Identifier: Apache-2.0 */
/* Events on their way from the kernel to the client: a bounded queue, and their form on the wire. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "netprobe/bpf/events.h"
#include "proto/netprobe.pb-c.h"

#define EVENTS_QUEUE_MAX 8192u
#define EVENTS_BATCH_MAX 256u

typedef Serviceradar__Agent__Netprobe__V1__FlowAttributionEvent FlowAttributionEvent;

/* Oldest first; when it is full the oldest is dropped and counted. Its memory is taken with the first event. */
struct event_queue {
	struct attribution_event *ring;
	size_t first, count;
	uint64_t dropped;
};

/* 0, or -ENOMEM (the event counts as dropped). */
int events_push(struct event_queue *q, const struct attribution_event *event);
const struct attribution_event *events_at(const struct event_queue *q, size_t i);
void events_pop(struct event_queue *q, size_t n);
void events_free(struct event_queue *q);

/* One event's message and the text it points to. */
struct event_message {
	FlowAttributionEvent message;
	char local[46], remote[46], comm[3 * EVENT_COMM_BYTES + 1];
};

/* Fills *out; it must stay where it is while the message is used. `offset_ns` added to CLOCK_MONOTONIC is Unix time. */
void events_to_message(const struct attribution_event *event, int64_t offset_ns, struct event_message *out);

/* Nanoseconds from CLOCK_MONOTONIC to Unix time, now. */
int64_t events_clock_offset(void);
