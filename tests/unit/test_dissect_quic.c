/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/classify.c netprobe/stream.c netprobe/pool.c netprobe/dissect */
/* QUIC: the packet of RFC 9001 appendix A.2, and hellos that are cut, mixed and spread over packets. */
#include "tests/unit/flow.h"
#include "tests/unit/quic_build.h"

#define DATAGRAM 1200u
#define CID      "\x83\x94\xc8\xf0\x3e\x51\x57\x08"

static const char hello[] = CLIENT_HELLO;
#define HELLO_BYTES (sizeof(hello) - 1)

static void expect_hello(const struct flow *f)
{
	assert_int_equal(f->result.protocol, PROTOCOL_QUIC);
	assert_int_equal(f->handed_count, 1);
	assert_int_equal(f->handed[0].kind, HANDOUT_CLIENT_HELLO_QUIC);
	assert_int_equal(f->handed[0].size, HELLO_BYTES - 4);
	assert_memory_equal(f->handed[0].bytes, hello + 4, HELLO_BYTES - 4);
}

static void one_datagram(const struct quic_build *q)
{
	uint8_t frames[512], packet[DATAGRAM];
	struct flow f;

	flow_begin(&f, false, 443);
	quic_build(q, CID, CID, 2, frames, quic_crypto(frames, 0, hello, HELLO_BYTES), packet, sizeof(packet));
	assert_int_equal(flow_send(&f, 0, packet, sizeof(packet)), CLASSIFY_DONE);
	expect_hello(&f);
	assert_true(f.result.confidence > 0.98F);
	flow_end(&f);
}

static void versions(void **state)
{
	(void)state;
	one_datagram(&quic_v1);
	one_datagram(&quic_v2);
	one_datagram(&quic_draft_29);
}

/* Appendix A.2: the hello of 241 bytes, connection id 8394c8f03e515708, packet number 2 in four bytes. */
static void the_packet_of_rfc_9001(void **state)
{
	static const char client_hello[] =
		"\x01\x00\x00\xed\x03\x03\xeb\xf8\xfa\x56\xf1\x29\x39\xb9\x58\x4a\x38\x96\x47\x2e\xc4\x0b\xb8\x63\xcf"
		"\xd3\xe8\x68\x04\xfe\x3a\x47"
		"\xf0\x6a\x2b\x69\x48\x4c\x00\x00\x04\x13\x01\x13\x02\x01\x00\x00\xc0\x00\x00\x00\x10\x00\x0e\x00\x00"
		"\x0b\x65\x78\x61\x6d\x70\x6c"
		"\x65\x2e\x63\x6f\x6d\xff\x01\x00\x01\x00\x00\x0a\x00\x08\x00\x06\x00\x1d\x00\x17\x00\x18\x00\x10\x00"
		"\x07\x00\x05\x04\x61\x6c\x70"
		"\x6e\x00\x05\x00\x05\x01\x00\x00\x00\x00\x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20\x93\x70\xb2\xc9\xca"
		"\xa4\x7f\xba\xba\xf4\x55\x9f"
		"\xed\xba\x75\x3d\xe1\x71\xfa\x71\xf5\x0f\x1c\xe1\x5d\x43\xe9\x94\xec\x74\xd7\x48\x00\x2b\x00\x03\x02"
		"\x03\x04\x00\x0d\x00\x10\x00"
		"\x0e\x04\x03\x05\x03\x06\x03\x02\x03\x08\x04\x08\x05\x08\x06\x00\x2d\x00\x02\x01\x01\x00\x1c\x00\x02"
		"\x40\x01\x00\x39\x00\x32\x04"
		"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x05\x04\x80\x00\xff\xff\x07\x04\x80\x00\xff\xff\x08\x01\x10\x01"
		"\x04\x80\x00\x75\x30\x09\x01"
		"\x10\x0f\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\x06\x04\x80\x00\xff\xff";
	/* What the RFC shows of the protected packet: its first 31 bytes. */
	static const uint8_t begins[] = { 0xc0, 0x00, 0x00, 0x00, 0x01, 0x08, 0x83, 0x94, 0xc8, 0xf0, 0x3e,
					  0x51, 0x57, 0x08, 0x00, 0x00, 0x44, 0x9e, 0x7b, 0x9a, 0xec, 0x34,
					  0xd1, 0xb1, 0xc9, 0x8d, 0xd7, 0x68, 0x9f, 0xb8, 0xec };
	static const uint8_t tag[] = { 0xe2, 0x21, 0xaf, 0x44, 0x86, 0x00, 0x18, 0xab,
				       0x08, 0x56, 0x97, 0x2e, 0x19, 0x4c, 0xd9, 0x34 };
	static const uint8_t hp[16] = { 0x9f, 0x50, 0x44, 0x9e, 0x04, 0xa0, 0xe8, 0x10,
					0x28, 0x3a, 0x1e, 0x99, 0x33, 0xad, 0xed, 0xd2 };
	static const uint8_t key[16] = { 0x1f, 0x36, 0x96, 0x13, 0xdd, 0x76, 0xd5, 0x46,
					 0x77, 0x30, 0xef, 0xcb, 0xe3, 0xb1, 0xa2, 0x2d };
	uint8_t iv[12] = { 0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c };
	uint8_t packet[DATAGRAM] = { 0xc3, 0,    0,    0, 1, 8,    0x83, 0x94, 0xc8, 0xf0, 0x3e,
				     0x51, 0x57, 0x08, 0, 0, 0x44, 0x9e, 0,    0,    0,    2 },
		mask[32];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	struct flow f;
	int n;

	(void)state;
	assert_int_equal(sizeof(client_hello) - 1, 241);
	memcpy(packet + 22, "\x06\x00\x40\xf1", 4);
	memcpy(packet + 26, client_hello, 241);
	iv[11] ^= 2;
	EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, iv);
	EVP_EncryptUpdate(c, NULL, &n, packet, 22);
	EVP_EncryptUpdate(c, packet + 22, &n, packet + 22, 1162);
	EVP_EncryptFinal_ex(c, packet + 1184, &n);
	EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, packet + 1184);
	EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, hp, NULL);
	EVP_EncryptUpdate(c, mask, &n, packet + 22, 16);
	packet[0] ^= mask[0] & 0x0f;
	for (unsigned i = 0; i < 4; i++)
		packet[18 + i] ^= mask[1 + i];
	EVP_CIPHER_CTX_free(c);
	assert_memory_equal(packet, begins, sizeof(begins));
	assert_memory_equal(packet + 1184, tag, sizeof(tag));

	flow_begin(&f, false, 443);
	assert_int_equal(flow_send(&f, 0, packet, sizeof(packet)), CLASSIFY_DONE);
	assert_int_equal(f.result.protocol, PROTOCOL_QUIC);
	assert_int_equal(f.handed_count, 1);
	assert_int_equal(f.handed[0].size, 237);
	assert_memory_equal(f.handed[0].bytes, client_hello + 4, 237);
	/* One bit wrong anywhere in the payload: it does not authenticate, nothing is handed out. */
	flow_end(&f);
	packet[700] ^= 1;
	flow_begin(&f, false, 443);
	flow_send(&f, 0, packet, sizeof(packet));
	assert_int_equal(f.result.protocol, PROTOCOL_QUIC);
	assert_true(f.result.confidence < 0.9F);
	assert_int_equal(f.handed_count, 0);
	flow_end(&f);
}

/* Pieces in one packet in any order, with PING, PADDING and an ACK between them, and one of them twice. */
static void frames_out_of_order(void **state)
{
	uint8_t frames[512], packet[DATAGRAM];
	struct flow f;
	size_t n = 0;

	(void)state;
	n += quic_crypto(frames + n, 60, hello + 60, HELLO_BYTES - 60);
	memcpy(frames + n, "\x01\x00\x00\x02\x05\x00\x01\x00\x00\x00", 10);
	n += 10;
	n += quic_crypto(frames + n, 20, hello + 20, 45);
	n += quic_crypto(frames + n, 20, hello + 20, 10);
	n += quic_crypto(frames + n, 0, hello, 21);
	flow_begin(&f, false, 443);
	quic_build(&quic_v1, CID, CID, 0, frames, n, packet, sizeof(packet));
	assert_int_equal(flow_send(&f, 0, packet, sizeof(packet)), CLASSIFY_DONE);
	expect_hello(&f);
	flow_end(&f);
}

/* Over three packets that come in another order, with an answer between them; the last has the id that the server chose. */
static void over_several_datagrams(void **state)
{
	uint8_t frames[512], packet[3][DATAGRAM];
	struct flow f;

	(void)state;
	quic_build(&quic_v1, CID, CID, 0, frames, quic_crypto(frames, 0, hello, 30), packet[0], DATAGRAM);
	quic_build(&quic_v1, CID, CID, 1, frames, quic_crypto(frames, 30, hello + 30, 30), packet[1], DATAGRAM);
	quic_build(&quic_v1, "\1\2\3\4\5\6\7\x08", CID, 2, frames, quic_crypto(frames, 60, hello + 60, HELLO_BYTES - 60),
		   packet[2], DATAGRAM);
	flow_begin(&f, false, 443);
	assert_int_equal(flow_send(&f, 0, packet[1], DATAGRAM), CLASSIFY_GOING);
	assert_int_equal(f.result.protocol, PROTOCOL_QUIC);
	assert_true(f.result.fresh);
	assert_int_equal(flow_send(&f, 0, packet[2], DATAGRAM), CLASSIFY_GOING);
	assert_false(f.result.fresh);
	assert_int_equal(flow_send(&f, 1,
				   "\xcf\x00\x00\x00\x01\x00\x08"
				   "12345678"
				   "\x00\x40\x18"
				   "abcdefghijklmnopqrstuvwx",
				   42),
			 CLASSIFY_GOING);
	assert_int_equal(flow_send(&f, 0, packet[0], DATAGRAM), CLASSIFY_DONE);
	expect_hello(&f);
	assert_int_equal(f.fresh, 1);
	flow_end(&f);
}

/* Two packets in one datagram. */
static void coalesced(void **state)
{
	uint8_t frames[512], datagram[2 * 600];
	struct flow f;

	(void)state;
	quic_build(&quic_v1, CID, CID, 0, frames, quic_crypto(frames, 50, hello + 50, HELLO_BYTES - 50), datagram, 600);
	quic_build(&quic_v1, CID, CID, 1, frames, quic_crypto(frames, 0, hello, 50), datagram + 600, 600);
	flow_begin(&f, false, 443);
	assert_int_equal(flow_send(&f, 0, datagram, sizeof(datagram)), CLASSIFY_DONE);
	expect_hello(&f);
	flow_end(&f);
}

static void other_headers(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t size;
		enum protocol protocol;
	} cases[] = {
#define CASE(what, bytes, protocol) { what, bytes, sizeof(bytes) - 1, protocol }
		CASE("version negotiation",
		     "\x80\x00\x00\x00\x00\x08"
		     "12345678"
		     "\x00"
		     "\x00\x00\x00\x01\x6b\x33\x43\xcf",
		     PROTOCOL_QUIC),
		CASE("version negotiation of no known version",
		     "\x80\x00\x00\x00\x00\x08"
		     "12345678"
		     "\x00"
		     "\x12\x34\x56\x78",
		     PROTOCOL_UNKNOWN),
		CASE("a server's Initial",
		     "\xcf\x00\x00\x00\x01\x00\x08"
		     "12345678"
		     "\x00\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_QUIC),
		CASE("a length past the datagram",
		     "\xcf\x00\x00\x00\x01\x00\x08"
		     "12345678"
		     "\x00\x40\x19"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_UNKNOWN),
		CASE("the fixed bit is not set",
		     "\x8f\x00\x00\x00\x01\x00\x08"
		     "12345678"
		     "\x00\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_UNKNOWN),
		CASE("an id of 21 bytes",
		     "\xcf\x00\x00\x00\x01\x15\x00"
		     "123456789012345678901\x00\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_UNKNOWN),
		CASE("Handshake",
		     "\xe1\x00\x00\x00\x01\x00\x08"
		     "12345678"
		     "\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_QUIC),
		CASE("draft 27",
		     "\xcf\xff\x00\x00\x1b\x00\x08"
		     "12345678"
		     "\x00\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_QUIC),
		CASE("mvfst",
		     "\xcf\xfa\xce\xb0\x02\x00\x08"
		     "12345678"
		     "\x00\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_QUIC),
		CASE("Q043",
		     "\x0d"
		     "12345678"
		     "Q043"
		     "\x01"
		     "abcdefghijkl"
		     "CHLO" X16,
		     PROTOCOL_QUIC),
		CASE("Q046",
		     "\xc3"
		     "Q046"
		     "\x50"
		     "12345678"
		     "\x00\x00\x00\x01"
		     "abcdefghijkl"
		     "CHLO" X16,
		     PROTOCOL_QUIC),
		CASE("T050",
		     "\xc3"
		     "T050"
		     "\x08"
		     "12345678"
		     "\x00\x00\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_QUIC),
		CASE("no version of anyone",
		     "\xc3"
		     "X050"
		     "\x08"
		     "12345678"
		     "\x00\x00\x40\x18"
		     "abcdefghijklmnopqrstuvwx",
		     PROTOCOL_UNKNOWN),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow f;

		flow_begin(&f, false, 443);
		flow_send(&f, 0, cases[i].bytes, cases[i].size);
		if (f.result.protocol != cases[i].protocol)
			fail_msg("%s: %s", cases[i].what, protocol_name(f.result.protocol));
		assert_int_equal(f.handed_count, 0);
		flow_end(&f);
	}
}

/* A hello whose length cannot be, or that is no ClientHello, ends the search and hands out nothing. */
static void what_is_no_hello(void **state)
{
	static const char *const starts[] = { "\x01\xff\xff\xff", "\x02\x00\x00\x20" };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t frames[512], packet[DATAGRAM], text[64] = { 0 };
		struct flow f;

		memcpy(text, starts[i], 4);
		quic_build(&quic_v1, CID, CID, 0, frames, quic_crypto(frames, 0, text, sizeof(text)), packet, DATAGRAM);
		flow_begin(&f, false, 443);
		assert_int_equal(flow_send(&f, 0, packet, DATAGRAM), CLASSIFY_DONE);
		assert_int_equal(f.result.protocol, PROTOCOL_QUIC);
		assert_int_equal(f.handed_count, 0);
		flow_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(the_packet_of_rfc_9001),
		cmocka_unit_test(frames_out_of_order),
		cmocka_unit_test(over_several_datagrams),
		cmocka_unit_test(coalesced),
		cmocka_unit_test(other_headers),
		cmocka_unit_test(what_is_no_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
