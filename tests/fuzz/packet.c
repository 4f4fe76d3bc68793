/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/packet.c netprobe/link.c netprobe/flow.c netprobe/fragment.c */
/* A link type, how much longer the frame was on the wire, and the frame: spans stay within it and within each other, and
 * what was read finds the same flow from both ends. */
#include "netprobe/bytes.h"
#include "netprobe/flow.h"
#include "netprobe/link.h"
#include "tests/fuzz/fuzz.h"

static void check_within(struct span inner, struct span outer)
{
	if (inner.size && (inner.data < outer.data || inner.data + inner.size > outer.data + outer.size))
		abort();
}

static void check_key(const struct packet *p)
{
	struct packet back = *p;
	struct flow_key a, b;
	bool low = flow_key_of(p, &a);

	memcpy(back.source, p->destination, 16);
	memcpy(back.destination, p->source, 16);
	back.source_port = p->destination_port;
	back.destination_port = p->source_port;
	if (low == flow_key_of(&back, &b) && (memcmp(p->source, p->destination, 16) != 0 || p->source_port != p->destination_port))
		abort();
	if (memcmp(&a, &b, sizeof(a)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p = { .time_ns = 5, .interface = 6 };

	if (size < 3)
		return 0;
	const struct span frame = { data + 3, size - 3 };
	enum packet_result r = packet_parse(&p, get_be16(data), frame, (uint32_t)frame.size + data[2]);

	if (!*packet_result_name(r) || p.time_ns != 5 || p.interface != 6)
		abort();
	check_within(p.ip, frame);
	check_within(p.transport, p.ip);
	check_within(p.payload, p.transport);
	check_within(p.tcp_options, p.transport);
	if (p.payload.size > p.payload_bytes || (r == PACKET_OK && !p.family) || p.ip.size > p.ip_bytes)
		abort();
	if (p.family)
		check_key(&p);
	return 0;
}
