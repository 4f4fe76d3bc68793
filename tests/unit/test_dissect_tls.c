/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/classify.c netprobe/stream.c netprobe/pool.c netprobe/dissect */
/* What fingerprints need of TLS, DTLS and SSH: handed out whole and once, whatever it comes in. */
#include "tests/unit/flow.h"

static const char hello[] = CLIENT_HELLO;
#define HELLO_BYTES (sizeof(hello) - 1)
static const char record[] = "\x16\x03\x01\x00\x69" CLIENT_HELLO;

static void expect(const struct flow *f, enum handout kind, const char *bytes, size_t size)
{
	assert_int_equal(f->handed_count, 1);
	assert_int_equal(f->handed[0].kind, kind);
	assert_int_equal(f->handed[0].size, size);
	assert_memory_equal(f->handed[0].bytes, bytes, size);
}

static void expect_hello(const struct flow *f)
{
	assert_int_equal(f->result.state, CLASSIFY_DONE);
	assert_int_equal(f->result.protocol, PROTOCOL_TLS);
	assert_true(f->result.confidence > 0.95F);
	assert_int_equal(f->fresh, 1);
	expect(f, HANDOUT_CLIENT_HELLO_TLS, hello + 4, HELLO_BYTES - 4);
}

static void in_one_segment(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 443);
	flow_syn(&f);
	flow_send(&f, 0, record, sizeof(record) - 1);
	expect_hello(&f);
	flow_end(&f);
}

/* The protocol is known by the first twelve bytes, the hello later. */
static void over_segments_the_protocol_first(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 443);
	flow_syn(&f);
	assert_int_equal(flow_send(&f, 0, record, 12), CLASSIFY_GOING);
	assert_int_equal(f.result.protocol, PROTOCOL_TLS);
	assert_true(f.result.fresh);
	assert_int_equal(flow_send(&f, 0, record + 12, 50), CLASSIFY_GOING);
	assert_int_equal(f.handed_count, 0);
	flow_send(&f, 0, record + 62, sizeof(record) - 1 - 62);
	expect_hello(&f);
	flow_end(&f);
}

/* Every order of three segments, with the server's answer among them. */
static void every_order_of_three_segments(void **state)
{
	static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	static const size_t from[4] = { 0, 40, 80, sizeof(record) - 1 };

	(void)state;
	for (unsigned o = 0; o < 6; o++) {
		for (unsigned answer = 0; answer < 3; answer++) {
			struct flow f;

			flow_begin(&f, true, 443);
			flow_syn(&f);
			for (unsigned i = 0; i < 3; i++) {
				unsigned part = orders[o][i];

				if (i == answer)
					flow_send(&f, 1, SERVER_HELLO_TLS, sizeof(SERVER_HELLO_TLS) - 1);
				flow_packet(&f, 0, PACKET_ACK, f.next[0] + (uint32_t)from[part], &record[from[part]],
					    from[part + 1] - from[part]);
			}
			expect_hello(&f);
			flow_end(&f);
		}
	}
}

/* Retransmitted, overlapping, and with other bytes the second time: what came first counts. */
static void overlaps(void **state)
{
	char other[sizeof(record)];
	struct flow f;
	uint32_t start;

	(void)state;
	memset(other, 'x', sizeof(other));
	flow_begin(&f, true, 443);
	flow_syn(&f);
	start = f.next[0];
	flow_packet(&f, 0, PACKET_ACK, start, record, 30);
	flow_packet(&f, 0, PACKET_ACK, start + 60, &record[60], 20);
	flow_packet(&f, 0, PACKET_ACK, start, other, 25);
	flow_packet(&f, 0, PACKET_ACK, start + 55, &record[55], 20);
	flow_packet(&f, 0, PACKET_ACK, start + 62, other, 10);
	flow_packet(&f, 0, PACKET_ACK, start + 20, &record[20], sizeof(record) - 1 - 20);
	expect_hello(&f);
	flow_end(&f);
}

/* One hello in records of 1 to 40 bytes. */
static void over_records(void **state)
{
	(void)state;
	for (size_t step = 1; step <= 40; step += 13) {
		uint8_t bytes[HELLO_BYTES * 6 + 16];
		size_t n = 0;
		struct flow f;

		for (size_t at = 0; at < HELLO_BYTES; at += step) {
			size_t size = HELLO_BYTES - at < step ? HELLO_BYTES - at : step;

			if (step == 1 && at == 60) /* no more than 64 records are read */
				size = HELLO_BYTES - at;
			memcpy(bytes + n, "\x16\x03\x01\x00", 4);
			bytes[n + 4] = (uint8_t)size;
			memcpy(bytes + n + 5, hello + at, size);
			n += 5 + size;
			if (size > step)
				break;
		}
		flow_begin(&f, true, 443);
		flow_syn(&f);
		flow_send(&f, 0, bytes, n / 2);
		flow_send(&f, 0, bytes + n / 2, n - n / 2);
		expect_hello(&f);
		flow_end(&f);
	}
}

/* 12 KiB, as with many key shares; and one that claims more than is ever kept. */
static void large_hellos(void **state)
{
	static uint8_t big[5 + 4 + 12 * 1024];
	size_t body = sizeof(big) - 9, sent = 0;
	struct flow f;

	(void)state;
	memcpy(big, "\x16\x03\x01", 3);
	big[3] = (uint8_t)((body + 4) >> 8);
	big[4] = (uint8_t)(body + 4);
	memcpy(big + 5, "\x01\x00", 2);
	big[7] = (uint8_t)(body >> 8);
	big[8] = (uint8_t)body;
	memcpy(big + 9, "\x03\x03" RANDOM_32 "\x00\x00\x02\x13\x01\x01\x00", 41);
	big[50] = (uint8_t)((body - 43) >> 8);
	big[51] = (uint8_t)(body - 43);
	flow_begin(&f, true, 443);
	flow_syn(&f);
	for (; sent < sizeof(big); sent += 1300)
		flow_send(&f, 0, big + sent, sizeof(big) - sent < 1300 ? sizeof(big) - sent : 1300);
	assert_int_equal(f.result.state, CLASSIFY_DONE);
	expect(&f, HANDOUT_CLIENT_HELLO_TLS, (char *)big + 9, body);
	flow_end(&f);

	memcpy(big, "\x16\x03\x01\x40\x00\x01\x00\xff\xff", 9);
	flow_begin(&f, true, 443);
	flow_syn(&f);
	flow_send(&f, 0, big, 1300);
	assert_int_equal(f.handed_count, 0);
	flow_end(&f);
}

static void within_text_and_socks(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 110);
	flow_syn(&f);
	flow_send(&f, 1, "+OK ready\r\n", 11);
	flow_send(&f, 0, "STLS\r\n", 6);
	flow_send(&f, 1, "+OK go\r\n", 8);
	assert_int_equal(f.result.protocol, PROTOCOL_UNKNOWN);
	flow_send(&f, 0, record, 70);
	flow_send(&f, 0, record + 70, sizeof(record) - 1 - 70);
	assert_int_equal(f.result.protocol, PROTOCOL_TLS);
	expect(&f, HANDOUT_CLIENT_HELLO_TLS, hello + 4, HELLO_BYTES - 4);
	flow_end(&f);

	/* SOCKS is what the flow is, and no protocol of ours. */
	flow_begin(&f, true, 1080);
	flow_syn(&f);
	flow_send(&f, 0, "\x05\x01\x00", 3);
	flow_send(&f, 1, "\x05\x00", 2);
	flow_send(&f, 0, "\x05\x01\x00\x01\xc0\x00\x02\x01\x01\xbb", 10);
	flow_send(&f, 1, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10);
	flow_send(&f, 0, record, sizeof(record) - 1);
	assert_int_equal(f.result.protocol, PROTOCOL_UNKNOWN);
	expect(&f, HANDOUT_CLIENT_HELLO_TLS, hello + 4, HELLO_BYTES - 4);
	flow_end(&f);
}

/* Of a protocol of our own the name stays. */
static void the_hello_of_starttls(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		const struct sample *s = &samples[i];
		struct flow f;

		if (strcmp(s->what, "AUTH TLS") != 0 && strcmp(s->what, "STARTTLS of IMAP") != 0 && strcmp(s->what, "TLS") != 0)
			continue;
		flow_begin(&f, s->tcp, s->port);
		flow_syn(&f);
		for (unsigned n = 0; n < SAMPLE_PACKETS && s->packets[n].size; n++)
			flow_send(&f, s->packets[n].direction, s->packets[n].bytes, s->packets[n].size);
		assert_int_equal(f.result.protocol, s->protocol);
		assert_int_equal(f.result.state, CLASSIFY_DONE);
		expect(&f, HANDOUT_CLIENT_HELLO_TLS, hello + 4, HELLO_BYTES - 4);
		flow_end(&f);
	}
}

/* A connection that is older than the capture. */
static void records_without_a_beginning(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 443);
	flow_send(&f, 1, "\x17\x03\x03\x00\x20" RANDOM_32 "\x17\x03\x03\x00\x20" RANDOM_32, 74);
	assert_int_equal(f.result.protocol, PROTOCOL_TLS);
	assert_true(f.result.confidence < 0.95F);
	flow_end(&f);
	flow_begin(&f, true, 9999);
	flow_send(&f, 1, "\x17\x03\x03\x10\x20" RANDOM_32, 37);
	assert_int_equal(f.result.protocol, PROTOCOL_UNKNOWN);
	flow_end(&f);
}

/* ---- DTLS ---- */

static const char dtls_body[] = "\xfe\xfd" RANDOM_32 "\x00\x00" HELLO_REST;
#define DTLS_BYTES (sizeof(dtls_body) - 1)

/* One record with [from, to) of the hello. */
static size_t dtls_part(uint8_t *out, size_t from, size_t to)
{
	size_t size = to - from;

	memcpy(out, "\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00", 11);
	out[11] = 0;
	out[12] = (uint8_t)(size + 12);
	memcpy(out + 13, "\x01\x00\x00", 3);
	out[16] = DTLS_BYTES;
	memcpy(out + 17, "\x00\x00\x00\x00", 4);
	out[21] = (uint8_t)from;
	out[22] = out[23] = 0;
	out[24] = (uint8_t)size;
	memcpy(out + 25, dtls_body + from, size);
	return 25 + size;
}

static void dtls_over_datagrams_in_any_order(void **state)
{
	static const unsigned orders[3][3] = { { 0, 1, 2 }, { 2, 1, 0 }, { 1, 2, 0 } };
	static const size_t from[4] = { 0, 40, 41, DTLS_BYTES };

	(void)state;
	for (unsigned o = 0; o < 3; o++) {
		struct flow f;

		flow_begin(&f, false, 4433);
		for (unsigned i = 0; i < 3; i++) {
			uint8_t datagram[256];
			unsigned part = orders[o][i];

			assert_int_equal(f.handed_count, 0);
			flow_send(&f, 0, datagram, dtls_part(datagram, from[part], from[part + 1]));
			assert_int_equal(f.result.protocol, PROTOCOL_DTLS);
		}
		assert_int_equal(f.result.state, CLASSIFY_DONE);
		expect(&f, HANDOUT_CLIENT_HELLO_DTLS, dtls_body, DTLS_BYTES);
		flow_end(&f);
	}
}

static void dtls_over_records_of_one_datagram(void **state)
{
	uint8_t datagram[512];
	size_t n;
	struct flow f;

	(void)state;
	flow_begin(&f, false, 4433);
	n = dtls_part(datagram, 0, 50);
	n += dtls_part(datagram + n, 50, DTLS_BYTES);
	flow_send(&f, 0, datagram, n);
	expect(&f, HANDOUT_CLIENT_HELLO_DTLS, dtls_body, DTLS_BYTES);
	flow_end(&f);
}

/* WebRTC: STUN first, DTLS in the same flow. */
static void dtls_behind_stun(void **state)
{
	uint8_t datagram[256];
	struct flow f;

	(void)state;
	flow_begin(&f, false, 50000);
	assert_int_equal(flow_send(&f, 0, STUN_BINDING, sizeof(STUN_BINDING) - 1), CLASSIFY_GOING);
	assert_int_equal(f.result.protocol, PROTOCOL_STUN);
	flow_send(&f, 0, datagram, dtls_part(datagram, 0, DTLS_BYTES));
	assert_int_equal(f.result.protocol, PROTOCOL_DTLS);
	assert_int_equal(f.fresh, 2);
	expect(&f, HANDOUT_CLIENT_HELLO_DTLS, dtls_body, DTLS_BYTES);
	flow_end(&f);
}

/* ---- SSH ---- */

static void ssh_both_sides_in_pieces(void **state)
{
	static const char client[] = "SSH-2.0-a\r\n" KEXINIT, server[] = "SSH-2.0-b\n" KEXINIT;
	struct flow f;

	(void)state;
	flow_begin(&f, true, 2222);
	flow_syn(&f);
	flow_send(&f, 1, server, 5);
	flow_send(&f, 1, server + 5, 20);
	assert_int_equal(f.result.protocol, PROTOCOL_SSH);
	flow_send(&f, 0, client, 60);
	flow_send(&f, 1, server + 25, sizeof(server) - 1 - 25);
	assert_int_equal(f.handed_count, 1);
	assert_int_equal(f.handed[0].kind, HANDOUT_KEXINIT_SERVER);
	flow_send(&f, 0, client + 60, sizeof(client) - 1 - 60);
	assert_int_equal(f.result.state, CLASSIFY_DONE);
	assert_int_equal(f.handed_count, 2);
	assert_int_equal(f.handed[1].kind, HANDOUT_KEXINIT_CLIENT);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(f.handed[i].size, KEXINIT_SIZE);
		assert_memory_equal(f.handed[i].bytes, KEXINIT_PAYLOAD, KEXINIT_SIZE);
	}
	flow_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_one_segment),
		cmocka_unit_test(over_segments_the_protocol_first),
		cmocka_unit_test(every_order_of_three_segments),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(over_records),
		cmocka_unit_test(large_hellos),
		cmocka_unit_test(within_text_and_socks),
		cmocka_unit_test(the_hello_of_starttls),
		cmocka_unit_test(records_without_a_beginning),
		cmocka_unit_test(dtls_over_datagrams_in_any_order),
		cmocka_unit_test(dtls_over_records_of_one_datagram),
		cmocka_unit_test(dtls_behind_stun),
		cmocka_unit_test(ssh_both_sides_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
