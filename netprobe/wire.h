/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a protobuf message, written by hand where a message is packed so often that its description is too slow: tags, varints and
 * lengths as in "Encoding", protobuf.dev. Every function writes at `p`, where there must be room, and returns what is behind it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_VARINT_MAX 10u /* bytes */

static inline size_t wire_varint_size(uint64_t v)
{
	size_t n = 1;

	for (; v >= 0x80; v >>= 7)
		n++;
	return n;
}

static inline uint8_t *wire_varint(uint8_t *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

/* Tag and length of a string, bytes or message of `length` bytes, and the bytes of both with it. */
static inline uint8_t *wire_field(uint8_t *p, unsigned field, size_t length)
{
	return wire_varint(wire_varint(p, field << 3 | 2), length);
}

static inline size_t wire_field_size(unsigned field, size_t length)
{
	return wire_varint_size(field << 3) + wire_varint_size(length) + length;
}

/* A number of any integer type (uint64, or int64 made unsigned). 0 is what is meant when it is missing. */
static inline uint8_t *wire_number(uint8_t *p, unsigned field, uint64_t v)
{
	return v ? wire_varint(wire_varint(p, field << 3), v) : p;
}

/* A string; NULL and "" are what is meant when it is missing. */
static inline uint8_t *wire_string(uint8_t *p, unsigned field, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0)
		return p;
	p = wire_field(p, field, n);
	memcpy(p, s, n);
	return p + n;
}
