/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/classify.c netprobe/stream.c netprobe/pool.c netprobe/dissect */
/* Packets of two flows through everything: each behind flags, a step of the sequence number and a length. Nothing is kept in
 * the end, a flow never has more than its share, and a protocol that is known stays known. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "netprobe/classify.h"
#include "tests/fuzz/fuzz.h"

#define FLOWS 2u

static struct classifier *classifier;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t ports[] = {
		40001, 21, 25, 53, 80, 123, 137, 443, 443, 1883, 3389, 3478, 5060, 5353, 6881, 11211
	};
	struct classify_flow *kept[FLOWS] = { NULL, NULL };
	enum protocol known[FLOWS] = { PROTOCOL_UNKNOWN, PROTOCOL_UNKNOWN };
	bool done[FLOWS] = { false, false };
	uint32_t next[FLOWS][2] = { { 100, UINT32_MAX - 100 }, { 7, 7 } };
	unsigned budget;

	if (size < 2 || (!classifier && classifier_new(&classifier, 0) < 0))
		return 0;
	budget = 1 + data[0] % CLASSIFY_PACKETS;
	data += 1;
	size -= 1;
	while (size >= 6) {
		unsigned flow = data[0] & 1, direction = data[0] >> 1 & 1;
		size_t bytes = (size_t)data[4] << 8 | data[5];
		struct packet p = {
			.family = AF_INET,
			.protocol = data[1] & 0x80 ? IPPROTO_UDP : IPPROTO_TCP,
			.tcp_flags = data[0] & 4   ? PACKET_SYN
				     : data[0] & 8 ? PACKET_ACK
						   : PACKET_ACK | PACKET_PSH,
			.sequence = next[flow][direction] + (uint32_t)(int32_t)(int16_t)(data[2] << 8 | data[3]),
			.acknowledgement = next[flow][!direction],
		};
		struct classify_result r;
		uint8_t *copy;

		p.source_port = direction ? ports[data[1] & 15] : 40000;
		p.destination_port = direction ? 40000 : ports[data[1] & 15];
		data += 6;
		size -= 6;
		if (bytes > size)
			bytes = size;
		copy = malloc(bytes ? bytes : 1);
		if (!copy)
			abort();
		memcpy(copy, data, bytes);
		p.payload = (struct span){ copy, bytes };
		p.payload_bytes = (uint32_t)bytes;
		data += bytes;
		size -= bytes;
		next[flow][direction] = p.sequence + (uint32_t)bytes;
		if (!done[flow]) {
			r = classify_packet(classifier, &kept[flow], &p, direction, budget, 0, NULL, NULL);
			done[flow] = r.state != CLASSIFY_GOING;
			if (done[flow] && (kept[flow] || (r.state == CLASSIFY_DONE) != (r.protocol != PROTOCOL_UNKNOWN)))
				abort();
			if (known[flow] && r.state != CLASSIFY_UNKNOWN && !r.protocol)
				abort();
			if (r.protocol && (!(r.confidence > 0) || r.confidence > 1))
				abort();
			if (r.state != CLASSIFY_UNKNOWN)
				known[flow] = r.protocol;
		}
		free(copy);
		if (classifier_totals(classifier).buffered_bytes > FLOWS * CLASSIFY_FLOW_BYTES)
			abort();
	}
	for (unsigned i = 0; i < FLOWS; i++)
		classify_forget(classifier, &kept[i]);
	if (classifier_totals(classifier).buffered_bytes || classifier_totals(classifier).refused)
		abort();
	return 0;
}
