/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/packet.c netprobe/link.c netprobe/fingerprint/p0f_packet.c netprobe/fingerprint/p0f_print.c netprobe/fingerprint/p0f_match.c netprobe/fingerprint/p0f_record.c netprobe/fingerprint/p0f_db.c netprobe/fingerprint/digest.c */
/* An IP packet behind two bytes that stand for the MSS of the SYN before it: its signature, which the reader of the database
 * must understand and which then fits the packet. */
#include "netprobe/bytes.h"
#include "netprobe/fingerprint/p0f.h"
#include "netprobe/link.h"
#include "tests/fuzz/fuzz.h"

/* A database of the one signature. */
static void check_match(const char *signature, const struct packet *p, uint16_t syn_mss)
{
	struct p0f_label label = { .name = "X" };
	struct p0f_record record;
	struct p0f_db db = { .records = &record, .record_count = 1, .labels = &label, .label_count = 1 };
	struct p0f_match m;
	const char *why;

	if (p0f_record_parse(signature, &record, &why) < 0) {
		if (p->ttl) /* one of 0 is no initial TTL */
			abort();
		return;
	}
	memset(db.first, 0xff, sizeof(db.first));
	for (unsigned answer = 0; answer < 2; answer++)
		db.first[answer][p0f_bucket(&record.layout)] = 0;
	p0f_match(&db, p, syn_mss, &m);
	if (!m.found || m.fuzzy != (m.distance > P0F_DISTANCE_MAX))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet p = { 0 };
	char out[P0F_BYTES];
	uint16_t syn_mss;
	struct p0f_match none;

	if (size < 3)
		return 0;
	syn_mss = get_be16(data);
	(void)packet_parse(&p, LINKTYPE_RAW, (struct span){ data + 2, size - 2 }, (uint32_t)size - 2);
	p0f_match(NULL, &p, syn_mss, &none);
	if (none.found)
		abort();
	if (p0f_signature(&p, syn_mss, out) == 0)
		check_match(out, &p, syn_mss);
	(void)p0f_mss(&p);
	return 0;
}
