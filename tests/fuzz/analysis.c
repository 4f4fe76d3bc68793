/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/analysis.c netprobe/capfile.c netprobe/classify.c netprobe/config.c netprobe/device.c netprobe/evidence.c netprobe/flow.c netprobe/fragment.c netprobe/link.c netprobe/packet.c netprobe/pool.c netprobe/report.c netprobe/sample.c netprobe/stream.c netprobe/text.c netprobe/witness.c netprobe/dissect netprobe/fingerprint proto/netprobe.pb-c.c */
/* A capture file through all of it: every message can be packed, and no packet is counted twice or lost. */
#include "netprobe/analysis.h"
#include "netprobe/capfile.h"
#include "tests/fuzz/fuzz.h"

struct counted {
	uint64_t records, packets, packed;
};

static void pack(struct counted *c, const ProtobufCMessage *m)
{
	static uint8_t buffer[65536];

	if (protobuf_c_message_get_packed_size(m) > 4096) /* what an outbox takes */
		abort();
	c->packed += protobuf_c_message_pack(m, buffer);
}

static void on_dpi(void *userdata, const DpiEvent *e)
{
	if (!*e->protocol || e->confidence <= 0 || e->confidence > 1)
		abort();
	pack(userdata, &e->base);
}

static void on_fingerprint(void *userdata, const FingerprintEvent *e)
{
	pack(userdata, &e->base);
}

static void on_record(void *userdata, const FlowRecord *r)
{
	struct counted *c = userdata;

	c->records++;
	c->packets += r->packets_forward + r->packets_reverse;
	pack(c, &r->base);
}

static const char *interface_name(void *userdata, uint32_t interface)
{
	(void)userdata;
	(void)interface;
	return "";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct counted c;
	const struct analysis_sink sink = { .dpi = on_dpi, .fingerprint = on_fingerprint, .record = on_record,
					    .interface_name = interface_name, .userdata = &c };
	const struct analysis_options options = { .flows_max = 8 };
	struct packet packet = { 0 };
	struct analysis *a;
	struct capfile_packet p;
	struct capfile *f;
	uint64_t fed = 0;

	c = (struct counted){ 0 };
	if (capfile_open_memory("fuzz.pcap", (struct span){ data, size }, &f, NULL) < 0)
		return 0;
	if (analysis_new(&a, &options, &sink) < 0)
		abort();
	while (capfile_next(f, &p, NULL) == 1) {
		packet.time_ns = p.time_ns;
		packet.interface = p.interface;
		analysis_packet(a, &packet, packet_parse(&packet, p.link_type, p.frame, p.wire_bytes), NULL);
		fed += packet.family != 0;
	}
	analysis_end(a, FLOW_END_FILE);
	if (c.packets != fed || analysis_totals(a).flows.flows)
		abort();
	analysis_free(a);
	capfile_close(f);
	return 0;
}
