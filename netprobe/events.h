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

/* Bytes that a packed event has at most: of its text, the cgroup's path may be the longest, with CGROUP_LEVELS names. */
#define EVENTS_PACKED_MAX 4096u

/* Packs an event as a FlowAttributionEvent. `offset_ns` added to CLOCK_MONOTONIC is Unix time. Returns the bytes written to `out`, which
 * has room for EVENTS_PACKED_MAX. */
size_t events_pack(const struct event *event, int64_t offset_ns, uint8_t *out);

/* A packed NetprobeFrame with the first `n` events of the queue, from 1 to EVENTS_BATCH_MAX, as a FlowAttributionEventBatch that tells of
 * `dropped` ones before it; or with the first one as it is. It stays there until the next call. */
const uint8_t *events_frame_batch(const struct event_queue *q, size_t n, int64_t offset_ns, uint32_t dropped, size_t *size);
const uint8_t *events_frame_single(const struct event_queue *q, int64_t offset_ns, size_t *size);

/* Parts of an event, for other messages. The kernel's comm is any bytes, and becomes UTF-8; an IPv4-mapped address becomes the IPv4
 * address that it is; `out` of events_protocol is used for a protocol without a name. */
void events_comm(const char comm[EVENT_COMM_BYTES], char out[3 * EVENT_COMM_BYTES + 1]);
void events_address(__u8 family, const __u8 address[16], char out[46]);
const char *events_protocol(unsigned protocol, char out[6]);

/* Whether the cgroup is a container's; then *out says which, pointing into it. */
bool events_workload(const struct cgroup *cgroup, Serviceradar__Agent__Netprobe__V1__WorkloadIdentity *out);

/* Nanoseconds from CLOCK_MONOTONIC to Unix time, now. */
int64_t events_clock_offset(void);
