/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/stream.c netprobe/pool.c */
/* Streams out of order, overlapping, with gaps, beside a plain model of what has to come out; the pool below them. */
#include "netprobe/stream.h"
#include "tests/unit/unit.h"

#define POOL_BYTES (4u * POOL_CHUNK)

static int setup(void **state)
{
	struct pool *p;

	assert_int_equal(pool_new(&p, POOL_BYTES), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(pool_used(*state), 0);
	pool_free(*state);
	return 0;
}

static enum stream_result add(struct stream *s, struct pool *p, uint32_t sequence, const void *bytes, size_t size,
			      struct span *view)
{
	struct span before = stream_view(s);
	size_t offset;
	enum stream_result r = stream_add(s, p, POOL_UNITS, sequence, (struct span){ bytes, size }, view, &offset);

	if ((r == STREAM_NEW || r == STREAM_EARLIER) && !before.size)
		assert_true(stream_keep(s, p, POOL_UNITS, *view));
	return r;
}

static void a_first_segment_is_not_copied(void **state)
{
	struct stream s = { 0 };
	struct span view;
	size_t offset;

	stream_syn(&s, 99);
	assert_int_equal(stream_add(&s, *state, POOL_UNITS, 100, (struct span){ (const uint8_t *)"abc", 3 }, &view, &offset),
			 STREAM_NEW);
	assert_int_equal(pool_used(*state), 0);
	assert_int_equal(view.size, 3);
	assert_true(s.whole);
	assert_true(stream_keep(&s, *state, POOL_UNITS, view));
	assert_int_equal(pool_used(*state), POOL_UNIT);
	stream_release(&s, *state);
}

static void a_gap_holds_the_rest_back(void **state)
{
	struct stream s = { 0 };
	struct span view;

	stream_syn(&s, UINT32_MAX - 2); /* numbers wrap within it */
	assert_int_equal(add(&s, *state, 1, "de", 2, &view), STREAM_OLD);
	assert_true(stream_gap(&s));
	assert_int_equal(add(&s, *state, UINT32_MAX - 1, "abc", 3, &view), STREAM_NEW);
	assert_int_equal(view.size, 5);
	assert_memory_equal(view.data, "abcde", 5);
	assert_false(stream_gap(&s));
	assert_int_equal(add(&s, *state, UINT32_MAX - 1, "xyz", 3, &view), STREAM_OLD);
	assert_memory_equal(stream_view(&s).data, "abcde", 5);
	stream_release(&s, *state);
}

static void a_gap_can_be_given_up(void **state)
{
	struct stream s = { 0 };
	struct span view;

	stream_syn(&s, 99);
	add(&s, *state, 110, "klm", 3, &view);
	add(&s, *state, 115, "pq", 2, &view);
	stream_skip_gap(&s);
	assert_false(s.whole);
	assert_int_equal(stream_view(&s).size, 3);
	assert_memory_equal(stream_view(&s).data, "klm", 3);
	assert_int_equal(add(&s, *state, 113, "no", 2, &view), STREAM_NEW);
	assert_int_equal(view.size, 7);
	assert_memory_equal(view.data, "klmnopq", 7);
	stream_release(&s, *state);
}

static void without_a_syn_the_beginning_can_move(void **state)
{
	struct stream s = { 0 };
	struct span view;

	assert_int_equal(add(&s, *state, 1000, "world", 5, &view), STREAM_NEW);
	assert_false(s.whole);
	assert_int_equal(add(&s, *state, 999, "x", 1, &view), STREAM_OLD); /* a keep-alive */
	assert_int_equal(add(&s, *state, 994, "hello ", 6, &view), STREAM_EARLIER);
	assert_int_equal(view.size, 11);
	assert_memory_equal(view.data, "hello world", 11);
	stream_release(&s, *state);
}

static void a_syn_of_another_connection(void **state)
{
	struct stream s = { 0 };
	struct span view;

	stream_syn(&s, 99);
	stream_syn(&s, 500);
	assert_int_equal(add(&s, *state, 501, "abc", 3, &view), STREAM_NEW);
	assert_true(s.whole);
	stream_syn(&s, 7); /* too late */
	assert_int_equal(add(&s, *state, 504, "def", 3, &view), STREAM_NEW);
	assert_int_equal(view.size, 6);
	stream_release(&s, *state);
	s = (struct stream){ 0 };
	stream_syn(&s, 99);
	assert_int_equal(add(&s, *state, 0x40000000, "abc", 3, &view), STREAM_NEW);
	assert_false(s.whole);
	stream_release(&s, *state);
}

static void never_more_than_its_share(void **state)
{
	static uint8_t bytes[3 * POOL_CHUNK];
	struct stream s = { 0 };
	struct span view;

	stream_syn(&s, 99);
	for (size_t at = 0; at < sizeof(bytes); at += 1000) {
		enum stream_result r = add(&s, *state, 100 + (uint32_t)at, bytes, 1000, &view);

		assert_true(pool_used(*state) <= POOL_CHUNK);
		assert_int_equal(r, at < POOL_CHUNK ? STREAM_NEW : STREAM_FULL);
	}
	assert_int_equal(stream_view(&s).size, POOL_CHUNK);
	stream_release(&s, *state);
}

/* Random segments of one stream: what came first counts, byte by byte, and only what has no gap before it is seen. */
static void beside_a_model(void **state)
{
	static uint8_t model[POOL_CHUNK], bytes[4096];
	static bool have[POOL_CHUNK];

	srand(1);
	for (unsigned round = 0; round < 300; round++) {
		struct stream s = { 0 };
		struct span view;
		uint32_t start = (uint32_t)rand() * 7u;
		size_t ready = 0;
		unsigned spread = round % 3 ? 3000 : 60000;

		memset(have, 0, sizeof(have));
		stream_syn(&s, start - 1);
		for (unsigned n = 0; n < 60; n++) {
			size_t at = (size_t)rand() % spread, size = 1 + (size_t)rand() % (round % 2 ? 200 : sizeof(bytes));
			struct stream was = s;
			enum stream_result r;

			for (size_t i = 0; i < size; i++)
				bytes[i] = (uint8_t)rand();
			if (n % 5 == 0) {
				at = ready;
				if (at >= sizeof(model))
					break;
			}
			r = add(&s, *state, start + (uint32_t)at, bytes, size, &view);
			/* Refused whole: too far, or one hole too many. */
			if (r == STREAM_FULL || (r == STREAM_OLD && s.held_count == was.held_count && at > was.ready &&
						 s.ready == was.ready && memcmp(s.held, was.held, sizeof(s.held)) == 0))
				continue;
			for (size_t i = 0; i < size && at + i < sizeof(model); i++) {
				if (have[at + i])
					continue;
				have[at + i] = true;
				model[at + i] = bytes[i];
			}
			while (ready < sizeof(model) && have[ready])
				ready++;
			assert_int_equal(stream_view(&s).size, ready);
			if (ready)
				assert_memory_equal(stream_view(&s).data, model, ready);
			for (unsigned i = 0; i < s.held_count; i++) {
				assert_true(s.held[i].from > (i ? s.held[i - 1].to : s.ready) && s.held[i].to > s.held[i].from);
				assert_memory_equal(s.data + s.held[i].from, model + s.held[i].from,
						    (size_t)(s.held[i].to - s.held[i].from));
			}
		}
		stream_release(&s, *state);
	}
}

static void the_pool_gives_all_and_takes_it_back(void **state)
{
	struct pool *p = *state;
	void *all[POOL_BYTES / POOL_UNIT];
	unsigned n = 0;

	for (unsigned round = 0; round < 3; round++) {
		static const unsigned sizes[] = { 1, 4, 16 };
		unsigned units = sizes[round];

		for (n = 0; n < POOL_BYTES / POOL_UNIT / units; n++) {
			all[n] = pool_get(p, units);
			assert_non_null(all[n]);
			memset(all[n], (int)n, (size_t)units * POOL_UNIT);
		}
		assert_null(pool_get(p, 1));
		assert_int_equal(pool_used(p), POOL_BYTES);
		for (unsigned i = 0; i < n; i++) {
			const uint8_t *b = all[i];

			assert_int_equal(b[0], i & 0xff);
			assert_int_equal(b[(size_t)units * POOL_UNIT - 1], i & 0xff);
			pool_put(p, all[i], units);
		}
		assert_int_equal(pool_used(p), 0);
	}
	assert_int_equal(pool_peak(p), POOL_BYTES);
	/* A hole of one unit in each chunk leaves no room for a whole one, and is found. */
	for (n = 0; n < POOL_BYTES / POOL_UNIT; n++)
		all[n] = pool_get(p, 1);
	for (n = 0; n < POOL_BYTES / POOL_UNIT; n += POOL_UNITS)
		pool_put(p, all[n], 1);
	assert_null(pool_get(p, 2));
	for (n = 0; n < POOL_BYTES / POOL_UNIT; n += POOL_UNITS) {
		all[n] = pool_get(p, 1);
		assert_non_null(all[n]);
	}
	for (n = 0; n < POOL_BYTES / POOL_UNIT; n++)
		pool_put(p, all[n], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_first_segment_is_not_copied, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gap_holds_the_rest_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_gap_can_be_given_up, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_syn_the_beginning_can_move, setup, teardown),
		cmocka_unit_test_setup_teardown(a_syn_of_another_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(never_more_than_its_share, setup, teardown),
		cmocka_unit_test_setup_teardown(beside_a_model, setup, teardown),
		cmocka_unit_test_setup_teardown(the_pool_gives_all_and_takes_it_back, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
