/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/packet.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "netprobe/bytes.h"
#include "netprobe/link.h"

#define EXTENSION_HEADERS_MAX 8

static uint32_t min_u32(size_t a, size_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* Splits what is behind the transport header's `header` bytes off as payload, of which `length` (header included) were sent. */
static void set_payload(struct packet *p, size_t header, uint32_t length)
{
	p->payload_bytes = length - (uint32_t)header;
	p->payload.data = p->transport.data + header;
	p->payload.size = min_u32(p->transport.size - header, p->payload_bytes);
}

static enum packet_result parse_tcp(struct packet *p, uint32_t length)
{
	const uint8_t *t = p->transport.data;
	uint32_t header;

	if (length < 20)
		return PACKET_MALFORMED;
	if (p->transport.size < 20)
		return PACKET_TRUNCATED;
	p->sequence = get_be32(t + 4);
	p->acknowledgement = get_be32(t + 8);
	p->tcp_flags = t[13];
	p->window = get_be16(t + 14);
	header = (t[12] >> 4) * 4u;
	if (header < 20 || header > length)
		return PACKET_MALFORMED;
	if (p->transport.size < header) {
		p->tcp_options = (struct span){ t + 20, p->transport.size - 20 };
		return PACKET_TRUNCATED;
	}
	p->tcp_options = (struct span){ t + 20, header - 20 };
	set_payload(p, header, length);
	return PACKET_OK;
}

/* The length field tells the payload's end, but for a first fragment (it speaks of the whole datagram), a jumbogram (0) and
 * UDP-Lite (RFC 3828 section 3.1: it is the checksum's coverage). */
static enum packet_result parse_udp(struct packet *p, uint32_t length)
{
	uint32_t declared;

	if (length < 8)
		return PACKET_MALFORMED;
	if (p->transport.size < 8)
		return PACKET_TRUNCATED;
	declared = get_be16(p->transport.data + 4);
	if (p->protocol == IPPROTO_UDPLITE || p->fragment || !declared)
		declared = length;
	if (declared < 8)
		return PACKET_MALFORMED;
	set_payload(p, 8, declared < length ? declared : length);
	return PACKET_OK;
}

/* `length`: bytes from the transport header to the end that the IP header declares. */
static enum packet_result parse_transport(struct packet *p, uint32_t length)
{
	bool ports = p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_UDPLITE ||
		     p->protocol == IPPROTO_SCTP || p->protocol == IPPROTO_DCCP;

	if (p->fragment_offset) {
		set_payload(p, 0, length);
		return PACKET_OK;
	}
	if (ports && p->transport.size >= 4) {
		p->source_port = get_be16(p->transport.data);
		p->destination_port = get_be16(p->transport.data + 2);
	}
	switch (p->protocol) {
	case IPPROTO_TCP:
		return parse_tcp(p, length);
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return parse_udp(p, length);
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (length < 8)
			return PACKET_MALFORMED;
		if (p->transport.size < 8)
			return PACKET_TRUNCATED;
		set_payload(p, 8, length);
		return PACKET_OK;
	default:
		if (ports && p->transport.size < 4)
			return length < 4 ? PACKET_MALFORMED : PACKET_TRUNCATED;
		set_payload(p, 0, length);
		return PACKET_OK;
	}
}

/* Sets ip and ip_bytes from a declared length. A length of 0 is that of a packet above 64 KiB, or of one that was captured
 * before the network card cut it up: it reaches to the frame's end. */
static void set_ip(struct packet *p, struct span ip, uint32_t declared, uint32_t wire_bytes)
{
	p->ip_bytes = declared ? declared : wire_bytes > ip.size ? wire_bytes : (uint32_t)ip.size;
	p->ip.data = ip.data;
	p->ip.size = min_u32(ip.size, p->ip_bytes);
}

/* Puts the transport behind `header` bytes of IP, which are known to be there. */
static enum packet_result behind_ip(struct packet *p, uint32_t header)
{
	p->transport.data = p->ip.data + header;
	p->transport.size = p->ip.size - header;
	return parse_transport(p, p->ip_bytes - header);
}

static enum packet_result parse_ipv4(struct packet *p, struct span ip, uint32_t wire_bytes)
{
	const uint8_t *h = ip.data;
	uint32_t header, total;
	unsigned fragment;

	if (ip.size < 20)
		return PACKET_TRUNCATED;
	header = (h[0] & 0x0f) * 4u;
	total = get_be16(h + 2);
	if (header < 20 || (total && total < header))
		return PACKET_MALFORMED;
	fragment = get_be16(h + 6);
	p->family = AF_INET;
	p->tos = h[1];
	p->ttl = h[8];
	p->protocol = h[9];
	p->fragment = fragment & 0x3fff; /* an offset, or more to come */
	p->fragment_offset = (uint16_t)((fragment & 0x1fff) * 8);
	p->fragment_id = get_be16(h + 4);
	memcpy(p->source + 12, h + 12, 4);
	memcpy(p->destination + 12, h + 16, 4);
	set_ip(p, ip, total, wire_bytes);
	if (p->ip.size < header)
		return PACKET_TRUNCATED;
	return behind_ip(p, header);
}

/* Length of the extension header at h (RFC 8200 section 4), or 0 when `next` is none. */
static uint32_t extension_length(unsigned next, const uint8_t *h)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case 139: /* HIP, RFC 7401 */
	case 140: /* Shim6, RFC 5533 */
		return (h[1] + 1u) * 8;
	case IPPROTO_AH: /* RFC 4302 section 2.2: in words of four bytes, minus two */
		return (h[1] + 2u) * 4;
	case IPPROTO_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

static bool is_extension(unsigned next)
{
	static const uint8_t none[2];

	return extension_length(next, none) != 0;
}

static enum packet_result parse_ipv6(struct packet *p, struct span ip, uint32_t wire_bytes)
{
	const uint8_t *h = ip.data;
	uint32_t at = 40, payload;

	if (ip.size < 40)
		return PACKET_TRUNCATED;
	payload = get_be16(h + 4);
	p->family = AF_INET6;
	p->tos = (uint8_t)(get_be16(h) >> 4);
	p->protocol = h[6];
	p->ttl = h[7];
	memcpy(p->source, h + 8, 16);
	memcpy(p->destination, h + 24, 16);
	set_ip(p, ip, payload ? payload + 40 : 0, wire_bytes);
	for (unsigned i = 0; is_extension(p->protocol); i++) {
		const uint8_t *extension = p->ip.data + at;
		uint32_t length;

		if (i == EXTENSION_HEADERS_MAX || at + 8 > p->ip_bytes)
			return PACKET_MALFORMED;
		if (at + 8 > p->ip.size)
			return PACKET_TRUNCATED;
		length = extension_length(p->protocol, extension);
		if (at + length > p->ip_bytes)
			return PACKET_MALFORMED;
		if (p->protocol == IPPROTO_FRAGMENT) {
			unsigned fragment = get_be16(extension + 2);

			p->fragment = fragment & 0xfff9; /* else an atomic fragment, RFC 6946 */
			p->fragment_offset = (uint16_t)(fragment & 0xfff8);
			p->fragment_id = get_be32(extension + 4);
		}
		p->protocol = extension[0];
		at += length;
		if (at > p->ip.size)
			return PACKET_TRUNCATED;
		if (p->fragment_offset) /* what follows is the middle of something */
			break;
	}
	return behind_ip(p, at);
}

enum packet_result packet_parse(struct packet *out, int link_type, struct span frame, uint32_t wire_bytes)
{
	int64_t time_ns = out->time_ns;
	uint32_t interface = out->interface;
	size_t offset = 0;
	struct span ip;
	enum packet_result r;

	*out = (struct packet){ .time_ns = time_ns, .interface = interface, .wire_bytes = wire_bytes };
	r = link_payload(link_type, frame, &ip, &offset);
	if (r != PACKET_OK)
		return r;
	wire_bytes = wire_bytes > offset ? wire_bytes - (uint32_t)offset : 0;
	switch (ip.data[0] >> 4) {
	case 4:
		return parse_ipv4(out, ip, wire_bytes);
	case 6:
		return parse_ipv6(out, ip, wire_bytes);
	default:
		return PACKET_MALFORMED;
	}
}

const char *packet_result_name(enum packet_result r)
{
	static const char *const names[] = {
		[PACKET_OK] = "ok",
		[PACKET_NOT_IP] = "not IP",
		[PACKET_TRUNCATED] = "truncated",
		[PACKET_MALFORMED] = "malformed",
		[PACKET_LINK_UNKNOWN] = "unknown link type",
	};

	return (unsigned)r < sizeof(names) / sizeof(names[0]) ? names[r] : "?";
}
