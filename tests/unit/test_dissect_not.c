/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/classify.c netprobe/stream.c netprobe/pool.c netprobe/dissect */
/* What is of none of the protocols, on every port that means something: a port alone makes nothing known. */
#include "tests/unit/flow.h"

static const uint16_t ports[] = { 21,   22,   25,   53,   67,   69,   80,   88,   110,  123,   137,   138,  139,
				  161,  389,  443,  445,  514,  546,  547,  554,  853,  1080,  1883,  1900, 3306,
				  3389, 3478, 5060, 5353, 5355, 5432, 6379, 6881, 8080, 11211, 51820, 40001 };
#define PORTS (sizeof(ports) / sizeof(ports[0]))

struct other {
	const char *what;
	bool tcp;
	struct {
		const char *bytes;
		size_t size;
		unsigned direction;
	} packets[4];
};

#define OTHER_TCP true
#define OTHER_UDP false

static const struct other others[] = {
	{ "zeros", OTHER_UDP, { FROM_CLIENT(ZEROS_64), FROM_SERVER(ZEROS_64) } },
	{ "ones",
	  OTHER_UDP,
	  { FROM_CLIENT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") } },
	{ "RTP",
	  OTHER_UDP,
	  { FROM_CLIENT("\x80\x00\x12\x34\x00\x00\x10\x00\xca\xfe\xba\xbe" X64),
	    FROM_CLIENT("\x80\x00\x12\x35\x00\x00\x10\xa0\xca\xfe\xba\xbe" X64) } },
	{ "RTCP", OTHER_UDP, { FROM_CLIENT("\x80\xc8\x00\x06\xca\xfe\xba\xbe" X16 "\x00\x00\x00\x01") } },
	{ "IKE", OTHER_UDP, { FROM_CLIENT(X16 "\x21\x20\x22\x08\x00\x00\x00\x00\x00\x00\x00\x5c" X64) } },
	{ "ESP in UDP",
	  OTHER_UDP,
	  { FROM_CLIENT("\xc0\x12\x34\x56\x00\x00\x00\x01" X64), FROM_CLIENT("\xc0\x12\x34\x56\x00\x00\x00\x02" X64) } },
	{ "OpenVPN",
	  OTHER_UDP,
	  { FROM_CLIENT("\x38\x11\x22\x33\x44\x55\x66\x77\x88\x00\x00\x00\x00\x00"),
	    FROM_SERVER("\x40\x99\x22\x33\x44\x55\x66\x77\x88\x01\x00\x00\x00\x00\x11\x22\x33\x44\x55\x66\x77\x88") } },
	{ "RADIUS",
	  OTHER_UDP,
	  { FROM_CLIENT("\x01\x2a\x00\x26" X16 "\x01\x05"
			"bob"
			"\x04\x06\xc0\x00\x02\x01\x05\x07"
			"12345") } },
	{ "NetFlow 9",
	  OTHER_UDP,
	  { FROM_CLIENT("\x00\x09\x00\x01\x00\x01\x00\x00\x65\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x0c"
			"\x01\x00\x00\x01\x00\x08\x00\x04") } },
	{ "VXLAN", OTHER_UDP, { FROM_CLIENT("\x08\x00\x00\x00\x00\x00\x2a\x00" X64) } },
	{ "GTP", OTHER_UDP, { FROM_CLIENT("\x30\xff\x00\x40\x12\x34\x56\x78" X64) } },
	{ "RakNet",
	  OTHER_UDP,
	  { FROM_CLIENT("\x05\x00\xff\xff\x00\xfe\xfe\xfe\xfe\xfd\xfd\xfd\xfd\x12\x34\x56\x78\x0a" ZEROS_64) } },
	{ "BFD",
	  OTHER_UDP,
	  { FROM_CLIENT("\x20\xc0\x03\x18\x00\x00\x00\x01\x00\x00\x00\x02\x00\x0f\x42\x40\x00\x0f\x42\x40\x00\x00\x00\x00") } },
	{ "CoAP",
	  OTHER_UDP,
	  { FROM_CLIENT("\x40\x01\x12\x34\xbb"
			".well-known"
			"\x04"
			"core") } },
	{ "text", OTHER_UDP, { FROM_CLIENT("hello there, this is a line of text\n"), FROM_SERVER("and an answer\n") } },
	{ "JSON", OTHER_UDP, { FROM_CLIENT("{\"host_int\": 1234, \"version\": [2, 0], \"port\": 17500}") } },
	{ "numbers that grow",
	  OTHER_UDP,
	  { FROM_CLIENT("\x01\x00\x00\x01" X64), FROM_CLIENT("\x01\x00\x00\x02" X64), FROM_CLIENT("\x01\x00\x00\x03" X64) } },
	{ "a game's sequence",
	  OTHER_UDP,
	  { FROM_CLIENT("\x05\x00\x00\x00\x4f\x83\x78\x00" X64), FROM_CLIENT("\x05\x00\x01\x00\x4f\x83\x78\x00" X64),
	    FROM_SERVER("\x02\x00\x03\xc8" X64) } },
	{ "random", OTHER_UDP, { FROM_CLIENT(RANDOM_32 X16), FROM_SERVER(X16 RANDOM_32), FROM_CLIENT(X64) } },
	{ "IMAP",
	  OTHER_TCP,
	  { FROM_SERVER("* OK [CAPABILITY IMAP4rev1] ready\r\n"), FROM_CLIENT("a LOGIN x y\r\n"), FROM_SERVER("a OK\r\n") } },
	{ "POP3",
	  OTHER_TCP,
	  { FROM_SERVER("+OK ready\r\n"), FROM_CLIENT("USER bob\r\n"), FROM_SERVER("+OK\r\n"), FROM_CLIENT("PASS x\r\n") } },
	{ "IRC",
	  OTHER_TCP,
	  { FROM_CLIENT("NICK bob\r\nUSER bob 0 * :Bob\r\n"), FROM_SERVER(":irc NOTICE * :*** Looking up\r\n"),
	    FROM_SERVER(":irc 001 bob :hi\r\n") } },
	{ "NNTP", OTHER_TCP, { FROM_SERVER("200 news ready\r\n"), FROM_CLIENT("MODE READER\r\n"), FROM_SERVER("200 ok\r\n") } },
	{ "telnet",
	  OTHER_TCP,
	  { FROM_SERVER("\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27"), FROM_CLIENT("\xff\xfb\x18\xff\xfc\x20") } },
	{ "XMPP",
	  OTHER_TCP,
	  { FROM_CLIENT("<?xml version='1.0'?><stream:stream to='x'>"), FROM_SERVER("<?xml version='1.0'?><stream:stream>") } },
	{ "S7",
	  OTHER_TCP,
	  { FROM_CLIENT("\x03\x00\x00\x16\x11\xe0\x00\x00\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02"),
	    FROM_SERVER("\x03\x00\x00\x16\x11\xd0\x00\x01\x00\x01\x00\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02") } },
	{ "Modbus",
	  OTHER_TCP,
	  { FROM_CLIENT("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a"),
	    FROM_SERVER("\x00\x01\x00\x00\x00\x17\x01\x03\x14" X16 "\x00\x00\x00\x00") } },
	{ "SOCKS 5",
	  OTHER_TCP,
	  { FROM_CLIENT("\x05\x01\x00"), FROM_SERVER("\x05\x00"), FROM_CLIENT("\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"),
	    FROM_SERVER("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00") } },
	{ "RTMP",
	  OTHER_TCP,
	  { FROM_CLIENT("\x03\x00\x00\x00\x00\x00\x00\x00\x00" X64),
	    FROM_SERVER("\x03\x00\x00\x00\x00\x0d\x0e\x0a\x0d" X64) } },
	{ "BGP",
	  OTHER_TCP,
	  { FROM_CLIENT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x1d\x01\x04\xfd\xe8\x00\xb4"
			"\xc0\x00\x02\x01\x00") } },
	{ "rsync", OTHER_TCP, { FROM_SERVER("@RSYNCD: 31.0\n"), FROM_CLIENT("@RSYNCD: 31.0\n"), FROM_CLIENT("module\n") } },
	{ "git", OTHER_TCP, { FROM_CLIENT("0033git-upload-pack /project.git\0host=example.org\0") } },
	{ "VNC", OTHER_TCP, { FROM_SERVER("RFB 003.008\n"), FROM_CLIENT("RFB 003.008\n"), FROM_SERVER("\x01\x02") } },
	{ "MongoDB",
	  OTHER_TCP,
	  { FROM_CLIENT("\x3f\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xdd\x07\x00\x00\x00\x00\x00\x00" X16 X16) } },
	{ "XML on port 80",
	  OTHER_TCP,
	  { FROM_CLIENT("<?xml version=\"1.0\"?>\r\n<Message/>"), FROM_SERVER("<?xml version=\"1.0\"?>\r\n<Answer/>") } },
	{ "upper case words", OTHER_TCP, { FROM_CLIENT("GETTING SOMETHING DONE\r\n"), FROM_SERVER("HTTPS IS NOT HTTP\r\n") } },
	{ "a request without a version", OTHER_TCP, { FROM_CLIENT("GET /index.html\r\n"), FROM_SERVER("<html>") } },
	{ "zeros", OTHER_TCP, { FROM_CLIENT(ZEROS_64), FROM_SERVER(ZEROS_64) } },
	{ "random", OTHER_TCP, { FROM_CLIENT(RANDOM_32 X16), FROM_SERVER(X16 RANDOM_32), FROM_CLIENT(X64) } },
	{ "lengths in front",
	  OTHER_TCP,
	  { FROM_CLIENT("\x00\x00\x00\x20" RANDOM_32), FROM_SERVER("\x00\x00\x00\x20" RANDOM_32) } },
	{ "a small TLV",
	  OTHER_TCP,
	  { FROM_CLIENT("\x30\x06\x02\x01\x05\x04\x01"
			"a"),
	    FROM_SERVER("\x30\x03\x02\x01\x05") } },
};

static void play(const struct other *o, uint16_t port, bool syn)
{
	struct flow f;

	flow_begin(&f, o->tcp, port);
	if (syn)
		flow_syn(&f);
	for (unsigned n = 0; n < 4 && o->packets[n].size; n++)
		flow_send(&f, o->packets[n].direction, o->packets[n].bytes, o->packets[n].size);
	if (f.result.protocol)
		fail_msg("%s on port %u: %s", o->what, port, protocol_name(f.result.protocol));
	assert_int_equal(f.handed_count, 0);
	flow_end(&f);
}

static void unknown_on_every_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		for (size_t port = 0; port < PORTS; port++)
			play(&others[i], ports[port], others[i].tcp);
}

/* Of an old connection each segment may be the beginning of something. */
static void unknown_without_a_beginning(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		for (size_t port = 0; port < PORTS && others[i].tcp; port++)
			play(&others[i], ports[port], false);
}

/* Flows of random bytes: one in a thousand may look like something by accident, on the port of it. */
static void noise(void **state)
{
	enum { FLOWS = 1000, PACKETS = 6 };
	uint32_t random = 1;
	unsigned claimed = 0;

	(void)state;
	for (size_t port = 0; port < PORTS; port++) {
		struct flow f;

		flow_begin(&f, false, ports[port]);
		for (unsigned n = 0; n < FLOWS; n++) {
			f.result.state = CLASSIFY_GOING;
			f.tcp = n & 1;
			if (f.tcp)
				flow_syn(&f);
			for (unsigned i = 0; i < PACKETS; i++) {
				uint8_t bytes[128];
				size_t size;

				for (unsigned b = 0; b < sizeof(bytes); b++) {
					random = random * 1664525 + 1013904223;
					bytes[b] = (uint8_t)(random >> 24);
				}
				size = 1 + bytes[127] % 127u;
				if (n & 2)
					bytes[0] &= 0x3f;
				flow_send(&f, i & 1, bytes, size);
			}
			if (f.result.protocol) {
				claimed++;
				assert_false(f.tcp);
				assert_int_not_equal(ports[port], 40001);
			}
			classify_forget(f.classifier, &f.kept);
			f.next[0] += 1u << 20;
			f.next[1] += 1u << 20;
		}
		assert_int_equal(f.handed_count, 0);
		flow_end(&f);
	}
	assert_true(claimed <= PORTS * FLOWS / 1000);
}

/* DNS in form, on the port of DNSCrypt; and what only looks like DNS from afar. */
static void not_dns(void **state)
{
	static const struct {
		const char *what, *bytes;
		size_t size;
	} cases[] = {
#define CASE(what, bytes) { what, bytes, sizeof(bytes) - 1 }
		CASE("certificate of DNSCrypt", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01"
						"2"
						"\x0d"
						"dnscrypt-cert"
						"\x07"
						"example"
						"\x00\x00\x10\x00\x01"),
		CASE("bytes behind the message", DNS_QUERY "x"),
		CASE("a byte too few", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
				       "example"
				       "\x03"
				       "org"
				       "\x00\x00\x01\x00"),
		CASE("a pointer ahead", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x20\x00\x01\x00\x01"),
		CASE("an unknown class", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
					 "example"
					 "\x03"
					 "org"
					 "\x00\x00\x01\x00\x09"),
		CASE("a reserved bit", "\x12\x34\x01\x40\x00\x01\x00\x00\x00\x00\x00\x00\x07"
				       "example"
				       "\x03"
				       "org"
				       "\x00\x00\x01\x00\x01"),
		CASE("a query with an error", "\x12\x34\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x07"
					      "example"
					      "\x03"
					      "org"
					      "\x00\x00\x01\x00\x01"),
		CASE("a label of 64", "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x40" X64 "\x00\x00\x01\x00\x01"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow f;

		flow_begin(&f, false, 443);
		flow_send(&f, 0, cases[i].bytes, cases[i].size);
		if (f.result.protocol)
			fail_msg("%s: %s", cases[i].what, protocol_name(f.result.protocol));
		flow_end(&f);
	}
}

/* Both greet with 220. */
static void ftp_and_smtp_are_told_apart(void **state)
{
	static const struct {
		const char *greeting, *command;
		uint16_t port;
		enum protocol protocol;
	} cases[] = {
		{ "220 a ready\r\n", "USER x\r\n", 5000, PROTOCOL_FTP },
		{ "220 a ready\r\n", "EHLO x\r\n", 5000, PROTOCOL_SMTP },
		{ "220 a ready\r\n", "USER x\r\n", 25, PROTOCOL_FTP },
		{ "220 a ready\r\n", "EHLO x\r\n", 21, PROTOCOL_SMTP },
		{ "220 ftp.a ESMTP\r\n", "EHLO x\r\n", 25, PROTOCOL_SMTP },
		{ "220 FTP server\r\n", "AUTH TLS\r\n", 5000, PROTOCOL_FTP },
		{ "220 a\r\n", "SOMETHING\r\n", 5000, PROTOCOL_UNKNOWN },
		{ "+OK a\r\n", "USER x\r\n", 21, PROTOCOL_UNKNOWN },
		{ "200 a\r\n", "LIST\r\n", 119, PROTOCOL_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow f;

		flow_begin(&f, true, cases[i].port);
		flow_syn(&f);
		flow_send(&f, 1, cases[i].greeting, strlen(cases[i].greeting));
		flow_send(&f, 0, cases[i].command, strlen(cases[i].command));
		if (f.result.protocol != cases[i].protocol)
			fail_msg("%s%s on port %u: %s", cases[i].greeting, cases[i].command, cases[i].port,
				 protocol_name(f.result.protocol));
		flow_end(&f);
	}
}

/* Media that began without STUN: what keeps its path open later does not make it STUN. */
static void media_with_stun_in_it(void **state)
{
	static const char rtcp[] = "\x80\xc9\x00\x01\xca\xfe\xba\xbe\x80\x00\x00\x05" X16;
	struct flow f;

	(void)state;
	flow_begin(&f, false, 3478);
	flow_send(&f, 0, rtcp, sizeof(rtcp) - 1);
	flow_send(&f, 1, STUN_BINDING, sizeof(STUN_BINDING) - 1);
	flow_send(&f, 0, STUN_BINDING, sizeof(STUN_BINDING) - 1);
	assert_int_equal(f.result.protocol, PROTOCOL_UNKNOWN);
	flow_end(&f);
	flow_begin(&f, false, 3478);
	flow_send(&f, 0, STUN_BINDING, sizeof(STUN_BINDING) - 1);
	flow_send(&f, 0, rtcp, sizeof(rtcp) - 1);
	assert_int_equal(f.result.protocol, PROTOCOL_STUN);
	flow_end(&f);
}

/* Without its beginning a connection of MQTT is known by what both sides say in turn. */
static void an_old_connection_of_mqtt(void **state)
{
	struct flow f;

	(void)state;
	flow_begin(&f, true, 1883);
	flow_send(&f, 0, "\xc0\x00", 2);
	assert_int_equal(f.result.protocol, PROTOCOL_UNKNOWN);
	flow_send(&f, 1, "\xd0\x00", 2);
	assert_int_equal(f.result.protocol, PROTOCOL_MQTT);
	flow_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_on_every_port),
		cmocka_unit_test(unknown_without_a_beginning),
		cmocka_unit_test(noise),
		cmocka_unit_test(not_dns),
		cmocka_unit_test(ftp_and_smtp_are_told_apart),
		cmocka_unit_test(an_old_connection_of_mqtt),
		cmocka_unit_test(media_with_stun_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
