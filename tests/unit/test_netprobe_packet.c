/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/packet.c netprobe/link.c */
#include <netinet/in.h>
#include <sys/socket.h>

#include "netprobe/link.h"
#include "netprobe/packet.h"
#include "tests/unit/unit.h"

/* 10.0.0.1:4660 > 10.0.0.2:80, TTL 64, DF, SYN, MSS 1460, no payload. */
static const uint8_t syn4[] = {
	0x45, 0x00, 0x00, 0x2c, 0x12, 0x34, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 10, 0, 0, 1, 10, 0, 0, 2,
	0x12, 0x34, 0x00, 0x50, 0x01, 0x02, 0x03, 0x04, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff, 0, 0, 0, 0,
	0x02, 0x04, 0x05, 0xb4,
};

/* 2001:db8::1 port 5353 > ff02::fb port 5353, hop limit 255, UDP of 3 bytes. */
static const uint8_t udp6[] = {
	0x60, 0x00, 0x00, 0x00, 0x00, 0x0b, 0x11, 0xff,
	0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb,
	0x14, 0xe9, 0x14, 0xe9, 0x00, 0x0b, 0, 0, 'a', 'b', 'c',
};

struct frame {
	uint8_t bytes[512];
	size_t size;
};

static void add(struct frame *f, const void *bytes, size_t n)
{
	assert_true(f->size + n <= sizeof(f->bytes));
	if (n)
		memcpy(f->bytes + f->size, bytes, n);
	f->size += n;
}

/* The frame in memory of exactly its size, so that a sanitizer sees a read beyond it. */
static enum packet_result parse(struct packet *p, int link_type, const struct frame *f)
{
	static uint8_t *exact;

	free(exact);
	exact = malloc(f->size ? f->size : 1);
	assert_non_null(exact);
	memcpy(exact, f->bytes, f->size);
	return packet_parse(p, link_type, (struct span){ exact, f->size }, (uint32_t)f->size);
}

static void is_syn4(const struct packet *p)
{
	assert_int_equal(p->family, AF_INET);
	assert_int_equal(p->protocol, IPPROTO_TCP);
	assert_int_equal(p->source_port, 0x1234);
	assert_int_equal(p->destination_port, 80);
	assert_int_equal(p->ip_bytes, 44);
	assert_int_equal(p->payload_bytes, 0);
	assert_int_equal(p->payload.size, 0);
	assert_int_equal(p->tcp_flags, PACKET_SYN);
}

#define HEADER(...) (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
#define MAC         2, 0, 0, 0, 0, 1
#define MACS        MAC, 2, 0, 0, 0, 0, 2
#define SNAP        0xaa, 0xaa, 3, 0, 0, 0, 8, 0

static void every_link_type_leads_to_the_same_packet(void **state)
{
	const struct {
		const char *name;
		int type;
		const uint8_t *header;
		size_t size;
	} links[] = {
		{ "ethernet", LINKTYPE_ETHERNET, HEADER(MACS, 0x08, 0x00) },
		{ "VLAN", LINKTYPE_ETHERNET, HEADER(MACS, 0x81, 0x00, 0x00, 0x05, 0x08, 0x00) },
		{ "QinQ", LINKTYPE_ETHERNET, HEADER(MACS, 0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00) },
		{ "four tags", LINKTYPE_ETHERNET, HEADER(MACS, 0x88, 0xa8, 0, 5, 0x91, 0, 0, 6, 0x92, 0, 0, 6, 0x81, 0, 0, 6, 8, 0) },
		{ "LLC and SNAP", LINKTYPE_ETHERNET, HEADER(MACS, 0x00, 0x34, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0) },
		{ "MPLS", LINKTYPE_ETHERNET, HEADER(MACS, 0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64) },
		{ "PPPoE", LINKTYPE_ETHERNET, HEADER(MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 46, 0x00, 0x21) },
		{ "cooked v1", LINKTYPE_LINUX_SLL, HEADER(0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0) },
		{ "cooked v2", LINKTYPE_LINUX_SLL2, HEADER(8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0) },
		{ "raw", LINKTYPE_RAW, NULL, 0 },
		{ "raw by DLT", LINKTYPE_DLT_RAW, NULL, 0 },
		{ "IPv4", LINKTYPE_IPV4, NULL, 0 },
		{ "BSD loopback, little", LINKTYPE_NULL, HEADER(2, 0, 0, 0) },
		{ "BSD loopback, big", LINKTYPE_NULL, HEADER(0, 0, 0, 2) },
		{ "OpenBSD loopback", LINKTYPE_LOOP, HEADER(0, 0, 0, 2) },
		{ "PPP", LINKTYPE_PPP, HEADER(0x00, 0x21) },
		{ "PPP, compressed protocol", LINKTYPE_PPP, HEADER(0x21) },
		{ "PPP, framed", LINKTYPE_PPP_HDLC, HEADER(0xff, 0x03, 0x00, 0x21) },
		{ "Cisco HDLC", LINKTYPE_C_HDLC, HEADER(0x0f, 0x00, 0x08, 0x00) },
		{ "PPPoE alone", LINKTYPE_PPP_ETHER, HEADER(0x11, 0, 0, 1, 0, 46, 0x00, 0x21) },
		{ "802.11", LINKTYPE_IEEE802_11, HEADER(0x08, 0x01, 0, 0, MACS, MAC, 0, 0, SNAP) },
		{ "802.11, QoS", LINKTYPE_IEEE802_11, HEADER(0x88, 0x01, 0, 0, MACS, MAC, 0, 0, 0, 0, SNAP) },
		{ "802.11, four addresses", LINKTYPE_IEEE802_11, HEADER(0x08, 0x03, 0, 0, MACS, MAC, 0, 0, MAC, SNAP) },
		{ "radiotap", LINKTYPE_IEEE802_11_RADIOTAP,
		  HEADER(0, 0, 9, 0, 2, 0, 0, 0, 0, 0x08, 0x01, 0, 0, MACS, MAC, 0, 0, SNAP) },
		{ "radiotap, TSFT, padded QoS header", LINKTYPE_IEEE802_11_RADIOTAP,
		  HEADER(0, 0, 17, 0, 3, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x20, 0x88, 0x01, 0, 0, MACS, MAC, 0, 0, 0, 0, 0, 0, SNAP) },
		{ "PPI", LINKTYPE_PPI, HEADER(0, 0, 8, 0, 101, 0, 0, 0) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		struct frame f = { .size = 0 };
		struct packet p = { .time_ns = 7, .interface = 9 };

		add(&f, links[i].header, links[i].size);
		add(&f, syn4, sizeof(syn4));
		if (parse(&p, links[i].type, &f) != PACKET_OK)
			fail_msg("%s: not read", links[i].name);
		is_syn4(&p);
		assert_int_equal(p.time_ns, 7);
		assert_int_equal(p.interface, 9);
		assert_int_equal(p.wire_bytes, links[i].size + sizeof(syn4));
		/* Cut anywhere: never OK, and nothing read beyond the end. */
		for (size_t n = f.size - 1; n; n--) {
			f.size = n;
			if (parse(&p, links[i].type, &f) == PACKET_OK)
				fail_msg("%s: cut to %zu and read", links[i].name, n);
		}
	}
}

static void what_is_not_ip_is_told_apart(void **state)
{
	const struct {
		int type;
		enum packet_result result;
		const uint8_t *bytes;
		size_t size;
	} cases[] = {
		{ LINKTYPE_ETHERNET, PACKET_NOT_IP, HEADER(MACS, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1) },
		{ LINKTYPE_ETHERNET, PACKET_NOT_IP, HEADER(MACS, 0x00, 0x04, 0x42, 0x42, 3, 0, 0, 0, 0, 0, 0) },
		{ LINKTYPE_ETHERNET, PACKET_MALFORMED, HEADER(MACS, 0x08, 0x00, 0x55, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
		{ LINKTYPE_ETHERNET, PACKET_MALFORMED,
		  HEADER(MACS, 0x81, 0, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1, 0x81, 0, 0, 1, 8, 0, 0x45, 0, 0, 20) },
		{ LINKTYPE_ETHERNET, PACKET_TRUNCATED, HEADER(MACS, 0x08) },
		{ LINKTYPE_RAW, PACKET_NOT_IP, HEADER(0x50, 0, 0, 0) },
		{ LINKTYPE_RAW, PACKET_TRUNCATED, NULL, 0 },
		{ LINKTYPE_NULL, PACKET_NOT_IP, HEADER(7, 0, 0, 0, 0x45) },
		{ LINKTYPE_IEEE802_11, PACKET_NOT_IP, HEADER(0x80, 0, 0, 0, MACS, MAC, 0, 0, SNAP) },
		{ LINKTYPE_IEEE802_11, PACKET_NOT_IP, HEADER(0x08, 0x41, 0, 0, MACS, MAC, 0, 0, SNAP) },
		{ 147, PACKET_LINK_UNKNOWN, HEADER(0x45, 0, 0, 20) },
	};
	struct packet p = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct frame f = { .size = 0 };

		add(&f, cases[i].bytes, cases[i].size);
		assert_int_equal(parse(&p, cases[i].type, &f), cases[i].result);
	}
	assert_string_equal(packet_result_name(PACKET_TRUNCATED), "truncated");
}

/* A frame of Ethernet's least length has bytes behind the packet that are none of it. */
static void padding_is_no_payload(void **state)
{
	struct frame f = { .size = 0 };
	struct packet p = { 0 };
	uint8_t padding[6] = "xxxxxx";

	(void)state;
	add(&f, syn4, sizeof(syn4));
	add(&f, padding, sizeof(padding));
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	is_syn4(&p);
	assert_int_equal(p.sequence, 0x01020304);
	assert_int_equal(p.window, 0xffff);
	assert_int_equal(p.ttl, 64);
	assert_int_equal(p.tcp_options.size, 4);
	assert_int_equal(p.ip.size, 44);
	assert_int_equal(p.transport.size, 24);
}

static void ipv4_options_and_a_cut_payload(void **state)
{
	struct frame f = { .size = 0 };
	struct packet p = { 0 };
	const uint8_t header[] = { 0x46, 0x08, 0x01, 0x24, 0, 0, 0, 0, 9, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x94, 4, 0, 0,
				   0x00, 0x35, 0xff, 0xfe, 0x01, 0x0c, 0, 0, 'd', 'a', 't', 'a' };

	(void)state;
	add(&f, header, sizeof(header));
	assert_int_equal(parse(&p, LINKTYPE_IPV4, &f), PACKET_OK);
	assert_int_equal(p.source_port, 53);
	assert_int_equal(p.destination_port, 65534);
	assert_int_equal(p.tos, 8);
	assert_int_equal(p.payload.size, 4);
	assert_int_equal(p.payload_bytes, 260);
	assert_int_equal(p.ip_bytes, 292);
}

static void ipv6_extension_headers(void **state)
{
	const uint8_t chain[] = { 60, 0, 1, 4, 0, 0, 0, 0, /* hop by hop */ 43, 0, 1, 4, 0, 0, 0, 0, /* destination */
				  51, 0, 0, 0, 0, 0, 0, 0, /* routing */ 17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1 /* AH: 12 bytes */ };
	struct packet p = { 0 };
	struct frame f = { .size = 0 };

	(void)state;
	add(&f, udp6, sizeof(udp6));
	assert_int_equal(parse(&p, LINKTYPE_IPV6, &f), PACKET_OK);
	assert_int_equal(p.family, AF_INET6);
	assert_int_equal(p.source_port, 5353);
	assert_int_equal(p.payload_bytes, 3);
	assert_memory_equal(p.source, udp6 + 8, 16);

	f.size = 0;
	add(&f, udp6, 40);
	add(&f, chain, sizeof(chain));
	add(&f, udp6 + 40, 11);
	f.bytes[5] = (uint8_t)(11 + sizeof(chain));
	f.bytes[6] = 0;
	assert_int_equal(parse(&p, LINKTYPE_IPV6, &f), PACKET_OK);
	assert_int_equal(p.protocol, IPPROTO_UDP);
	assert_int_equal(p.destination_port, 5353);
	assert_int_equal(p.payload.size, 3);
	f.bytes[41] = 200; /* longer than the packet */
	assert_int_equal(parse(&p, LINKTYPE_IPV6, &f), PACKET_MALFORMED);
	assert_int_equal(p.family, AF_INET6);

	/* More of them than are followed. */
	f.size = 0;
	add(&f, udp6, 40);
	f.bytes[6] = 60;
	f.bytes[5] = 9 * 8;
	for (int i = 0; i < 9; i++)
		add(&f, HEADER(60, 0, 1, 4, 0, 0, 0, 0));
	assert_int_equal(parse(&p, LINKTYPE_IPV6, &f), PACKET_MALFORMED);
}

static void fragments(void **state)
{
	struct frame f = { .size = 0 };
	struct packet p = { 0 };

	(void)state;
	add(&f, syn4, sizeof(syn4));
	f.bytes[6] = 0x20; /* the first: more to come */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	assert_true(p.fragment);
	assert_int_equal(p.fragment_offset, 0);
	assert_int_equal(p.source_port, 0x1234);
	f.bytes[6] = 0x00;
	f.bytes[7] = 0x03; /* a later one, the last */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	assert_true(p.fragment);
	assert_int_equal(p.fragment_offset, 24);
	assert_int_equal(p.source_port, 0);
	assert_int_equal(p.tcp_flags, 0);
	assert_int_equal(p.payload.size, 24);

	f.size = 0;
	add(&f, udp6, 40);
	add(&f, HEADER(17, 0, 0x00, 0x09, 0, 0, 0, 5));
	add(&f, udp6 + 40, 11);
	f.bytes[6] = 44;
	f.bytes[5] = 19;
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	assert_true(p.fragment);
	assert_int_equal(p.fragment_offset, 8);
	assert_int_equal(p.fragment_id, 5);
	assert_int_equal(p.source_port, 0);
	f.bytes[43] = 0; /* atomic: a fragment of one */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	assert_false(p.fragment);
	assert_int_equal(p.source_port, 5353);
}

static void lengths_that_cannot_be(void **state)
{
	struct frame f = { .size = 0 };
	struct packet p = { 0 };

	(void)state;
	add(&f, syn4, sizeof(syn4));
	f.bytes[32] = 0x40; /* TCP header of 16 bytes */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_MALFORMED);
	assert_int_equal(p.source_port, 0x1234); /* enough to count it */
	f.bytes[32] = 0x70; /* and of more than the packet has */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_MALFORMED);
	f.bytes[32] = 0x60;
	f.bytes[3] = 19; /* an IP packet that is shorter than its header */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_MALFORMED);
	assert_int_equal(p.family, 0);
	f.bytes[3] = 0; /* segmentation offload, or above 64 KiB */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	is_syn4(&p);
	f.bytes[0] = 0x44;
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_MALFORMED);

	f.size = 0;
	add(&f, udp6, sizeof(udp6));
	f.bytes[45] = 7;
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_MALFORMED);
	f.bytes[45] = 9; /* one byte of payload; the others are none of UDP's */
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	assert_int_equal(p.payload.size, 1);
}

/* Of a tunnel the outer packet. */
static void tunnels_are_not_entered(void **state)
{
	const uint8_t outer[] = { 0x45, 0, 0, 64, 0, 0, 0, 0, 64, 4, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2 };
	struct frame f = { .size = 0 };
	struct packet p = { 0 };

	(void)state;
	add(&f, outer, sizeof(outer));
	add(&f, syn4, sizeof(syn4));
	assert_int_equal(parse(&p, LINKTYPE_RAW, &f), PACKET_OK);
	assert_int_equal(p.protocol, IPPROTO_IPIP);
	assert_int_equal(p.source[12], 192);
	assert_int_equal(p.source_port, 0);
	assert_int_equal(p.payload_bytes, 44);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_type_leads_to_the_same_packet),
		cmocka_unit_test(what_is_not_ip_is_told_apart),
		cmocka_unit_test(padding_is_no_payload),
		cmocka_unit_test(ipv4_options_and_a_cut_payload),
		cmocka_unit_test(ipv6_extension_headers),
		cmocka_unit_test(fragments),
		cmocka_unit_test(lengths_that_cannot_be),
		cmocka_unit_test(tunnels_are_not_entered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
