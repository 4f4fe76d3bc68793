/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading a packet's headers. The common ones (IPv4 without options, IPv6 without extension headers, linear) by direct loads where
 * the kernel has bpf_rdonly_cast; all others, and all on kernels without it, from a copy of the first bytes. */
#pragma once

#include "tap_flow.h"

enum { PARSED, NOT_IP, MALFORMED, NOT_COMMON };

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u
#define UDP_HEADER  8u
#define EXTENSIONS  8 /* extension headers of an IPv6 packet, and VLAN tags of a frame below, that are looked behind */
#define VLAN_TAGS   4

struct eth_wire {
	__u8 to[6], from[6];
	__be16 protocol;
};
struct ipv4_wire {
	__u8 version_length, tos;
	__be16 total, id, fragment;
	__u8 ttl, protocol;
	__be16 checksum;
	__be32 source, destination;
};
struct ipv6_wire {
	__u8 version_class, class_label[3];
	__be16 payload;
	__u8 next, hops;
	__u64 source[2], destination[2]; /* big-endian */
};
struct l4_wire {
	__be16 source, destination;
	__be32 sequence, acknowledgement;
	__u8 length, flags; /* TCP */
};

/* A frame, as far as the link layer goes. */
struct frame {
	__u32 link;  /* bytes of link layer on the wire: what each segment of a merged packet has */
	__u32 bytes; /* from the IP header on, as far as the buffer goes */
	__u32 linear; /* of them in one piece */
	__be16 protocol;
};

static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP || protocol == IPPROTO_UDPLITE ||
	       protocol == IPPROTO_DCCP;
}

static __always_inline void key_rest(struct seen *s, __u8 family, bool high_sends, __be16 source, __be16 destination)
{
	__u32 from = bpf_ntohs(source), to = bpf_ntohs(destination);

	s->direction = high_sends ? FLOW_HIGH_TO_LOW : FLOW_LOW_TO_HIGH;
	s->words[5] = FLOW_KEY_WORD(high_sends ? FLOW_KEY_PORTS(to, from) : FLOW_KEY_PORTS(from, to),
				    FLOW_KEY_PROTOCOL(s->protocol, family));
}

static __always_inline void key_ipv4(struct seen *s, __be32 source, __be32 destination, __be16 from, __be16 to)
{
	__u32 a = bpf_ntohl(source), b = bpf_ntohl(destination);
	bool high_sends = a > b || (a == b && bpf_ntohs(from) > bpf_ntohs(to));

	s->words[1] = s->words[3] = 0;
	s->words[2] = FLOW_KEY_WORD(0, high_sends ? destination : source);
	s->words[4] = FLOW_KEY_WORD(0, high_sends ? source : destination);
	key_rest(s, AF_INET, high_sends, from, to);
}

static __always_inline void key_ipv6(struct seen *s, __u64 a0, __u64 a1, __u64 b0, __u64 b1, __be16 from, __be16 to)
{
	bool high_sends;

	if (a0 != b0)
		high_sends = bpf_be64_to_cpu(a0) > bpf_be64_to_cpu(b0);
	else if (a1 != b1)
		high_sends = bpf_be64_to_cpu(a1) > bpf_be64_to_cpu(b1);
	else
		high_sends = bpf_ntohs(from) > bpf_ntohs(to);
	s->words[1] = high_sends ? b0 : a0;
	s->words[2] = high_sends ? b1 : a1;
	s->words[3] = high_sends ? a0 : b0;
	s->words[4] = high_sends ? a1 : b1;
	key_rest(s, AF_INET6, high_sends, from, to);
}

/* What is behind the IP header: flags and payload. `at` is where the transport header begins, from the IP header on. Returns the
 * length of the transport header. */
static __always_inline __u32 transport(struct seen *s, __u32 at, __u8 length, __u8 flags)
{
	__u32 header = 0;

	s->tcp_flags = 0;
	s->payload = 0;
	s->syn = 0;
	if (s->protocol == IPPROTO_TCP) {
		header = (length >> 4) * 4;
		s->tcp_flags = flags;
		s->syn = (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
		if (s->ip_bytes > at + header)
			s->payload = s->ip_bytes - at - header;
	} else if (s->protocol == IPPROTO_UDP) {
		header = UDP_HEADER;
		if (s->ip_bytes > at + header)
			s->payload = s->ip_bytes - at - header;
	}
	return header;
}

/* How many packets a merged one stands for, each but the first with `headers` bytes that the buffer does not have. */
static __always_inline void count_segments(struct seen *s, __u32 size, __u32 segments, __u32 headers)
{
	if (size == 0)
		return;
	if (segments == 0) /* from a guest or a raw socket: not counted yet */
		segments = (s->payload + size - 1) / size;
	if (segments > 1) {
		s->packets = segments;
		s->wire_bytes += (segments - 1) * headers;
	}
}

/* ---- direct loads ---- */

/* `f` by value: it is to stay in registers. */
static __always_inline int parse_direct(const struct sk_buff *skb, struct seen *s, struct frame f, __u32 *headers)
{
	const __u8 *data = skb->data;
	const struct l4_wire *l4;
	__be16 from = 0, to = 0;
	__u8 protocol, length = 0, flags = 0;
	__u32 at;

	if (f.protocol == bpf_htons(ETH_P_IP)) {
		const struct ipv4_wire *ip = bpf_rdonly_cast(data + s->ip_at, bpf_core_type_id_kernel(struct iphdr));

		at = IPV4_HEADER;
		if (f.linear < IPV4_HEADER + UDP_HEADER || ip->version_length != 0x45 || (ip->fragment & bpf_htons(0x3fff)))
			return NOT_COMMON;
		s->ip_bytes = bpf_ntohs(ip->total);
		protocol = ip->protocol;
		s->protocol = protocol;
		if (has_ports(protocol)) {
			l4 = bpf_rdonly_cast(data + s->ip_at + at, bpf_core_type_id_kernel(struct tcphdr));
			from = l4->source;
			to = l4->destination;
		}
		key_ipv4(s, ip->source, ip->destination, from, to);
	} else if (f.protocol == bpf_htons(ETH_P_IPV6)) {
		const struct ipv6_wire *ip = bpf_rdonly_cast(data + s->ip_at, bpf_core_type_id_kernel(struct ipv6hdr));

		at = IPV6_HEADER;
		if (f.linear < IPV6_HEADER + UDP_HEADER || (ip->version_class & 0xf0) != 0x60)
			return NOT_COMMON;
		protocol = ip->next;
		if (protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_FRAGMENT ||
		    protocol == IPPROTO_AH || protocol == IPPROTO_DSTOPTS)
			return NOT_COMMON;
		s->ip_bytes = IPV6_HEADER + bpf_ntohs(ip->payload);
		s->protocol = protocol;
		if (has_ports(protocol)) {
			l4 = bpf_rdonly_cast(data + s->ip_at + at, bpf_core_type_id_kernel(struct tcphdr));
			from = l4->source;
			to = l4->destination;
		}
		key_ipv6(s, ip->source[0], ip->source[1], ip->destination[0], ip->destination[1], from, to);
	} else {
		return NOT_COMMON;
	}
	if (s->ip_bytes < at + UDP_HEADER || s->ip_bytes > f.bytes)
		return NOT_COMMON;
	if (protocol == IPPROTO_TCP) {
		if (f.linear < at + 20)
			return NOT_COMMON;
		l4 = bpf_rdonly_cast(data + s->ip_at + at, bpf_core_type_id_kernel(struct tcphdr));
		length = l4->length;
		flags = l4->flags;
	}
	*headers = f.link + at + transport(s, at, length, flags);
	return PARSED;
}

/* ---- from a copy ---- */

/* What is read and found, for each CPU. In a map, not on the stack: the verifier would follow every value that it can have there,
 * through every loop, and give up. */
struct scratch {
	struct seen s;
	struct frame f;
	union {
		__u64 words[5];
		struct ipv4_wire v4;
		struct ipv6_wire v6;
	} ip;
	union {
		__u64 words[2];
		struct l4_wire l4;
		__u8 bytes[16];
		__be16 halves[8];
		__be32 quarters[4];
	} next; /* an extension header, a VLAN tag, the transport header */
	struct tap_fragment_key fragment_key;
	__u32 reach;  /* bytes that can be read from the IP header on */
	__u32 at;     /* the transport header, from the IP header on */
	__u32 headers;
	__u32 fragment_id;
	__u8 protocol, fragment, later, pad[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* one for each CPU */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch *my_scratch(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratches, &cpu);
}

/* Looks behind VLAN tags that are in the data. */
static __always_inline void untag(void *ctx, enum how how, struct scratch *x)
{
	for (int i = 0; i < VLAN_TAGS; i++) {
		if (x->f.protocol != bpf_htons(ETH_P_8021Q) && x->f.protocol != bpf_htons(ETH_P_8021AD))
			return;
		if (x->f.bytes < VLAN_HLEN || copy(ctx, how, x->next.bytes, x->s.ip_at, VLAN_HLEN, VLAN_HLEN) < 0)
			return;
		x->f.protocol = x->next.halves[1];
		x->f.link += VLAN_HLEN;
		x->f.bytes -= VLAN_HLEN;
		x->f.linear = x->f.linear > VLAN_HLEN ? x->f.linear - VLAN_HLEN : 0;
		x->s.ip_at += VLAN_HLEN;
	}
}

static __always_inline int parse_ipv4(struct scratch *x)
{
	const struct ipv4_wire *ip = &x->ip.v4;

	x->at = (ip->version_length & 15) * 4;
	if (x->reach < IPV4_HEADER || (ip->version_length & 0xf0) != 0x40 || x->at < IPV4_HEADER || x->f.bytes < x->at)
		return MALFORMED;
	x->s.ip_bytes = bpf_ntohs(ip->total);
	if (x->s.ip_bytes == 0) /* merged to more than 64 KiB */
		x->s.ip_bytes = x->f.bytes;
	x->protocol = ip->protocol;
	x->fragment = (ip->fragment & bpf_htons(0x3fff)) != 0;
	x->later = (ip->fragment & bpf_htons(0x1fff)) != 0;
	x->fragment_id = ip->id;
	return PARSED;
}

static __always_inline int parse_ipv6(void *ctx, enum how how, struct scratch *x)
{
	const struct ipv6_wire *ip = &x->ip.v6;

	x->at = IPV6_HEADER;
	if (x->reach < IPV6_HEADER || (ip->version_class & 0xf0) != 0x60)
		return MALFORMED;
	x->s.ip_bytes = ip->payload ? IPV6_HEADER + bpf_ntohs(ip->payload) : x->f.bytes;
	x->protocol = ip->next;
	x->fragment = x->later = 0;
	x->fragment_id = 0;
	for (int i = 0; i < EXTENSIONS; i++) {
		__u8 protocol = *(volatile __u8 *)&x->protocol;
		__u32 at = *(volatile __u32 *)&x->at;

		if (x->later || (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING && protocol != IPPROTO_FRAGMENT &&
				 protocol != IPPROTO_AH && protocol != IPPROTO_DSTOPTS))
			break;
		if (at + 8 > x->reach || copy(ctx, how, x->next.bytes, x->s.ip_at + at, 8, 8) < 0)
			return MALFORMED;
		if (protocol == IPPROTO_FRAGMENT) {
			x->fragment = (x->next.halves[1] & bpf_htons(0xfff9)) != 0;
			x->later = (x->next.halves[1] & bpf_htons(0xfff8)) != 0;
			x->fragment_id = x->next.quarters[1];
			x->at = at + 8;
		} else if (protocol == IPPROTO_AH) {
			x->at = at + (x->next.bytes[1] + 2u) * 4;
		} else {
			x->at = at + (x->next.bytes[1] + 1u) * 8;
		}
		x->protocol = x->next.bytes[0];
	}
	return PARSED;
}

static __always_inline void key_of(struct scratch *x, bool v4, __be16 from, __be16 to)
{
	if (v4)
		key_ipv4(&x->s, x->ip.v4.source, x->ip.v4.destination, from, to);
	else
		key_ipv6(&x->s, x->ip.v6.source[0], x->ip.v6.source[1], x->ip.v6.destination[0], x->ip.v6.destination[1], from, to);
}

/* The ports of a datagram: remembered from its first fragment, looked up for a later one, into x->next. */
static __noinline int fragment_ports(struct scratch *x)
{
	struct tap_counters *c = my_counters();
	struct tap_fragment_key *key;
	__u32 *known;

	if (!x || !c)
		return 0;
	key = &x->fragment_key;
	/* Both ends in canonical order and the direction, by addresses alone: the same for all fragments. */
	__builtin_memcpy(key->source, x->s.key.low, 16);
	__builtin_memcpy(key->destination, x->s.key.high, 16);
	key->ifindex = x->s.key.ifindex;
	key->id = x->fragment_id;
	key->protocol = x->protocol;
	key->outgoing = x->s.direction;
	if (!x->later) {
		(void)bpf_map_update_elem(&fragments, key, &x->next.quarters[0], BPF_ANY);
		return 0;
	}
	known = bpf_map_lookup_elem(&fragments, key);
	if (known)
		x->next.quarters[0] = *known;
	else
		c->fragments++;
	return 0;
}

/* Fills in x->s from x->f, whatever the packet is like. */
static __always_inline int parse_copy(void *ctx, enum how how, struct scratch *x)
{
	__u32 left;
	bool v4;
	int r;

	untag(ctx, how, x);
	v4 = x->f.protocol == bpf_htons(ETH_P_IP);
	if (!v4 && x->f.protocol != bpf_htons(ETH_P_IPV6))
		return NOT_IP;
	x->reach = how == BY_PROBE ? x->f.linear : x->f.bytes;
	if (copy(ctx, how, &x->ip, x->s.ip_at, x->reach < IPV6_HEADER ? x->reach : IPV6_HEADER, IPV6_HEADER) < 0)
		return MALFORMED;
	r = v4 ? parse_ipv4(x) : parse_ipv6(ctx, how, x);
	if (r != PARSED || x->s.ip_bytes < x->at)
		return MALFORMED;
	if (x->s.ip_bytes > x->f.bytes)
		x->s.ip_bytes = x->f.bytes;
	x->s.protocol = x->protocol;
	x->next.words[0] = x->next.words[1] = 0;
	left = x->s.ip_bytes < x->reach ? x->s.ip_bytes : x->reach;
	left = left > x->at ? left - x->at : 0;
	if (left > sizeof(x->next))
		left = sizeof(x->next);
	if (!x->later && left >= 4 && has_ports(x->protocol) &&
	    copy(ctx, how, &x->next, x->s.ip_at + x->at, left, sizeof(x->next)) < 0)
		return MALFORMED;
	if (x->fragment && has_ports(x->protocol)) {
		key_of(x, v4, 0, 0);
		(void)fragment_ports(x);
	}
	key_of(x, v4, x->next.l4.source, x->next.l4.destination);
	if (x->later) {
		x->s.tcp_flags = x->s.syn = 0;
		x->s.payload = 0;
		x->headers = 0;
	} else {
		x->headers = x->f.link + x->at + transport(&x->s, x->at, x->next.l4.length, x->next.l4.flags);
	}
	return PARSED;
}

/* The same from and to the caller's stack. */
static __always_inline int parse_unusual(void *ctx, enum how how, struct seen *s, struct frame *f, __u32 *headers)
{
	struct scratch *x = my_scratch();
	int r;

	if (!x || !s || !f || !headers)
		return MALFORMED;
	x->s = *s;
	x->f = *f;
	r = parse_copy(ctx, how, x);
	*s = x->s;
	*f = x->f;
	*headers = x->headers;
	return r;
}
