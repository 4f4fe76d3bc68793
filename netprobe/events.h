/* SPDX-License-Identifier: Apache-2.0 */
/* Events on their way from the kernel to the client: a bounded queue, and their form on the wire. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netprobe/bpf/events.h"
#include "netprobe/cgroup.h"
#include "netprobe/process.h"
#include "proto/netprobe.pb-c.h"

#define EVENTS_QUEUE_MAX 8192u
#define EVENTS_BATCH_MAX 256u

typedef Serviceradar__Agent__Netprobe__V1__FlowAttributionEvent FlowAttributionEvent;

/* An event of the kernel, with what is known of its process and cgroup; both may be NULL. */
struct event {
	struct attribution_event kernel;
	struct process *process;
	struct cgroup *cgroup;
	uint64_t external_flow_id; /* not 0: an external flow that was attributed */
};

/* Oldest first; when it is full the oldest is dropped and counted. Its memory is taken with the first event. */
struct event_queue {
	struct event *ring;
	size_t first, count;
	uint64_t dropped;
};

/* Takes references of its own to what the event refers to. 0, or -ENOMEM (the event counts as dropped). */
int events_push(struct event_queue *q, const struct event *event);
const struct event *events_at(const struct event_queue *q, size_t i);
void events_pop(struct event_queue *q, size_t n);
void events_free(struct event_queue *q);

/* One event's message and the text it points to. */
struct event_message {
	FlowAttributionEvent message;
	Serviceradar__Agent__Netprobe__V1__WorkloadIdentity workload;
	char local[46], remote[46], comm[3 * EVENT_COMM_BYTES + 1], protocol[6];
	char *cmdline[1];
};

/* Fills *out; it, and what the event refers to, must stay where it is while the message is used. `offset_ns` added to
 * CLOCK_MONOTONIC is Unix time. */
void events_to_message(const struct event *event, int64_t offset_ns, struct event_message *out);

/* Parts of it, for other messages. The kernel's comm is any bytes, and becomes UTF-8; an IPv4-mapped address becomes the IPv4
 * address that it is; `out` of events_protocol is used for a protocol without a name. */
void events_comm(const char comm[EVENT_COMM_BYTES], char out[3 * EVENT_COMM_BYTES + 1]);
void events_address(__u8 family, const __u8 address[16], char out[46]);
const char *events_protocol(unsigned protocol, char out[6]);

/* Whether the cgroup is a container's; then *out says which, pointing into it. */
bool events_workload(const struct cgroup *cgroup, Serviceradar__Agent__Netprobe__V1__WorkloadIdentity *out);

/* Nanoseconds from CLOCK_MONOTONIC to Unix time, now. */
int64_t events_clock_offset(void);
