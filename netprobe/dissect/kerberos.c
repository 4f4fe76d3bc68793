/* SPDX-License-Identifier: Apache-2.0 */
/* Kerberos 5: RFC 4120 section 5; over TCP behind a length of four bytes (section 7.2.2). */
#include "netprobe/dissect/ber.h"
#include "netprobe/dissect/dissectors.h"

#define APPLICATION 0x60u
#define MESSAGE_MAX (1u << 20)

/* The application tag is the message's type, which is said again inside. */
static bool message(struct span s, size_t missing)
{
	struct cursor c = cursor_of(s);
	struct ber e, inner;
	uint8_t type;
	int64_t value;
	unsigned first;

	if (!ber_next(&c, &e) || (e.tag & 0xe0) != APPLICATION || e.declared > e.body.size + missing)
		return false;
	type = e.tag & 0x1f;
	if (!((type >= 10 && type <= 15) || (type >= 20 && type <= 22) || type == 30))
		return false;
	c = cursor_of(e.body);
	if (!ber_next(&c, &e) || e.tag != BER_SEQUENCE)
		return false;
	c = cursor_of(e.body);
	/* AS-REQ and TGS-REQ count their fields from 1, others from 0. */
	first = type == 10 || type == 12 ? 0xa1 : 0xa0;
	if (!ber_whole(&c, (uint8_t)first, &inner))
		return false;
	e = inner;
	if (!ber_whole(&c, (uint8_t)(first + 1), &inner))
		return false;
	c = cursor_of(e.body);
	if (!ber_integer(&c, BER_INTEGER, &value) || value != 5)
		return false;
	c = cursor_of(inner.body);
	return ber_integer(&c, BER_INTEGER, &value) && value == type;
}

enum dissect_answer dissect_kerberos(const struct dissect_input *in, struct dissect_verdict *v)
{
	return message(in->stream[in->direction], in->missing) ? dissect_yes(v, 0.98F) : DISSECT_NO;
}

enum dissect_answer dissect_kerberos_tcp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct cursor c = cursor_of(in->stream[d]);
		uint32_t length = cursor_be32(&c);

		if (!in->stream[d].size)
			continue;
		if (c.failed || c.left < 40) {
			more |= c.failed ||
				(length > 40 && length < MESSAGE_MAX && (!c.left || (c.at[0] & 0xe0) == APPLICATION));
			continue;
		}
		if (length >= MESSAGE_MAX)
			continue;
		if (message((struct span){ c.at, c.left < length ? c.left : length }, length > c.left ? length - c.left : 0))
			return dissect_yes(v, 0.98F);
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
