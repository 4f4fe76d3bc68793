/* SPDX-License-Identifier: Apache-2.0 */
/* SSH: the identification string (RFC 4253 section 4.2), then KEXINIT of either side (sections 6 and 7.1). */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"

#define BANNER_MAX 255u
#define PACKET_MAX 35000u
#define KEXINIT    20u

enum part { PART_NO, PART_MORE, PART_DONE };

/* What follows the identification string. */
static enum part kexinit(const struct dissect_input *in, struct span s, enum handout kind)
{
	struct cursor c = cursor_of(s);
	uint32_t length = cursor_be32(&c);
	uint8_t padding = cursor_u8(&c);
	struct span payload;

	if (c.failed)
		return PART_MORE;
	if (length < 2u + padding || length > PACKET_MAX || (c.left && c.at[0] != KEXINIT))
		return PART_NO;
	payload = cursor_span(&c, length - padding - 1);
	if (c.failed)
		return PART_MORE;
	dissect_handout(in, kind, payload);
	return PART_DONE;
}

/* One side. */
static enum part side(const struct dissect_input *in, unsigned d)
{
	struct span s = in->stream[d];
	bool whole;
	struct span line = text_line((struct span){ s.data, s.size < BANNER_MAX ? s.size : BANNER_MAX }, &whole);

	if (!whole)
		return s.size < BANNER_MAX ? PART_MORE : PART_NO;
	if (SPAN_STARTS(line, "SSH-1.") && !SPAN_STARTS(line, "SSH-1.99-"))
		return PART_NO;
	return kexinit(in, text_next(s), d ? HANDOUT_KEXINIT_SERVER : HANDOUT_KEXINIT_CLIENT);
}

enum dissect_answer dissect_ssh(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool is[2] = { false, false }, more = false;
	enum part parts[2] = { PART_MORE, PART_MORE };

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];

		if (!s.size)
			continue;
		is[d] = SPAN_STARTS(s, "SSH-1.") || SPAN_STARTS(s, "SSH-2.");
		if (is[d])
			parts[d] = side(in, d);
		else if (s.size < 6 && memcmp(s.data, "SSH-", s.size < 4 ? s.size : 4) == 0)
			more = true;
		else
			parts[d] = PART_NO;
	}
	if (!is[0] && !is[1])
		return more ? DISSECT_MORE : DISSECT_NO;
	v->more = parts[0] == PART_MORE || parts[1] == PART_MORE;
	return dissect_yes(v, 0.98F);
}
