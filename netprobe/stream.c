/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/stream.h"

#include <string.h>

void stream_syn(struct stream *s, uint32_t sequence)
{
	/* A SYN that is repeated with another number counts as long as nothing came. */
	if (s->started && (!s->whole || s->ready || s->held_count))
		return;
	s->start = sequence + 1;
	s->started = s->whole = true;
}

/* Room for `bytes` from the start. */
static bool reserve(struct stream *s, struct pool *pool, unsigned units_max, size_t bytes)
{
	unsigned units = s->units ? s->units : 1;
	uint8_t *data;

	while (units < POOL_UNITS && (size_t)units * POOL_UNIT < bytes)
		units *= 2;
	if (units > units_max)
		units = units_max;
	if ((size_t)units * POOL_UNIT < bytes)
		return false;
	if (units <= s->units)
		return true;
	data = pool_get(pool, units);
	if (!data)
		return false;
	if (s->data) {
		memcpy(data, s->data, (size_t)s->units * POOL_UNIT);
		pool_put(pool, s->data, s->units);
	}
	s->data = data;
	s->units = (uint8_t)units;
	return true;
}

/* Copies [from, to) of the stream, except where there are bytes already: what came first counts. */
static void fill(struct stream *s, uint16_t from, uint16_t to, const uint8_t *bytes)
{
	uint16_t at = from;

	if (at < s->ready)
		at = s->ready;
	for (unsigned i = 0; at < to && i <= s->held_count; i++) {
		uint16_t until = i < s->held_count && s->held[i].from < to ? s->held[i].from : to;

		if (until > at)
			memcpy(s->data + at, bytes + (at - from), (size_t)(until - at));
		if (i < s->held_count && s->held[i].to > at && s->held[i].from <= to)
			at = s->held[i].to;
	}
}

/* Adds [from, to) to the pieces; touching ones become one. False when there are too many. */
static bool hold(struct stream *s, uint16_t from, uint16_t to)
{
	unsigned i = 0, merged;

	while (i < s->held_count && s->held[i].to < from)
		i++;
	for (merged = 0; i + merged < s->held_count && s->held[i + merged].from <= to; merged++) {
		if (s->held[i + merged].from < from)
			from = s->held[i + merged].from;
		if (s->held[i + merged].to > to)
			to = s->held[i + merged].to;
	}
	if (!merged && s->held_count == STREAM_HELD)
		return false;
	memmove(&s->held[i + 1], &s->held[i + merged], (s->held_count - i - merged) * sizeof(s->held[0]));
	s->held_count = (uint8_t)(s->held_count - merged + 1);
	s->held[i].from = from;
	s->held[i].to = to;
	return true;
}

/* Takes up the pieces that no gap parts from the start any more. */
static void join(struct stream *s)
{
	unsigned n = 0;

	while (n < s->held_count && s->held[n].from <= s->ready) {
		if (s->held[n].to > s->ready)
			s->ready = s->held[n].to;
		n++;
	}
	s->held_count = (uint8_t)(s->held_count - n);
	memmove(s->held, s->held + n, s->held_count * sizeof(s->held[0]));
}

/* Moves what is kept back by `by` bytes: the stream begins earlier. */
static bool begin_earlier(struct stream *s, struct pool *pool, unsigned units_max, uint32_t by)
{
	size_t kept = s->held_count ? s->held[s->held_count - 1].to : s->ready;

	if (kept) {
		if (!reserve(s, pool, units_max, kept + by))
			return false;
		memmove(s->data + by, s->data, kept);
		for (unsigned i = 0; i < s->held_count; i++) {
			s->held[i].from = (uint16_t)(s->held[i].from + by);
			s->held[i].to = (uint16_t)(s->held[i].to + by);
		}
		if (s->ready) {
			uint16_t to = (uint16_t)(s->ready + by);

			s->ready = 0;
			if (!hold(s, (uint16_t)by, to))
				s->held_count = 0;
		}
	}
	s->start -= by;
	return true;
}

enum stream_result stream_add(struct stream *s, struct pool *pool, unsigned units_max, uint32_t sequence, struct span payload,
			      struct span *view, size_t *offset)
{
	const uint32_t limit = units_max * POOL_UNIT;
	uint16_t before = s->ready;
	bool earlier = false;
	uint32_t at;

	if (!s->started) {
		s->start = sequence;
		s->started = true;
	}
	/* Nowhere near the SYN: it was of another connection. */
	if (!s->ready && !s->held_count && sequence - s->start >= limit && s->start - sequence >= limit) {
		s->start = sequence;
		s->whole = false;
	}
	at = sequence - s->start;
	if (at > INT32_MAX) { /* before the start */
		uint32_t by = s->start - sequence;

		/* One byte before the start is a keep-alive (RFC 9293 section 3.8.4). */
		if (!s->whole && by < limit && payload.size > 1 && begin_earlier(s, pool, units_max, by)) {
			earlier = true;
			before = 0;
			at = 0;
		} else if (by < payload.size) {
			payload = (struct span){ payload.data + by, payload.size - by };
			at = 0;
		} else {
			return STREAM_OLD;
		}
	}
	if (at >= limit) /* far ahead is as if it had not come */
		return s->ready >= limit ? STREAM_FULL : STREAM_OLD;
	*offset = at;
	if (at == 0 && !s->ready && !s->held_count) {
		*view = payload;
		return earlier ? STREAM_EARLIER : STREAM_NEW;
	}
	if (payload.size > limit - at)
		payload.size = limit - at;
	if (at + payload.size <= s->ready)
		return STREAM_OLD;
	if (!reserve(s, pool, units_max, at + payload.size))
		return STREAM_NO_MEMORY; /* the limit was looked at before */
	if (at <= s->ready) {
		fill(s, (uint16_t)at, (uint16_t)(at + payload.size), payload.data);
		s->ready = (uint16_t)(at + payload.size);
	} else {
		struct stream was = *s;

		if (!hold(s, (uint16_t)at, (uint16_t)(at + payload.size)))
			return STREAM_OLD; /* one hole too many: as if it had not come */
		fill(&was, (uint16_t)at, (uint16_t)(at + payload.size), payload.data);
	}
	join(s);
	*view = stream_view(s);
	if (s->ready <= before)
		return STREAM_OLD;
	return earlier ? STREAM_EARLIER : STREAM_NEW;
}

bool stream_keep(struct stream *s, struct pool *pool, unsigned units_max, struct span view)
{
	if (s->ready) /* it came out of the buffer */
		return true;
	if (view.size > (size_t)units_max * POOL_UNIT)
		view.size = (size_t)units_max * POOL_UNIT;
	if (!view.size || !reserve(s, pool, units_max, view.size))
		return false;
	memcpy(s->data, view.data, view.size);
	s->ready = (uint16_t)view.size;
	return true;
}

struct span stream_view(const struct stream *s)
{
	return (struct span){ s->data, s->ready };
}

bool stream_gap(const struct stream *s)
{
	return !s->ready && s->held_count;
}

void stream_skip_gap(struct stream *s)
{
	uint16_t by = s->held[0].from;
	uint16_t kept = s->held[s->held_count - 1].to;

	memmove(s->data, s->data + by, (size_t)(kept - by));
	for (unsigned i = 0; i < s->held_count; i++) {
		s->held[i].from = (uint16_t)(s->held[i].from - by);
		s->held[i].to = (uint16_t)(s->held[i].to - by);
	}
	s->start += by;
	s->whole = false;
	join(s);
}

void stream_release(struct stream *s, struct pool *pool)
{
	if (s->data)
		pool_put(pool, s->data, s->units);
	s->data = NULL;
	s->units = 0;
	s->ready = 0;
	s->held_count = 0;
}
