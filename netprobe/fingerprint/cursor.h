/* SPDX-License-Identifier: Apache-2.0 */
/* Reads foreign bytes from front to back. What would go beyond the end reads as 0 or as nothing, and sets `bad` for good. */
#pragma once

#include "netprobe/bytes.h"
#include "netprobe/packet.h"

struct cursor {
	struct span left;
	bool bad;
};

static inline struct span cursor_take(struct cursor *c, size_t size)
{
	struct span taken = { .data = c->left.data, .size = size };

	if (c->bad || size > c->left.size) {
		c->bad = true;
		return (struct span){ 0 };
	}
	if (size) /* a NULL pointer has no bytes, and nothing may be added to it */
		c->left.data += size;
	c->left.size -= size;
	return taken;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	struct span s = cursor_take(c, 1);

	return s.size ? s.data[0] : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	struct span s = cursor_take(c, 2);

	return s.size ? get_be16(s.data) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	struct span s = cursor_take(c, 4);

	return s.size ? get_be32(s.data) : 0;
}
