/* SPDX-License-Identifier: Apache-2.0 */
/* BitTorrent: the handshake between peers (BEP 3), and over UDP the DHT (BEP 5), uTP (BEP 29), trackers (BEP 15) and local
 * discovery (BEP 14). */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"

static const char handshake[] = "\x13"
				"BitTorrent protocol";

enum dissect_answer dissect_bittorrent(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		size_t n = s.size < sizeof(handshake) - 1 ? s.size : sizeof(handshake) - 1;

		if (!n || memcmp(s.data, handshake, n) != 0)
			continue;
		if (n == sizeof(handshake) - 1)
			return dissect_yes(v, 0.99F);
		more = true;
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}

/* ---- DHT: a bencoded dictionary (BEP 3) with the keys of KRPC ---- */

#define BENCODE_DEPTH 16u
#define BENCODE_STEPS 512u

/* A string "n:…" of which the length and colon were not read yet. */
static bool bencode_string(struct cursor *c, struct span *out)
{
	size_t length = 0;
	unsigned digits;

	for (digits = 0; digits < 5 && c->left && text_digit(c->at[0]); digits++)
		length = length * 10 + (size_t)(cursor_u8(c) - '0');
	if (!digits || cursor_u8(c) != ':')
		return false;
	*out = cursor_span(c, length);
	return !c->failed;
}

static bool bencode_integer(struct cursor *c)
{
	unsigned digits = 0;

	if (c->left && c->at[0] == '-')
		cursor_skip(c, 1);
	while (c->left && text_digit(c->at[0]) && digits++ < 20)
		cursor_skip(c, 1);
	return digits && cursor_u8(c) == 'e';
}

/* Reads one dictionary to its end. *kind: the value of the key "y" in it, `q`, `r` or `e`. False for what is none. */
static bool bencode_dictionary(struct cursor *c, uint8_t *kind)
{
	bool dictionary[BENCODE_DEPTH] = { false }, key = true, y = false;
	unsigned depth = 0;

	if (cursor_u8(c) != 'd')
		return false;
	dictionary[0] = true;
	depth = 1;
	for (unsigned step = 0; step < BENCODE_STEPS && depth; step++) {
		bool in_dictionary = dictionary[depth - 1];
		struct span text;
		uint8_t b;

		if (!c->left)
			return false;
		b = c->at[0];
		if (b == 'e') {
			if (in_dictionary && !key)
				return false;
			cursor_skip(c, 1);
			depth--;
			key = true; /* a value has ended */
			continue;
		}
		if (in_dictionary && key) {
			if (!bencode_string(c, &text))
				return false;
			y = depth == 1 && text.size == 1 && text.data[0] == 'y';
			key = false;
			continue;
		}
		if (b == 'd' || b == 'l') {
			if (depth == BENCODE_DEPTH)
				return false;
			cursor_skip(c, 1);
			dictionary[depth++] = b == 'd';
			key = true;
			continue;
		}
		if (b == 'i') {
			cursor_skip(c, 1);
			if (!bencode_integer(c))
				return false;
		} else {
			if (!bencode_string(c, &text))
				return false;
			if (y && text.size == 1)
				*kind = text.data[0];
		}
		key = true;
	}
	return !depth;
}

static bool dht(struct span s, size_t missing)
{
	struct cursor c = cursor_of(s);
	uint8_t kind = 0;

	if (bencode_dictionary(&c, &kind))
		return kind == 'q' || kind == 'r' || kind == 'e';
	/* Cut: the beginnings that all senders have, keys being in order. */
	return missing && s.size >= 12 &&
	       (SPAN_STARTS(s, "d1:ad2:id20:") || SPAN_STARTS(s, "d1:rd2:id20:") || SPAN_STARTS(s, "d2:ip6:"));
}

/* ---- uTP ---- */

#define UTP_WINDOW_MAX (64u << 20)         /* bytes that a peer takes */
#define UTP_APART_MAX  (60u * 1000 * 1000) /* microseconds between two packets that are compared */

struct utp {
	uint8_t type;
	uint16_t connection, sequence, acknowledged;
	uint32_t time, difference, window;
	struct span payload;
};

static bool utp_read(struct span s, struct utp *u)
{
	struct cursor c = cursor_of(s);
	uint8_t first = cursor_u8(&c), extension = cursor_u8(&c);

	u->type = first >> 4;
	u->connection = cursor_be16(&c);
	u->time = cursor_be32(&c);
	u->difference = cursor_be32(&c);
	u->window = cursor_be32(&c);
	u->sequence = cursor_be16(&c);
	u->acknowledged = cursor_be16(&c);
	if (c.failed || (first & 0x0f) != 1 || u->type > 4 || u->window > UTP_WINDOW_MAX)
		return false;
	for (unsigned i = 0; extension && i < 4; i++) {
		uint8_t length;

		if (extension > 3)
			return false;
		extension = cursor_u8(&c);
		length = cursor_u8(&c);
		if (!length || length % 4)
			return false;
		cursor_skip(&c, length);
	}
	u->payload = (struct span){ c.at, c.left };
	/* Only DATA carries something, and it does. */
	return !c.failed && (u->type == 0) == (c.left > 0);
}

static bool utp_syn(const struct utp *u)
{
	return u->type == 4 && u->sequence == 1 && !u->acknowledged && !u->difference;
}

/* Two packets of one connection: ids are the same or one apart, by direction. */
static bool utp_pair(const struct utp *a, unsigned a_direction, const struct utp *b, unsigned b_direction)
{
	uint16_t ahead = (uint16_t)(b->connection - a->connection);

	if (a->type == 4 && a_direction == b_direction) /* a SYN has the id of what is received */
		return ahead == 0 ? b->type == 4 : ahead == 1;
	if (a_direction == b_direction)
		return ahead == 0 && (uint16_t)(b->sequence - a->sequence) < 64 && b->time - a->time < UTP_APART_MAX &&
		       b->time != a->time;
	if (a->type == 4)
		return ahead == 0 && b->acknowledged == a->sequence;
	return (ahead == 1 || ahead == 0xffff) && (uint16_t)(b->acknowledged - a->sequence + 32) < 64;
}

static enum dissect_answer utp(const struct dissect_input *in, struct span s, struct dissect_verdict *v)
{
	struct utp u, before;

	if (!utp_read(s, &u))
		return DISSECT_NO;
	if (SPAN_STARTS(u.payload, "\x13"
				   "BitTorrent protocol"))
		return dissect_yes(v, 0.99F);
	for (unsigned i = 0; i < in->earlier_count; i++)
		if (utp_read(in->earlier[i].bytes, &before) && utp_pair(&before, in->earlier[i].direction, &u, in->direction))
			return dissect_yes(v, 0.88F);
	return utp_syn(&u) ? dissect_yes(v, 0.8F) : DISSECT_MORE;
}

/* ---- trackers ---- */

static bool tracker(struct span s)
{
	static const uint8_t magic[12] = { 0, 0, 0x04, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0 };

	return s.size >= 16 && memcmp(s.data, magic, sizeof(magic)) == 0;
}

enum dissect_answer dissect_bittorrent_udp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];

	if (s.data[0] == 'd')
		return dht(s, in->missing) ? dissect_yes(v, 0.96F) : DISSECT_NO;
	if (s.data[0] == 'B')
		return SPAN_STARTS(s, "BT-SEARCH * HTTP/1.1\r\n") ? dissect_yes(v, 0.97F) : DISSECT_NO;
	if (tracker(s))
		return dissect_yes(v, 0.97F);
	if (span_starts(s, handshake, sizeof(handshake) - 1))
		return dissect_yes(v, 0.97F);
	return in->missing ? DISSECT_NO : utp(in, s, v);
}
