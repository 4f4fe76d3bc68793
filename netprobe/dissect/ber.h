/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of ASN.1's basic encoding rules (X.690), one after the other: SNMP, LDAP and Kerberos are made of them. */
#pragma once

#include "netprobe/dissect/cursor.h"

enum { BER_INTEGER = 0x02, BER_OCTETS = 0x04, BER_ENUM = 0x0a, BER_SEQUENCE = 0x30 };

struct ber {
	uint8_t tag;       /* single-byte tags only */
	uint64_t declared; /* bytes that the content has */
	struct span body;  /* as far as it is there */
};

/* Reads the next element; its content may go past the end, then `body` is shorter than `declared`. Lengths of up to four
 * bytes, no indefinite ones. */
static inline bool ber_next(struct cursor *c, struct ber *e)
{
	uint8_t length;

	e->tag = cursor_u8(c);
	length = cursor_u8(c);
	if (c->failed || (e->tag & 0x1f) == 0x1f)
		return false;
	e->declared = length;
	if (length & 0x80) {
		if ((length & 0x7f) < 1 || (length & 0x7f) > 4)
			return false;
		e->declared = cursor_be(c, length & 0x7f);
	}
	if (c->failed)
		return false;
	e->body = cursor_some(c, e->declared < SIZE_MAX ? (size_t)e->declared : SIZE_MAX);
	return true;
}

/* An element that is all there, with this tag. */
static inline bool ber_whole(struct cursor *c, uint8_t tag, struct ber *e)
{
	return ber_next(c, e) && e->tag == tag && e->body.size == e->declared;
}

/* A whole INTEGER (or ENUMERATED) of at most four bytes. */
static inline bool ber_integer(struct cursor *c, uint8_t tag, int64_t *value)
{
	struct ber e;
	int64_t v;

	if (!ber_whole(c, tag, &e) || e.body.size < 1 || e.body.size > 5)
		return false;
	v = e.body.data[0] & 0x80 ? -1 : 0;
	for (size_t i = 0; i < e.body.size; i++)
		v = (int64_t)((uint64_t)v << 8 | e.body.data[i]);
	*value = v;
	return true;
}
