/* SPDX-License-Identifier: Apache-2.0 */
/* STUN and TURN: RFC 8489 section 5, and RFC 3489 before the magic cookie. What follows in the flow may be DTLS. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define HEADER     20u
#define COOKIE     0x2112a442u
#define ATTRIBUTES 32u

static bool port_of_stun(const struct dissect_input *in)
{
	return dissect_port(in, 3478) || dissect_port(in, 3479) || dissect_port(in, 5349);
}

/* Attributes (section 14) up to the message's end; *known counts those of RFC 3489, 8489, 8656 and 8445. */
static bool attributes(struct cursor c, bool old, unsigned *count, unsigned *known)
{
	*count = *known = 0;
	while (c.left) {
		uint16_t type = cursor_be16(&c), length = cursor_be16(&c);

		/* Old ones were not padded. */
		cursor_skip(&c, old ? length : (length + 3u) & ~3u);
		if (c.failed || ++*count > ATTRIBUTES)
			return false;
		*known += (type >= 1 && type <= 0x2b) || (type >= 0x8000 && type <= 0x80ff) || type >= 0xc000;
	}
	return true;
}

static float judge(struct span s, size_t missing, bool port)
{
	struct cursor c = cursor_of(s);
	uint16_t type = cursor_be16(&c), length = cursor_be16(&c), method;
	uint32_t cookie = cursor_be32(&c);
	unsigned count, known;
	bool walked;

	cursor_skip(&c, 12);
	if (c.failed || type & 0xc000 || (size_t)length + HEADER > s.size + missing)
		return 0;
	/* Bits 4 and 8 are the class (figure 3). */
	method = (uint16_t)((type & 0x000f) | (type & 0x00e0) >> 1 | (type & 0x3e00) >> 2);
	if (c.left < length)
		return cookie == COOKIE && length % 4 == 0 ? 0.9F : 0;
	walked = attributes((struct cursor){ c.at, length, false }, cookie != COOKIE, &count, &known) ||
		 attributes((struct cursor){ c.at, length, false }, false, &count, &known);
	if (cookie == COOKIE) {
		if (length % 4 == 0 && walked)
			return method <= 0x1ff ? 0.98F : 0.9F;
		return port || c.left == length ? 0.75F : 0;
	}
	/* Without the cookie only binding and shared secret (RFC 3489 section 11.1) and TURN's drafts, exactly as long. */
	if (!method || method > 9 || c.left != length || !walked)
		return 0;
	if (count)
		return known == count ? port ? 0.9F : 0.75F : 0;
	return port && method <= 2 ? 0.8F : 0;
}

/* RTCP (RFC 3550 section 6.4): version 2, a type of 200 to 207, a length that fits. */
static bool is_rtcp(struct span s)
{
	return s.size >= 8 && s.data[0] >> 6 == 2 && s.data[1] >= 200 && s.data[1] <= 207 &&
	       ((size_t)s.data[2] << 8 | s.data[3]) * 4 + 4 <= s.size;
}

enum dissect_answer dissect_stun(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	float confidence;

	/* A flow that began with media is one of media; STUN keeps it open (RFC 7983). It is not STUN's. */
	if (s.data[0] >> 6 == 2)
		return is_rtcp(s) ? DISSECT_MORE : DISSECT_NO;
	for (unsigned i = 0; i < in->earlier_count; i++)
		if (is_rtcp(in->earlier[i].bytes))
			return DISSECT_NO;
	confidence = judge(s, in->missing, port_of_stun(in));
	if (!(confidence > 0))
		return DISSECT_NO;
	v->more = true;
	return dissect_yes(v, confidence);
}

/* Over TCP as it is, or behind a length of two bytes (RFC 4571). */
enum dissect_answer dissect_stun_tcp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		struct cursor c;
		uint16_t length;

		if (!s.size)
			continue;
		if (s.size < HEADER + 2) {
			more = true;
			continue;
		}
		for (unsigned framed = 0; framed < 2; framed++) {
			c = cursor_of(span_from(s, framed * 2u));
			cursor_skip(&c, 2);
			length = cursor_be16(&c);
			if (cursor_be32(&c) != COOKIE || length % 4)
				continue;
			if (framed && (size_t)(s.data[0] << 8 | s.data[1]) != length + HEADER)
				continue;
			if (judge(span_from(s, framed * 2u), (size_t)length + HEADER, false) > 0)
				return dissect_yes(v, 0.95F);
		}
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
