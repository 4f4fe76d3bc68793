/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netprobe/tap_internal.h"

#define PARTIAL_BYTES (TAP_RECORDS_MAX * TAP_LARGE_BYTES)

_Static_assert(sizeof(struct tap_record) == 80, "TAP_SMALL_BYTES and TAP_LARGE_BYTES count on it");
_Static_assert(sizeof(struct flow_value) <= TAP_SMALL_BYTES, "an ended flow has to fit in a small record");

static void give(struct tap *t, const struct tap_record *r, const uint8_t *data, size_t size)
{
	struct tap_packet p = {
		.key = &r->key,
		.flow = r->flow,
		.time_ns = (int64_t)r->time_ns,
		.wire_bytes = r->wire_bytes,
		.ip_bytes = r->ip_bytes,
		.direction = r->direction,
		.ip = { .data = data, .size = size },
	};

	t->account->handed_up++;
	if (t->options.packet)
		t->options.packet(&p, t->options.userdata);
}

/* What has come of a packet so far is all that comes. */
static void give_partial(struct tap *t, unsigned cpu)
{
	if (t->partial_size[cpu] == 0)
		return;
	give(t, &t->partial_of[cpu], t->partial[cpu], t->partial_size[cpu]);
	t->partial_size[cpu] = 0;
}

/* The buffer of a CPU is made when its first packet in parts comes, and stays. */
static bool keep_partial(struct tap *t, unsigned cpu, const struct tap_record *r, const uint8_t *data)
{
	if (!t->partial[cpu])
		t->partial[cpu] = malloc(PARTIAL_BYTES);
	if (!t->partial[cpu] || r->offset + (size_t)r->size > PARTIAL_BYTES)
		return false;
	if (r->offset == 0)
		t->partial_of[cpu] = *r;
	memcpy(t->partial[cpu] + r->offset, data, r->size);
	t->partial_size[cpu] = (uint32_t)r->offset + r->size;
	return true;
}

static void give_end(struct tap *t, const struct tap_record *r, const uint8_t *data)
{
	struct flow_value v;
	struct tap_flow flow;

	memcpy(&v, data, sizeof(v));
	tap_flow_of(t, &r->key, &v, &flow);
	t->account->ended++;
	if (t->options.flow)
		(void)t->options.flow(&flow, TAP_FLOW_ENDED, t->options.userdata);
}

static int on_record(void *userdata, void *data, size_t size)
{
	struct tap *t = userdata;
	const struct tap_record *r = data;
	const uint8_t *bytes = (const uint8_t *)data + sizeof(*r);
	unsigned cpu;

	if (size < sizeof(*r) || r->size > size - sizeof(*r) || r->cpu >= t->cpus)
		return 0;
	cpu = r->cpu;
	if (t->partial_size[cpu] > 0 && (r->offset != t->partial_size[cpu] || r->flow != t->partial_of[cpu].flow ||
					 r->time_ns != t->partial_of[cpu].time_ns))
		give_partial(t, cpu);
	if (r->flags & TAP_RECORD_END) {
		if (r->size >= sizeof(struct flow_value))
			give_end(t, r, bytes);
	} else if (r->offset == 0 && !(r->flags & TAP_RECORD_MORE)) {
		give(t, r, bytes, r->size);
	} else if (r->offset == t->partial_size[cpu]) {
		if (!keep_partial(t, cpu, r, bytes) || !(r->flags & TAP_RECORD_MORE))
			give_partial(t, cpu);
	}
	return 0;
}

int tap_ring_new(struct tap *t, int map)
{
	t->partial = calloc(t->cpus, sizeof(*t->partial));
	t->partial_of = calloc(t->cpus, sizeof(*t->partial_of));
	t->partial_size = calloc(t->cpus, sizeof(*t->partial_size));
	if (!t->partial || !t->partial_of || !t->partial_size)
		return -ENOMEM;
	t->ring = ring_buffer__new(map, on_record, t, NULL);
	return t->ring ? 0 : -errno;
}

void tap_ring_free(struct tap *t)
{
	ring_buffer__free(t->ring);
	for (uint32_t i = 0; t->partial && i < t->cpus; i++)
		free(t->partial[i]);
	free(t->partial);
	free(t->partial_of);
	free(t->partial_size);
	t->ring = NULL;
}

int tap_fd(const struct tap *t)
{
	return ring_buffer__epoll_fd(t->ring);
}

int tap_drain(struct tap *t)
{
	int n = ring_buffer__consume(t->ring);

	for (uint32_t cpu = 0; cpu < t->cpus; cpu++)
		give_partial(t, cpu);
	return n;
}

void tap_flow_state(struct tap *t, uint64_t flow, enum flow_state state, uint16_t note)
{
	__atomic_store_n(&t->verdicts[flow & t->verdict_mask], flow << TAP_VERDICT_ID | (uint64_t)note << 2 | (unsigned)state, __ATOMIC_RELAXED);
}

void tap_set_budget(struct tap *t, uint32_t packets)
{
	__atomic_store_n(&t->control->budget, packets > UINT16_MAX ? UINT16_MAX : packets, __ATOMIC_RELAXED);
}
