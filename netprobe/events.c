/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "netprobe/wire.h"

int events_push(struct event_queue *q, const struct event *event)
{
	if (!q->ring) {
		q->ring = malloc(EVENTS_QUEUE_MAX * sizeof(*q->ring));
		if (!q->ring) {
			q->dropped++;
			return -ENOMEM;
		}
	}
	if (q->count == EVENTS_QUEUE_MAX) {
		events_pop(q, 1);
		q->dropped++;
	}
	q->ring[(q->first + q->count++) % EVENTS_QUEUE_MAX] = *event;
	(void)process_ref(event->process);
	(void)cgroup_ref(event->cgroup);
	return 0;
}

const struct event *events_at(const struct event_queue *q, size_t i)
{
	return &q->ring[(q->first + i) % EVENTS_QUEUE_MAX];
}

void events_pop(struct event_queue *q, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct event *e = &q->ring[(q->first + i) % EVENTS_QUEUE_MAX];

		process_unref(e->process);
		cgroup_unref(e->cgroup);
	}
	q->count -= n;
	q->first = q->count ? (q->first + n) % EVENTS_QUEUE_MAX : 0; /* from the beginning, which is still in the processor's cache */
}

void events_free(struct event_queue *q)
{
	events_pop(q, q->count);
	free(q->ring);
	*q = (struct event_queue){ 0 };
}

/* A protobuf string is UTF-8. Bytes past ASCII become U+FFFD. */
void events_comm(const char comm[EVENT_COMM_BYTES], char out[3 * EVENT_COMM_BYTES + 1])
{
	for (size_t i = 0; i < EVENT_COMM_BYTES && comm[i]; i++) {
		if ((unsigned char)comm[i] < 0x80) {
			*out++ = comm[i];
		} else {
			memcpy(out, "\xef\xbf\xbd", 3);
			out += 3;
		}
	}
	*out = '\0';
}

/* inet_ntop(3) of IPv4 takes a third of the time that the whole message takes. */
static void v4_to_text(const __u8 *a, char *out)
{
	for (int i = 0; i < 4; i++) {
		unsigned n = a[i];

		if (n >= 100)
			*out++ = (char)('0' + n / 100);
		if (n >= 10)
			*out++ = (char)('0' + n / 10 % 10);
		*out++ = (char)('0' + n % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

/* A v4-mapped address (RFC 4291, 2.5.5.2) is the IPv4 connection that it is. */
void events_address(__u8 family, const __u8 address[16], char out[46])
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET || memcmp(address, mapped, sizeof(mapped)) == 0)
		v4_to_text(address + 12, out);
	else
		(void)inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

const char *events_protocol(unsigned protocol, char out[6])
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	default:
		(void)snprintf(out, 6, "%u", protocol & 0xffff);
		return out;
	}
}

/* The fields only point: the messages are packed, never changed or freed. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

bool events_workload(const struct cgroup *cgroup, Serviceradar__Agent__Netprobe__V1__WorkloadIdentity *out)
{
	if (!cgroup || !cgroup->container.id[0])
		return false;
	serviceradar__agent__netprobe__v1__workload_identity__init(out);
	out->container_id = text(cgroup->container.id);
	out->pod_uid = text(cgroup->container.pod_uid);
	out->cgroup_path = cgroup->path;
	out->runtime_source = text(cgroup->container.runtime);
	out->confidence = text("cgroup");
	out->degradation_reason = text("container runtime not asked: names and labels are not known");
	return true;
}

static const char *source_of(const struct event *event)
{
	if (event->external_flow_id)
		return "external_netflow";
	return event->kernel.flags & EVENT_SEEDED ? "iterator" : "kernel";
}

/* Field numbers of FlowAttributionEvent, FlowAttributionEventBatch and NetprobeFrame: proto/netprobe.proto. */
size_t events_pack(const struct event *event, int64_t offset_ns, uint8_t *out)
{
	const struct attribution_event *k = &event->kernel;
	const struct process *process = event->process;
	Serviceradar__Agent__Netprobe__V1__WorkloadIdentity workload;
	bool contained = events_workload(event->cgroup, &workload);
	char address[46], comm[3 * EVENT_COMM_BYTES + 1], protocol[6];
	uint8_t *p = out;

	events_address(k->family, k->local, address);
	p = wire_string(p, 1, address);
	p = wire_number(p, 2, k->local_port);
	events_address(k->family, k->remote, address);
	p = wire_string(p, 3, address);
	p = wire_number(p, 4, k->remote_port);
	p = wire_string(p, 5, events_protocol(k->protocol, protocol));
	p = wire_number(p, 6, k->pid);
	p = wire_number(p, 7, k->pid);
	p = wire_number(p, 8, k->uid);
	p = wire_number(p, 9, k->gid);
	events_comm(k->comm, comm);
	p = wire_string(p, 10, comm);
	p = wire_string(p, 11, process ? process->cmdline : NULL);
	p = wire_string(p, 12, contained ? workload.container_id : NULL);
	p = wire_number(p, 13, k->time_ns + (uint64_t)offset_ns);
	p = wire_number(p, 14, k->cookie);
	p = wire_number(p, 15, k->kind);
	p = wire_number(p, 16, k->old_state);
	p = wire_number(p, 17, k->new_state);
	p = wire_string(p, 18, source_of(event));
	p = wire_number(p, 19, event->external_flow_id);
	if (contained) {
		p = wire_field(p, 20, serviceradar__agent__netprobe__v1__workload_identity__get_packed_size(&workload));
		p += serviceradar__agent__netprobe__v1__workload_identity__pack(&workload, p);
	}
	p = wire_number(p, 1000, k->netns);
	p = wire_number(p, 1001, k->start_ns ? k->start_ns + (uint64_t)offset_ns : 0);
	p = wire_string(p, 1002, process ? process->executable : NULL);
	p = wire_string(p, 1003, event->cgroup && !contained ? event->cgroup->container.unit : NULL);
	p = wire_number(p, 1004, k->holders);
	return (size_t)(p - out);
}

/* Room before the payload for its tag and length, which are known after it. */
#define FRAME_ROOM (2 * WIRE_VARINT_MAX)

static uint8_t frame[FRAME_ROOM + EVENTS_BATCH_MAX * (EVENTS_PACKED_MAX + FRAME_ROOM) + 4 * FRAME_ROOM];

/* The payload, which begins at FRAME_ROOM and ends at `end`, gets its tag. */
static const uint8_t *finish(unsigned field, const uint8_t *end, size_t *size)
{
	size_t length = (size_t)(end - frame) - FRAME_ROOM;
	uint8_t *begin;

	*size = wire_field_size(field, length);
	begin = frame + FRAME_ROOM + length - *size;
	(void)wire_field(begin, field, length);
	return begin;
}

const uint8_t *events_frame_batch(const struct event_queue *q, size_t n, int64_t offset_ns, uint32_t dropped, size_t *size)
{
	uint8_t one[EVENTS_PACKED_MAX], *p = frame + FRAME_ROOM;

	for (size_t i = 0; i < n; i++) {
		size_t length = events_pack(events_at(q, i), offset_ns, one);

		p = wire_field(p, 1, length);
		memcpy(p, one, length);
		p += length;
	}
	p = wire_number(p, 2, events_at(q, 0)->kernel.time_ns + (uint64_t)offset_ns);
	p = wire_number(p, 3, events_at(q, n - 1)->kernel.time_ns + (uint64_t)offset_ns);
	p = wire_number(p, 4, dropped);
	return finish(29, p, size);
}

const uint8_t *events_frame_single(const struct event_queue *q, int64_t offset_ns, size_t *size)
{
	return finish(21, frame + FRAME_ROOM + events_pack(events_at(q, 0), offset_ns, frame + FRAME_ROOM), size);
}

int64_t events_clock_offset(void)
{
	struct timespec real, mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	return (real.tv_sec - mono.tv_sec) * INT64_C(1000000000) + (real.tv_nsec - mono.tv_nsec);
}
