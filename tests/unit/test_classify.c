/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/classify.c netprobe/stream.c netprobe/pool.c netprobe/dissect */
/* Budgets, bounds, memory; what is not known stays unknown. */
#include "tests/unit/flow.h"
#include "tests/unit/quic_build.h"

#define RECORD "\x16\x03\x01\x00\x69" CLIENT_HELLO

static void sixteen_packets_and_no_more(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, false, 9000);
	for (unsigned i = 1; i <= CLASSIFY_PACKETS; i++)
		assert_int_equal(flow_send(&f, i & 1, X64, 64), i < CLASSIFY_PACKETS ? CLASSIFY_GOING : CLASSIFY_UNKNOWN);
	assert_null(f.kept);
	assert_int_equal(f.fresh, 0);
	flow_end(&f);
}

static void hv_21_the_budget_can_be_one(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, false, 9000);
	f.budget = 1;
	assert_int_equal(flow_send(&f, 0, X64, 64), CLASSIFY_UNKNOWN);
	flow_end(&f);
	/* A protocol that one packet shows is known; the hello that goes on is not waited for. */
	flow_begin(&f, true, 443);
	f.budget = 1;
	flow_syn(&f);
	assert_int_equal(flow_send(&f, 0, RECORD, 50), CLASSIFY_DONE);
	assert_int_equal(f.result.protocol, PROTOCOL_TLS);
	assert_null(f.kept);
	flow_end(&f);
	/* Lowered while a flow is looked at. */
	flow_begin(&f, false, 9000);
	flow_send(&f, 0, X64, 64);
	flow_send(&f, 0, X64, 64);
	f.budget = 2;
	assert_int_equal(flow_send(&f, 0, X64, 64), CLASSIFY_UNKNOWN);
	flow_end(&f);
}

static void nothing_is_kept_of_a_flow_that_is_known(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 80);
	flow_syn(&f);
	assert_int_equal(flow_send(&f, 0, "GET / HT", 8), CLASSIFY_GOING);
	assert_int_equal(classifier_totals(f.classifier).buffered_bytes, 2048);
	assert_int_equal(flow_send(&f, 0, "TP/1.1\r\n", 8), CLASSIFY_DONE);
	assert_null(f.kept);
	assert_int_equal(classifier_totals(f.classifier).buffered_bytes, 0);
	flow_end(&f);
}

static void packets_without_payload_do_not_count(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 80);
	flow_syn(&f);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(flow_packet(&f, i & 1, PACKET_ACK, f.next[i & 1], NULL, 0), CLASSIFY_GOING);
	/* Nor does the padding of a frame that a device takes for payload. */
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(flow_packet(&f, i & 1, PACKET_ACK, f.next[i & 1], "\0\0\0\0\0\0", 6), CLASSIFY_GOING);
	assert_int_equal(flow_send(&f, 0, "GET / HTTP/1.1\r\n", 16), CLASSIFY_DONE);
	assert_int_equal(f.result.protocol, PROTOCOL_HTTP);
	flow_end(&f);
}

static void other_transports_are_not_looked_at(void **state)
{
	struct classifier *c;
	struct classify_flow *kept = NULL;
	struct packet p = {
		.family = AF_INET, .protocol = IPPROTO_ICMP, .payload = { (const uint8_t *)"abcd", 4 }, .payload_bytes = 4
	};

	(void)state;
	assert_int_equal(classifier_new(&c, 0), 0);
	assert_int_equal(classify_packet(c, &kept, &p, 0, 16, 0, NULL, NULL).state, CLASSIFY_UNKNOWN);
	p.protocol = IPPROTO_UDP;
	p.fragment = true;
	p.fragment_offset = 1480;
	assert_int_equal(classify_packet(c, &kept, &p, 0, 16, 0, NULL, NULL).state, CLASSIFY_GOING);
	assert_null(kept);
	classifier_free(c);
}

/* The first segment was lost to the capture, as the other end's acknowledgement says; or the flow's last packet is there. */
static void a_gap_that_stays(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 8080);
	flow_syn(&f);
	f.next[0] += 100;
	assert_int_equal(flow_send(&f, 0, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27), CLASSIFY_GOING);
	assert_int_equal(f.result.protocol, PROTOCOL_UNKNOWN);
	flow_send(&f, 1, "HTTP/1.1 200 OK\r\n\r\n", 19);
	assert_int_equal(f.result.protocol, PROTOCOL_HTTP);
	flow_end(&f);

	flow_begin(&f, true, 8080);
	flow_syn(&f);
	f.next[0] += 100;
	f.budget = 2;
	flow_send(&f, 0, "GET / HTTP/1.1\r\n", 16);
	flow_send(&f, 0, "Host: x\r\n\r\n", 11);
	assert_int_equal(f.result.protocol, PROTOCOL_HTTP);
	assert_true(f.result.confidence < 0.95F);
	flow_end(&f);
}

/* Older than the capture, and in the midst of an answer's body: the next request is one. */
static void an_old_connection(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 80);
	assert_int_equal(flow_send(&f, 1, X64, 64), CLASSIFY_GOING);
	assert_int_equal(flow_send(&f, 1, X64, 64), CLASSIFY_GOING);
	assert_int_equal(flow_send(&f, 0, "GET / HTTP/1.1\r\n", 16), CLASSIFY_DONE);
	assert_int_equal(f.result.protocol, PROTOCOL_HTTP);
	assert_true(f.result.confidence < 0.95F);
	flow_end(&f);
	/* With its beginning seen, bytes within it are not one. */
	flow_begin(&f, true, 80);
	flow_syn(&f);
	flow_send(&f, 1, X64, 64);
	flow_send(&f, 0, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(f.result.protocol, PROTOCOL_UNKNOWN);
	flow_end(&f);
}

/* Bytes of many flows that never finish: 32 KiB each, 32 MiB in all, the rest refused and counted; all comes back. */
static void memory_is_bounded(void **state)
{
	enum { FLOWS = 2000 };
	static struct classify_flow *kept[FLOWS];
	static uint8_t bytes[1400];
	struct classifier *c;
	struct classifier_totals t;
	struct packet p = { .family = AF_INET,
			    .protocol = IPPROTO_TCP,
			    .source_port = 1,
			    .destination_port = 443,
			    .tcp_flags = PACKET_ACK | PACKET_PSH };

	(void)state;
	assert_int_equal(classifier_new(&c, 0), 0);
	for (unsigned n = 0; n < 15; n++) {
		for (unsigned i = 0; i < FLOWS; i++) {
			struct classify_result r;

			memset(bytes, 0, sizeof(bytes));
			if (!n)
				memcpy(bytes, "\x16\x03\x01\x40\x00\x01\x00\x7f\xf0\x03\x03", 11);
			p.sequence = 1 + n * (uint32_t)sizeof(bytes);
			p.payload = (struct span){ bytes, sizeof(bytes) };
			p.payload_bytes = sizeof(bytes);
			if (n && !kept[i])
				continue;
			r = classify_packet(c, &kept[i], &p, 0, 16, 0, NULL, NULL);
			assert_true(r.protocol == PROTOCOL_TLS);
			assert_int_equal(r.state == CLASSIFY_GOING, kept[i] != NULL);
		}
		t = classifier_totals(c);
		assert_true(t.buffered_peak <= CLASSIFY_ALL_BYTES);
	}
	assert_true(t.refused > 0);
	assert_true(t.buffered_peak > CLASSIFY_ALL_BYTES - CLASSIFY_FLOW_BYTES);
	for (unsigned i = 0; i < FLOWS; i++)
		classify_forget(c, &kept[i]);
	assert_int_equal(classifier_totals(c).buffered_bytes, 0);
	classifier_free(c);
}

static void as_many_flows_as_there_is_room_for(void **state)
{
	enum { FLOWS = 70000 };
	static struct classify_flow *kept[FLOWS];
	struct classifier *c;
	struct packet p = {
		.family = AF_INET, .protocol = IPPROTO_UDP, .payload = { (const uint8_t *)X64, 64 }, .payload_bytes = 64
	};
	struct packet http = { .family = AF_INET, .protocol = IPPROTO_TCP, .tcp_flags = PACKET_ACK | PACKET_PSH };
	struct classify_flow *one = NULL;
	unsigned going = 0;

	(void)state;
	assert_int_equal(classifier_new(&c, 0), 0);
	for (unsigned i = 0; i < FLOWS; i++)
		going += classify_packet(c, &kept[i], &p, 0, 16, 0, NULL, NULL).state == CLASSIFY_GOING;
	assert_int_equal(going, 65536);
	assert_int_equal(classifier_totals(c).refused, FLOWS - 65536);
	/* Then a flow is known by its first packet or not at all. */
	http.payload = (struct span){ (const uint8_t *)"GET / HTTP/1.1\r\n", 16 };
	assert_int_equal(classify_packet(c, &one, &http, 0, 16, 0, NULL, NULL).protocol, PROTOCOL_HTTP);
	assert_null(one);
	http.payload.size = 8;
	assert_int_equal(classify_packet(c, &one, &http, 0, 16, 0, NULL, NULL).state, CLASSIFY_UNKNOWN);
	assert_null(one);
	http.payload.size = 0;
	http.tcp_flags = PACKET_SYN;
	assert_int_equal(classify_packet(c, &one, &http, 0, 16, 0, NULL, NULL).state, CLASSIFY_GOING);
	assert_null(one);
	assert_int_equal(classifier_totals(c).buffered_bytes, 0);
	for (unsigned i = 0; i < FLOWS; i++)
		classify_forget(c, &kept[i]);
	assert_int_equal(classify_packet(c, &kept[0], &p, 0, 16, 0, NULL, NULL).state, CLASSIFY_GOING);
	classify_forget(c, &kept[0]);
	classifier_free(c);
}

/* ---- No allocation: the allocator of this program counts ---- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 1
static unsigned long allocations;
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	allocations++;
	return __libc_realloc(p, size);
}
#endif

static void no_allocation_for_each_packet(void **state)
{
#ifdef COUNTS_ALLOCATIONS
	static uint8_t quic[3][1200];
	static const char hello[] = CLIENT_HELLO;
	uint8_t frames[256];
	struct classifier *c;
	unsigned long before;

	(void)state;
	/* Two connections, and a packet that does not authenticate between. */
	for (unsigned i = 0; i < 3; i++)
		quic_build(&quic_v1, i ? "abcdefgh" : "12345678", i ? "abcdefgh" : "12345678", (uint16_t)i, frames,
			   quic_crypto(frames, 10, hello, sizeof(hello) - 1), quic[i], sizeof(quic[i]));
	quic[1][900] ^= 1;
	assert_int_equal(classifier_new(&c, 0), 0);
	before = allocations;
	for (unsigned round = 0; round < 20; round++) {
		for (size_t i = 0; i <= SAMPLES; i++) {
			struct classify_flow *kept = NULL;
			uint32_t next[2] = { 1, 1 };

			for (unsigned n = 0; n < (i < SAMPLES ? SAMPLE_PACKETS : 3u); n++) {
				struct packet p = { .family = AF_INET, .protocol = IPPROTO_UDP, .tcp_flags = PACKET_ACK };
				unsigned d = i < SAMPLES ? samples[i].packets[n].direction : 0;

				p.payload = i < SAMPLES ? (struct span){ (const uint8_t *)samples[i].packets[n].bytes,
									 samples[i].packets[n].size }
							: (struct span){ quic[n], sizeof(quic[n]) };
				if (!p.payload.size)
					break;
				p.payload_bytes = (uint32_t)p.payload.size;
				if (i < SAMPLES && samples[i].tcp)
					p.protocol = IPPROTO_TCP;
				p.sequence = next[d];
				next[d] += p.payload_bytes;
				if (classify_packet(c, &kept, &p, d, 16, 0, NULL, NULL).state != CLASSIFY_GOING)
					break;
			}
			classify_forget(c, &kept);
		}
	}
	assert_int_equal(allocations, before);
	classifier_free(c);
#else
	(void)state;
	skip();
#endif
}

/* ---- Privacy ---- */

/* What comes out of a flow is a number, a confidence, and the bytes that JA4 and HASSH are made of; of other protocols no byte.
 */
static void hv_17_only_hellos_and_kexinit_are_handed_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		const struct sample *s = &samples[i];
		struct flow f;

		flow_begin(&f, s->tcp, s->port);
		if (s->tcp)
			flow_syn(&f);
		for (unsigned n = 0; n < SAMPLE_PACKETS && s->packets[n].size; n++)
			flow_send(&f, s->packets[n].direction, s->packets[n].bytes, s->packets[n].size);
		for (unsigned n = 0; n < f.handed_count; n++) {
			bool ssh = f.handed[n].kind == HANDOUT_KEXINIT_CLIENT || f.handed[n].kind == HANDOUT_KEXINIT_SERVER;

			assert_int_equal(ssh, s->protocol == PROTOCOL_SSH);
			assert_int_equal(f.handed[n].bytes[0], ssh                                             ? 20
							       : f.handed[n].kind == HANDOUT_CLIENT_HELLO_DTLS ? 0xfe
													       : 3);
		}
		if (s->protocol == PROTOCOL_HTTP || s->protocol == PROTOCOL_DNS || s->protocol == PROTOCOL_REDIS ||
		    s->protocol == PROTOCOL_SIP)
			assert_int_equal(f.handed_count, 0);
		flow_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixteen_packets_and_no_more),
		cmocka_unit_test(hv_21_the_budget_can_be_one),
		cmocka_unit_test(nothing_is_kept_of_a_flow_that_is_known),
		cmocka_unit_test(packets_without_payload_do_not_count),
		cmocka_unit_test(other_transports_are_not_looked_at),
		cmocka_unit_test(a_gap_that_stays),
		cmocka_unit_test(an_old_connection),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(as_many_flows_as_there_is_room_for),
		cmocka_unit_test(no_allocation_for_each_packet),
		cmocka_unit_test(hv_17_only_hellos_and_kexinit_are_handed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
