/* SPDX-License-Identifier: Apache-2.0 */
/* A connection for the tests of classification: packets made of bytes, and what was handed out. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "netprobe/classify.h"
#include "tests/unit/samples.h"
#include "tests/unit/unit.h"

#define FLOW_HANDED 8

struct flow {
	struct classifier *classifier;
	struct classify_flow *kept;
	struct classify_result result;
	bool tcp;
	uint16_t port;
	uint32_t next[2]; /* sequence numbers */
	unsigned budget, fresh;
	uint64_t off;
	unsigned handed_count;
	struct {
		enum handout kind;
		uint8_t *bytes;
		size_t size;
	} handed[FLOW_HANDED];
};

static inline void flow_begin(struct flow *f, bool tcp, uint16_t port)
{
	*f = (struct flow){ .tcp = tcp, .port = port, .next = { 1000, 0xfffffff0 }, .budget = CLASSIFY_PACKETS };
	assert_int_equal(classifier_new(&f->classifier, 0), 0);
}

static inline void flow_end(struct flow *f)
{
	classify_forget(f->classifier, &f->kept);
	assert_int_equal(classifier_totals(f->classifier).buffered_bytes, 0);
	classifier_free(f->classifier);
	for (unsigned i = 0; i < f->handed_count; i++)
		free(f->handed[i].bytes);
}

static void flow_handout(void *userdata, enum handout kind, struct span bytes)
{
	struct flow *f = userdata;

	assert_true(f->handed_count < FLOW_HANDED);
	f->handed[f->handed_count].kind = kind;
	f->handed[f->handed_count].size = bytes.size;
	f->handed[f->handed_count].bytes = malloc(bytes.size + 1);
	assert_non_null(f->handed[f->handed_count].bytes);
	memcpy(f->handed[f->handed_count++].bytes, bytes.data, bytes.size);
}

/* One packet, its payload in memory of exactly its size, so that a sanitizer sees the reads behind it. */
static inline enum classify_state flow_packet(struct flow *f, unsigned direction, uint8_t flags, uint32_t sequence,
					      const void *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	struct packet p = {
		.family = AF_INET,
		.protocol = f->tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.source_port = direction ? f->port : 40000,
		.destination_port = direction ? 40000 : f->port,
		.sequence = sequence,
		.acknowledgement = f->next[!direction],
		.tcp_flags = flags,
		.payload = { copy, size },
		.payload_bytes = (uint32_t)size,
	};

	assert_non_null(copy);
	if (size)
		memcpy(copy, bytes, size);
	if (f->result.state == CLASSIFY_GOING) {
		f->result = classify_packet(f->classifier, &f->kept, &p, direction, f->budget, f->off, flow_handout, f);
		f->fresh += f->result.fresh;
	}
	free(copy);
	return f->result.state;
}

static inline void flow_syn(struct flow *f)
{
	flow_packet(f, 0, PACKET_SYN, f->next[0] - 1, NULL, 0);
	flow_packet(f, 1, PACKET_SYN | PACKET_ACK, f->next[1] - 1, NULL, 0);
}

/* The next bytes of a direction. */
static inline enum classify_state flow_send(struct flow *f, unsigned direction, const void *bytes, size_t size)
{
	uint32_t sequence = f->next[direction];

	f->next[direction] += (uint32_t)size;
	return flow_packet(f, direction, PACKET_ACK | PACKET_PSH, sequence, bytes, size);
}
