/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of foreign bytes that cannot run past their end: what is not there reads as 0 and sets `failed`, which is asked
 * once at the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "netprobe/packet.h"

struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct cursor cursor_of(struct span s)
{
	return (struct cursor){ s.data, s.size, false };
}

static inline bool cursor_has(struct cursor *c, size_t n)
{
	if (c->left >= n)
		return true;
	c->left = 0;
	c->failed = true;
	return false;
}

static inline void cursor_skip(struct cursor *c, size_t n)
{
	if (!cursor_has(c, n) || n == 0) /* not even 0 may be added to NULL */
		return;
	c->at += n;
	c->left -= n;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	uint8_t v;

	if (!cursor_has(c, 1))
		return 0;
	v = c->at[0];
	cursor_skip(c, 1);
	return v;
}

/* Big-endian numbers of 1 to 8 bytes. */
static inline uint64_t cursor_be(struct cursor *c, unsigned n)
{
	uint64_t v = 0;

	if (!cursor_has(c, n))
		return 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | c->at[i];
	cursor_skip(c, n);
	return v;
}

static inline uint64_t cursor_le(struct cursor *c, unsigned n)
{
	uint64_t v = 0;

	if (!cursor_has(c, n))
		return 0;
	for (unsigned i = n; i-- > 0;)
		v = v << 8 | c->at[i];
	cursor_skip(c, n);
	return v;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	return (uint16_t)cursor_be(c, 2);
}

static inline uint32_t cursor_be24(struct cursor *c)
{
	return (uint32_t)cursor_be(c, 3);
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	return (uint32_t)cursor_be(c, 4);
}

static inline uint16_t cursor_le16(struct cursor *c)
{
	return (uint16_t)cursor_le(c, 2);
}

static inline uint32_t cursor_le32(struct cursor *c)
{
	return (uint32_t)cursor_le(c, 4);
}

/* The next n bytes as a span, empty when they are not all there. */
static inline struct span cursor_span(struct cursor *c, size_t n)
{
	struct span s = { c->at, n };

	if (!cursor_has(c, n))
		return (struct span){ NULL, 0 };
	cursor_skip(c, n);
	return s;
}

/* As much as is there, at most n bytes. */
static inline struct span cursor_some(struct cursor *c, size_t n)
{
	return cursor_span(c, n < c->left ? n : c->left);
}

/* The part of a span from `from` on; empty past its end. */
static inline struct span span_from(struct span s, size_t from)
{
	return from >= s.size ? (struct span){ NULL, 0 } : (struct span){ s.data + from, s.size - from };
}

static inline bool span_starts(struct span s, const void *with, size_t n)
{
	return s.size >= n && memcmp(s.data, with, n) == 0;
}

#define SPAN_STARTS(s, literal) span_starts((s), (literal), sizeof(literal) - 1)
