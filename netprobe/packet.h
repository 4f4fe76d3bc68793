/* SPDX-License-Identifier: Apache-2.0 */
/* One packet, read down to its transport header. No I/O: the same code reads live packets and capture files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Foreign bytes: never read beyond `size`. */
struct span {
	const uint8_t *data;
	size_t size;
};

enum packet_result {
	PACKET_OK,
	PACKET_NOT_IP,    /* ARP, LLDP, … */
	PACKET_TRUNCATED, /* the capture ends within a header */
	PACKET_MALFORMED, /* a length or version that cannot be */
	PACKET_LINK_UNKNOWN,
	PACKET_RESULTS
};

/* TCP flags, RFC 9293 section 3.1 and RFC 3168. */
enum { PACKET_FIN = 0x01, PACKET_SYN = 0x02, PACKET_RST = 0x04, PACKET_PSH = 0x08, PACKET_ACK = 0x10, PACKET_URG = 0x20,
       PACKET_ECE = 0x40, PACKET_CWR = 0x80 };

struct packet {
	int64_t time_ns;    /* Unix time */
	uint32_t interface; /* ifindex, or the number of the interface in the file */
	uint32_t wire_bytes; /* as long as it was on the wire, link layer included */
	uint32_t ip_bytes;  /* total length that the IP header declares, header included */
	uint8_t family;     /* AF_INET or AF_INET6 */
	uint8_t protocol;   /* IPPROTO_* behind the extension headers */
	uint8_t ttl;        /* or hop limit */
	uint8_t tos;        /* or traffic class: DSCP and ECN */
	bool fragment;      /* one of several fragments of a datagram */
	uint16_t fragment_offset; /* bytes; ports are known only at 0 */
	uint32_t fragment_id;
	uint8_t source[16], destination[16]; /* IPv4 in the last four bytes, the others 0 */
	uint16_t source_port, destination_port; /* host order; 0 where there are none (ICMP, a later fragment) */
	struct span ip;        /* from the IP header on */
	struct span transport; /* from the transport header on */
	struct span payload;   /* behind the transport header, as far as captured */
	uint32_t payload_bytes; /* as long as the packet says it is; more than payload.size when the capture cut it */
	/* TCP only. */
	uint32_t sequence, acknowledgement;
	uint16_t window;
	uint8_t tcp_flags;
	struct span tcp_options;
};

/* Reads `frame`, of a pcap link type (LINKTYPE_*, netprobe/link.h), of which `wire_bytes` were on the wire, into *out. time_ns
 * and interface are left as they are. Ethernet with any number of VLAN tags up to 4, Linux cooked v1 and v2, raw IP, BSD
 * loopback, PPP, IEEE 802.11 with or without radiotap; MPLS and PPPoE in them. Of a tunnel (VXLAN, GRE, IP in IP) the outer
 * packet. Trailing padding behind the declared IP length is no payload.
 *
 * The spans point into `frame`. When the result is PACKET_TRUNCATED or PACKET_MALFORMED and family is set, the IP header could
 * be read, and the ports as far as they were there: the packet can be counted for its flow, its payload is empty. */
enum packet_result packet_parse(struct packet *out, int link_type, struct span frame, uint32_t wire_bytes);

const char *packet_result_name(enum packet_result r);
