/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/dissect/quic_packet.h"

#define V1          0x00000001u
#define V2          0x6b3343cfu
#define V2_DRAFT    0x709a50c4u
#define DRAFT(n)    (0xff000000u + (n))
#define MVFST       0xfaceb000u
#define GOOGLE_Q(n) (0x51303030u + ((n) / 10 << 8) + (n) % 10) /* "Q0nn" */
#define GOOGLE_T(n) (0x54303030u + ((n) / 10 << 8) + (n) % 10) /* "T0nn" */

uint64_t quic_varint(struct cursor *c)
{
	static const uint64_t masks[] = { 0x3f, 0x3fff, 0x3fffffff, 0x3fffffffffffffff };
	unsigned size = c->left ? c->at[0] >> 6 : 0;

	return cursor_be(c, 1u << size) & masks[size];
}

bool quic_version(uint32_t version, enum quic_keys *keys)
{
	*keys = QUIC_KEYS_NONE;
	if (version == V1)
		*keys = QUIC_KEYS_V1;
	else if (version == V2)
		*keys = QUIC_KEYS_V2;
	else if (version >= DRAFT(29) && version <= DRAFT(34))
		*keys = version <= DRAFT(32) ? QUIC_KEYS_DRAFT_29 : QUIC_KEYS_V1;
	else if (version >= DRAFT(23) && version < DRAFT(29))
		*keys = QUIC_KEYS_DRAFT_23;
	else if (version == DRAFT(22) || version == DRAFT(21))
		*keys = QUIC_KEYS_DRAFT_22;
	else if (version >= MVFST && version <= MVFST + 0xf)
		*keys = version == MVFST + 1 ? QUIC_KEYS_DRAFT_22 : QUIC_KEYS_DRAFT_23;
	else if (version == GOOGLE_T(51))
		*keys = QUIC_KEYS_T051;
	else if (version == GOOGLE_T(50))
		*keys = QUIC_KEYS_T050;
	else if (version == GOOGLE_Q(50))
		*keys = QUIC_KEYS_Q050;
	else if (!(version >= DRAFT(18) && version <= DRAFT(20)) && version != V2_DRAFT &&
		 /* Versions that nobody has, to have the server offer its own (RFC 9000 section 6.3). */
		 (version & 0x0f0f0f0f) != 0x0a0a0a0a)
		return false;
	return true;
}

static bool negotiation(struct cursor *c, struct quic_packet *out)
{
	bool known = false;
	enum quic_keys keys;

	if (!c->left || c->left % 4 || c->left > 64u * 4)
		return false;
	while (c->left) {
		uint32_t version = cursor_be32(c);

		known |= quic_version(version, &keys) || version >> 16 == 0x5130 || version >> 16 == 0x5430;
	}
	out->kind = QUIC_NEGOTIATION;
	return known;
}

bool quic_next(struct cursor *c, size_t missing, struct quic_packet *out)
{
	static const enum quic_kind kinds[2][4] = {
		{ QUIC_INITIAL, QUIC_ZERO_RTT, QUIC_HANDSHAKE, QUIC_RETRY },
		{ QUIC_RETRY, QUIC_INITIAL, QUIC_ZERO_RTT, QUIC_HANDSHAKE }, /* RFC 9369 section 3.2 */
	};
	const uint8_t *start = c->at;
	uint8_t first = cursor_u8(c), size;
	uint64_t length;

	*out = (struct quic_packet){ .version = cursor_be32(c) };
	if (c->failed || !(first & 0x80))
		return false;
	size = cursor_u8(c);
	if (size > QUIC_CID_MAX)
		return false;
	out->dcid = cursor_span(c, size);
	size = cursor_u8(c);
	if (size > QUIC_CID_MAX)
		return false;
	out->scid = cursor_span(c, size);
	if (c->failed)
		return false;
	if (!out->version)
		return negotiation(c, out);
	if (!(first & 0x40) || !quic_version(out->version, &out->keys))
		return false;
	out->kind = kinds[out->version == V2 || out->version == V2_DRAFT][first >> 4 & 3];
	if (out->kind == QUIC_RETRY) {
		out->packet = cursor_some(c, c->left);
		return out->packet.size + missing > 16;
	}
	if (out->kind == QUIC_INITIAL) {
		length = quic_varint(c);
		if (length > c->left + missing)
			return false;
		out->token = cursor_span(c, (size_t)length);
	}
	length = quic_varint(c);
	out->number_at = (size_t)(c->at - start);
	if (c->failed || length < 20 || length > c->left + missing)
		return false;
	cursor_some(c, (size_t)length);
	out->packet = (struct span){ start, (size_t)(c->at - start) };
	return true;
}
