/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a TCP connection, put together from its beginning: out of order, overlapping, with gaps; in bounded
 * memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netprobe/packet.h"
#include "netprobe/pool.h"

#define STREAM_HELD 6u /* pieces behind a gap */

struct stream {
	uint8_t *data;   /* NULL while nothing is kept */
	uint32_t start;  /* sequence number of the first byte */
	uint16_t ready;  /* bytes from the start without a gap */
	uint8_t units;   /* of `data`, as the pool counts */
	uint8_t held_count;
	bool started;    /* `start` is set */
	bool whole;      /* by a SYN: the connection began here */
	struct {
		uint16_t from, to;
	} held[STREAM_HELD]; /* behind a gap, in order, apart from each other */
};

/* The SYN's sequence number says where the stream begins. */
void stream_syn(struct stream *s, uint32_t sequence);

enum stream_result {
	STREAM_OLD,    /* nothing that could be read before did change */
	STREAM_NEW,    /* *view is longer, or is there for the first time */
	STREAM_EARLIER, /* the SYN was not seen, and the stream begins earlier than it was thought to */
	STREAM_FULL,   /* could not be kept: it is past `units_max` */
	STREAM_NO_MEMORY, /* could not be kept: the pool is empty */
};

/* A segment. *view is the stream as far as it came without a gap, *offset where the segment begins in it. A first segment in
 * order is not copied: *view is the segment itself; stream_keep copies it when it is needed beyond the call. At most
 * `units_max` of the pool are used. */
enum stream_result stream_add(struct stream *s, struct pool *pool, unsigned units_max, uint32_t sequence, struct span payload,
			      struct span *view, size_t *offset);

/* Keeps what stream_add gave as *view. False when there is no memory. */
bool stream_keep(struct stream *s, struct pool *pool, unsigned units_max, struct span view);

/* What is kept, as far as it came without a gap. */
struct span stream_view(const struct stream *s);

/* True when bytes are held behind a gap at the very start. */
bool stream_gap(const struct stream *s);

/* Gives up on the bytes before the gap: the stream begins behind it, and is not whole. */
void stream_skip_gap(struct stream *s);

void stream_release(struct stream *s, struct pool *pool);
