/* SPDX-License-Identifier: Apache-2.0 */
/* SYNs and SYN+ACKs built byte by byte. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "netprobe/link.h"
#include "netprobe/packet.h"

/* 0 of a field means what an ordinary SYN has. */
struct syn {
	uint8_t version, ttl, tos, ip_options;
	uint16_t ip_flags, id, window, urgent;
	uint32_t flow, sequence, acknowledgement;
	uint8_t flags, reserved; /* flags: in addition to SYN */
	bool no_sequence;
	uint8_t options[40];
	size_t option_bytes, payload;
};

#define OPTIONS(...)                                  \
	.options = { __VA_ARGS__ },                   \
	.option_bytes = sizeof((uint8_t[]){ __VA_ARGS__ })
#define MSS(n) 2, 4, (n) >> 8, (n) & 0xff
#define NOP    1
#define WS(n)  3, 3, (n)
#define SOK    4, 2
#define TS(mine, others) 8, 10, 0, 0, 0, (mine), 0, 0, 0, (others)
#define LINUX_OPTIONS MSS(1460), SOK, TS(7, 0), NOP, WS(7)

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put16(put16(p, v >> 16), v & 0xffff);
}

static uint8_t *put_ip(const struct syn *s, uint8_t *p, size_t tcp)
{
	uint8_t ttl = s->ttl ? s->ttl : 64;

	if (s->version == 6) {
		p = put32(p, 6u << 28 | (uint32_t)s->tos << 20 | s->flow);
		p = put16(p, (unsigned)tcp);
		*p++ = 6;
		*p++ = ttl;
		memset(p, 0x20, 32);
		return p + 32;
	}
	*p++ = (uint8_t)(0x45 + s->ip_options / 4);
	*p++ = s->tos;
	p = put16(p, (unsigned)(20 + s->ip_options + tcp));
	p = put16(put16(p, s->id), s->ip_flags);
	*p++ = ttl;
	*p++ = 6;
	p = put16(p, 0);
	p = put32(put32(p, 0x0a000001), 0x0a000002);
	memset(p, 1, s->ip_options);
	return p + s->ip_options;
}

/* The packet; its bytes stay until the next call but one. */
static struct packet syn_packet(const struct syn *s)
{
	static uint8_t frames[2][256];
	static unsigned turn;
	uint8_t *frame = frames[turn++ % 2], *p;
	struct packet packet = { 0 };
	size_t size = 20 + s->option_bytes + s->payload;

	p = put_ip(s, frame, size);
	p = put16(put16(p, 4660), 80);
	p = put32(put32(p, s->sequence ? s->sequence : s->no_sequence ? 0 : 77), s->acknowledgement);
	*p++ = (uint8_t)((20 + s->option_bytes) / 4 << 4 | s->reserved);
	*p++ = (uint8_t)(PACKET_SYN | s->flags);
	p = put16(put16(put16(p, s->window), 0), s->urgent);
	memcpy(p, s->options, s->option_bytes);
	p += s->option_bytes;
	memset(p, 'x', s->payload);
	p += s->payload;
	assert_int_equal(packet_parse(&packet, LINKTYPE_RAW, (struct span){ frame, (size_t)(p - frame) }, (uint32_t)(p - frame)),
			 PACKET_OK);
	return packet;
}
