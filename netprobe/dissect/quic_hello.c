/* SPDX-License-Identifier: Apache-2.0 */
/* CRYPTO frames (RFC 9000 section 19.6) of Initial packets: a client may spread them over several packets, cut and mix them. */
#include "netprobe/dissect/quic_hello.h"

#include "netprobe/dissect/quic_packet.h"
#include "netprobe/dissect/tls_hello.h"

#define HELLO_MAX  (16u * 1024)
#define FRAMES_MAX 256u /* in one packet, but for PADDING and PING */
#define PACKETS    4u   /* in one datagram */
#define HEADER     4u

enum { PING = 1, ACK = 2, ACK_ECN = 3, CRYPTO = 6, CRYPTO_GOOGLE = 8 };

struct hello {
	size_t size; /* the highest byte that came, plus one */
	bool opened;
	uint64_t have[HELLO_MAX / 64]; /* a bit for each byte */
	uint8_t bytes[HELLO_MAX];
};

static void put(struct hello *h, uint64_t offset, struct span bytes)
{
	if (offset > HELLO_MAX || bytes.size > HELLO_MAX - offset)
		return;
	for (size_t i = 0; i < bytes.size; i++) {
		size_t at = (size_t)offset + i;

		if (h->have[at / 64] >> at % 64 & 1)
			continue;
		h->have[at / 64] |= UINT64_C(1) << at % 64;
		h->bytes[at] = bytes.data[i];
	}
	if (offset + bytes.size > h->size)
		h->size = (size_t)offset + bytes.size;
}

static void acknowledgement(struct cursor *c, bool ecn)
{
	uint64_t ranges;

	quic_varint(c);
	quic_varint(c);
	ranges = quic_varint(c);
	quic_varint(c);
	for (uint64_t i = 0; i < ranges && c->left; i++) {
		quic_varint(c);
		quic_varint(c);
	}
	for (unsigned i = 0; ecn && i < 3; i++)
		quic_varint(c);
}

/* Google's versions number the frame otherwise. */
static void frames(struct hello *h, struct span plain, uint64_t crypto)
{
	struct cursor c = cursor_of(plain);

	for (unsigned n = 0; n < FRAMES_MAX && c.left; n++) {
		uint64_t type, offset, length;

		while (c.left && *c.at <= PING) { /* most of a packet is PADDING */
			c.at++;
			c.left--;
		}
		if (!c.left)
			return;
		type = quic_varint(&c);
		if (type == ACK || type == ACK_ECN) {
			acknowledgement(&c, type == ACK_ECN);
			continue;
		}
		if (type != crypto)
			return;
		offset = quic_varint(&c);
		length = quic_varint(&c);
		if (c.failed || length > c.left)
			return;
		put(h, offset, cursor_span(&c, (size_t)length));
	}
}

/* Keys are those of the version, then of others that look the same. */
static bool open_packet(const struct quic_packet *p, struct span dcid, struct span *plain)
{
	static const enum quic_keys drafts[] = { QUIC_KEYS_DRAFT_29, QUIC_KEYS_DRAFT_23, QUIC_KEYS_DRAFT_22, QUIC_KEYS_V1 };

	if (quic_open_initial(p->keys, dcid, p->packet, p->number_at, plain))
		return true;
	if (p->version >> 8 == 0xfaceb0 || p->version >> 24 == 0xff)
		for (unsigned i = 0; i < sizeof(drafts) / sizeof(drafts[0]); i++)
			if (drafts[i] != p->keys && quic_open_initial(drafts[i], dcid, p->packet, p->number_at, plain))
				return true;
	return false;
}

/* A client changes its destination id to the one that the server chose, but its keys stay those of the first (RFC 9001
 * section 5.2) until a Retry: both are tried. */
static void datagram(struct hello *h, struct span bytes, struct span *first)
{
	struct cursor c = cursor_of(bytes);
	struct quic_packet p;

	for (unsigned n = 0; n < PACKETS && c.left && quic_next(&c, 0, &p); n++) {
		struct span plain;

		if (p.kind != QUIC_INITIAL)
			continue;
		if (!open_packet(&p, p.dcid, &plain) && (!first->data || !open_packet(&p, *first, &plain)))
			continue;
		if (!first->data)
			*first = p.dcid;
		h->opened = true;
		frames(h, plain, p.version >> 24 == 'T' || p.version >> 24 == 'Q' ? CRYPTO_GOOGLE : CRYPTO);
	}
}

/* The bytes from the start that are all there, at most `most`. */
static size_t run(const struct hello *h, size_t most)
{
	size_t n = 0;

	while (n < most && h->have[n / 64] >> n % 64 & 1)
		n++;
	return n;
}

enum quic_hello quic_hello(const struct dissect_input *in)
{
	struct hello h;
	struct span first = { NULL, 0 }, body;
	size_t length;

	h.size = 0;
	h.opened = false;
	memset(h.have, 0, sizeof(h.have));
	memset(h.bytes, 0, HEADER);
	for (unsigned i = 0; i < in->earlier_count; i++)
		if (in->earlier[i].direction == in->direction)
			datagram(&h, in->earlier[i].bytes, &first);
	datagram(&h, in->stream[in->direction], &first);
	if (!h.opened)
		return QUIC_HELLO_NONE;
	if (run(&h, HEADER) < HEADER)
		return QUIC_HELLO_PART;
	length = (size_t)h.bytes[1] << 16 | (size_t)h.bytes[2] << 8 | h.bytes[3];
	if (h.bytes[0] != 1 || length > HELLO_MAX - HEADER)
		return QUIC_HELLO_OTHER;
	if (run(&h, HEADER + length) < HEADER + length)
		return QUIC_HELLO_PART;
	body = (struct span){ h.bytes + HEADER, length };
	if (!tls_client_hello_valid(body, false))
		return QUIC_HELLO_OTHER;
	dissect_handout(in, HANDOUT_CLIENT_HELLO_QUIC, body);
	return QUIC_HELLO_HANDED;
}
