/* SPDX-License-Identifier: Apache-2.0 */
/* DTLS 1.0 and 1.2: records (RFC 6347 section 4.1), a ClientHello in one or many fragments and datagrams (section 4.2.3). */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/tls_hello.h"

#define RECORDS   16u
#define HELLO_MAX (16u * 1024)

enum { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT, CONNECTION_ID };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, HELLO_VERIFY_REQUEST = 3 };

struct record {
	uint8_t type;
	uint16_t epoch;
	struct span body;
};

/* The next record; its length may not go past the datagram. */
static bool next_record(struct cursor *c, struct record *r)
{
	uint16_t version;

	r->type = cursor_u8(c);
	version = cursor_be16(c);
	r->epoch = cursor_be16(c);
	cursor_skip(c, 6);
	r->body = cursor_span(c, cursor_be16(c));
	return !c->failed && r->type >= CHANGE_CIPHER_SPEC && r->type <= HEARTBEAT &&
	       (version == 0xfeff || version == 0xfefd || version == 0x0100) && r->body.size;
}

struct fragment {
	uint8_t type;
	uint32_t length, offset;
	uint16_t sequence;
	struct span bytes;
};

static bool next_fragment(struct cursor *c, struct fragment *f)
{
	f->type = cursor_u8(c);
	f->length = cursor_be24(c);
	f->sequence = cursor_be16(c);
	f->offset = cursor_be24(c);
	f->bytes = cursor_span(c, cursor_be24(c));
	return !c->failed && f->offset + f->bytes.size <= f->length;
}

/* What was put together of a ClientHello. The pieces are counted, not marked: the copy is whole when every byte came once,
 * and a retransmitted piece that overlaps begins it anew. */
struct hello {
	uint32_t length, next;
	uint16_t sequence;
	bool begun;
	uint8_t bytes[HELLO_MAX];
};

/* Takes the pieces of one datagram that continue the hello. True when it is whole. */
static bool take(struct hello *h, struct span datagram)
{
	struct cursor c = cursor_of(datagram);
	struct record r;

	for (unsigned i = 0; i < RECORDS && c.left && next_record(&c, &r); i++) {
		struct cursor in = cursor_of(r.body);
		struct fragment f;

		if (r.type != HANDSHAKE || r.epoch)
			continue;
		while (in.left && next_fragment(&in, &f)) {
			if (f.type != CLIENT_HELLO || f.length > HELLO_MAX)
				continue;
			if (!h->begun || f.sequence != h->sequence || f.length != h->length) {
				if (f.offset)
					continue;
				h->begun = true;
				h->length = f.length;
				h->sequence = f.sequence;
				h->next = 0;
			}
			if (f.offset > h->next || f.offset + f.bytes.size <= h->next)
				continue;
			memcpy(h->bytes + f.offset, f.bytes.data, f.bytes.size);
			h->next = f.offset + (uint32_t)f.bytes.size;
			if (h->next == h->length)
				return true;
		}
	}
	return false;
}

/* The hello out of all datagrams of this direction; those that came too early are tried again. */
static bool hand_out(const struct dissect_input *in)
{
	struct hello h;

	h.begun = false;
	h.next = h.length = 0;
	h.sequence = 0;
	for (unsigned round = 0; round <= in->earlier_count; round++) {
		uint32_t before = h.next;
		bool whole = false;

		for (unsigned i = 0; i < in->earlier_count && !whole; i++)
			if (in->earlier[i].direction == in->direction)
				whole = take(&h, in->earlier[i].bytes);
		if (!whole)
			whole = take(&h, in->stream[in->direction]);
		if (whole) {
			struct span body = { h.bytes, h.length };

			if (!tls_client_hello_valid(body, true))
				return false;
			dissect_handout(in, HANDOUT_CLIENT_HELLO_DTLS, body);
			return true;
		}
		if (h.next == before)
			return false;
	}
	return false;
}

enum dissect_answer dissect_dtls(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct cursor c = cursor_of(in->stream[in->direction]);
	struct record r, first = { 0 };
	struct fragment f;
	unsigned n;

	for (n = 0; n < RECORDS && c.left; n++) {
		if (!next_record(&c, &r))
			break;
		if (!n)
			first = r;
	}
	/* Every record whole, but for the end of a datagram that was cut. */
	if (!n || (c.failed && !in->missing) || (!c.failed && c.left && n < RECORDS))
		return DISSECT_NO;
	if (first.type == HANDSHAKE && !first.epoch) {
		c = cursor_of(first.body);
		if (!next_fragment(&c, &f) || f.type > 24)
			return DISSECT_NO;
		if (f.type == CLIENT_HELLO && !(*in->handed & 1u << HANDOUT_CLIENT_HELLO_DTLS))
			v->more = !hand_out(in);
		return dissect_yes(v, 0.97F);
	}
	if (first.type == APPLICATION_DATA && (!first.epoch || first.body.size < 16))
		return DISSECT_NO;
	if (first.type == ALERT && !first.epoch && (first.body.size != 2 || first.body.data[0] < 1 || first.body.data[0] > 2))
		return DISSECT_NO;
	return dissect_yes(v, 0.85F);
}
