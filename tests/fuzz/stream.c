/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/stream.c netprobe/pool.c */
/* Segments in any order beside a plain model: each byte is the first that came for its place, and only bytes without a gap
 * before them are seen. */
#include "netprobe/stream.h"
#include "tests/fuzz/fuzz.h"

static struct pool *pool;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t model[POOL_CHUNK];
	static bool have[POOL_CHUNK];
	struct stream s = { 0 };
	size_t ready = 0;
	unsigned value = 0;

	if (!pool && pool_new(&pool, 4u * POOL_CHUNK) < 0)
		return 0;
	memset(have, 0, sizeof(have));
	stream_syn(&s, UINT32_MAX - 1000);
	while (size >= 4) {
		size_t at = (size_t)data[0] << 8 | data[1], bytes = (size_t)(data[2] & 0x1f) << 8 | data[3], offset;
		struct stream was = s;
		struct span view;
		enum stream_result r;
		uint8_t *segment = malloc(bytes + 1);

		if (!segment)
			abort();
		data += 4;
		size -= 4;
		value++;
		for (size_t i = 0; i < bytes; i++)
			segment[i] = (uint8_t)(value + i);
		if (!bytes) {
			free(segment);
			continue;
		}
		r = stream_add(&s, pool, POOL_UNITS, UINT32_MAX - 999 + (uint32_t)at, (struct span){ segment, bytes }, &view,
			       &offset);
		if (!s.whole) /* nowhere near the SYN: begins anew there */
			at = 0;
		if (r == STREAM_NEW && !stream_view(&was).size && !stream_keep(&s, pool, POOL_UNITS, view))
			abort();
		free(segment);
		if (r == STREAM_NO_MEMORY || r == STREAM_EARLIER)
			abort();
		if (s.whole != was.whole)
			break;
		if (r == STREAM_FULL || at >= sizeof(model) ||
		    (r == STREAM_OLD && at > ready && s.ready == was.ready && s.held_count == was.held_count &&
		     memcmp(s.held, was.held, sizeof(s.held)) == 0))
			continue;
		for (size_t i = 0; i < bytes && at + i < sizeof(model); i++) {
			if (!have[at + i])
				model[at + i] = (uint8_t)(value + i);
			have[at + i] = true;
		}
		while (ready < sizeof(model) && have[ready])
			ready++;
		if (stream_view(&s).size != ready || memcmp(stream_view(&s).data, model, ready) != 0)
			abort();
	}
	stream_release(&s, pool);
	if (pool_used(pool))
		abort();
	return 0;
}
