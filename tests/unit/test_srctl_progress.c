/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/srctl/progress.c */
#include "tests/unit/unit.h"

#include <unistd.h>

#include "agent/srctl/progress.h"

#define MIB     (1024u * 1024)
#define SECONDS 1000000u

static char line[256];

static const char *draw(unsigned width, const struct progress_at *at, uint64_t elapsed_us)
{
	size_t n = progress_line(line, sizeof(line), width, at, elapsed_us);

	assert_int_equal(n, strlen(line));
	return line;
}

/* 10 of 40 MiB in 5 seconds. */
static void known_total(void **state)
{
	const struct progress_at at = { .what = "netprobe: fetching", .done = 10 * MIB, .total = 40 * MIB, .bytes = true };

	(void)state;
	assert_string_equal(draw(80, &at, 5 * SECONDS), "netprobe: fetching  [###----------]   25 %  10.0/40.0 MiB  2.0 MiB/s  0:15 left");
	assert_int_equal(strlen(line), 79);
}

static void nothing_done_yet(void **state)
{
	const struct progress_at at = { .what = "x", .total = 900, .bytes = true };

	(void)state;
	assert_string_equal(draw(50, &at, SECONDS), "x  [----------------------------]    0 %  0/900 B");
}

static void all_done(void **state)
{
	const struct progress_at at = { .what = "x", .done = 3000, .total = 2000, .bytes = true }; /* the file grew */

	(void)state;
	assert_string_equal(draw(60, &at, SECONDS), "x  [############]  100 %  2.0/2.0 KiB  2.0 KiB/s  0:00 left");
}

static void percentage_is_not_rounded_up(void **state)
{
	const struct progress_at at = { .what = "x", .done = 999, .total = 1000 };

	(void)state;
	assert_non_null(strstr(draw(80, &at, SECONDS), "99 %"));
}

/* What was there before the time counts for the bar, not for the rate. */
static void gone_on_with(void **state)
{
	const struct progress_at at = { .what = "x", .done = 30 * MIB, .total = 40 * MIB, .from = 20 * MIB, .bytes = true };

	(void)state;
	assert_non_null(strstr(draw(80, &at, 5 * SECONDS), "   75 %  30.0/40.0 MiB  2.0 MiB/s  0:05 left"));
}

static void time_is_counted(void **state)
{
	const struct progress_at at = { .what = "lo", .done = 15 * SECONDS, .total = 60 * SECONDS, .note = "12 packets, 3 KiB" };

	(void)state;
	assert_string_equal(draw(60, &at, 15 * SECONDS), "lo  [####------------]   25 %  0:45 left  12 packets, 3 KiB");
}

static void no_total(void **state)
{
	struct progress_at at = { .what = "netprobe: staging" };

	(void)state;
	assert_string_equal(draw(80, &at, 62 * SECONDS), "netprobe: staging  1:02");
	at = (struct progress_at){ .what = "x", .done = 3 * MIB, .bytes = true, .note = "7 flows" };
	assert_string_equal(draw(80, &at, 3602 * SECONDS), "x  3.0 MiB  873 B/s  1:00:02  7 flows");
}

static void narrow(void **state)
{
	const struct progress_at at = { .what = "x", .done = 10 * MIB, .total = 40 * MIB, .bytes = true, .note = "7 flows" };

	(void)state;
	assert_string_equal(draw(39, &at, 5 * SECONDS), " 25 %  10.0/40.0 MiB  2.0 MiB/s");
	assert_string_equal(draw(40, &at, 5 * SECONDS), "x  [###---------]   25 %  10.0/40.0 MiB");
	assert_string_equal(draw(10, &at, 5 * SECONDS), " 25 %");
	assert_string_equal(draw(1, &at, 5 * SECONDS), "");
	assert_string_equal(draw(0, &at, 5 * SECONDS), "");
}

/* Whatever the numbers, the terminal and the memory are: a line of its own, that fits. */
static void always_fits(void **state)
{
	static const uint64_t values[] = { 0, 1, 1023, 1024, 123456789, UINT64_MAX / 2, UINT64_MAX };
	char what[65];
	const size_t n = sizeof(values) / sizeof(values[0]);

	(void)state;
	memset(what, 'w', 64);
	what[64] = '\0';
	for (unsigned width = 0; width <= 200; width++)
		for (size_t i = 0; i < n * n * n; i++) {
			struct progress_at at = { .what = i % 2 ? what : "short", .done = values[i % n], .total = values[i / n % n],
						  .from = 1, .bytes = i % 3, .note = i % 5 ? "12345678901234567890 flows" : NULL };
			uint64_t elapsed = values[i / n / n];
			size_t size = 1 + i % sizeof(line);

			draw(width, &at, elapsed);
			assert_true(strlen(line) < (width ? width : 1));
			memset(line, 'x', sizeof(line));
			assert_true(progress_line(line, size, width, &at, elapsed) < size);
			assert_int_equal(strlen(line) < size, true);
			assert_true(size == sizeof(line) || line[size] == 'x');
		}
}

/* The standard error of this test is a pipe or a file for this long. */
static void only_on_a_terminal(void **state)
{
	int kept = dup(STDERR_FILENO), ends[2];
	const struct progress_at at = { .what = "x" };
	struct progress p;
	bool due;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(setenv("TERM", "xterm", 1), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	progress_begin(&p, false);
	p.begun_us -= SECONDS;
	due = progress_due(&p);
	progress_draw(&p, &at);
	progress_clear(&p);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	close(kept);
	close(ends[1]);
	assert_false(due);
	assert_int_equal(read(ends[0], line, sizeof(line)), 0);
	close(ends[0]);
}

/* For the first time after half a second, then after a tenth of one. */
static void not_too_often(void **state)
{
	const struct progress_at at = { .what = "x" };
	struct progress p;
	int kept = dup(STDERR_FILENO), ends[2];

	(void)state;
	progress_begin(&p, false);
	p.on = true;
	assert_false(progress_due(&p));
	p.begun_us -= SECONDS / 2;
	assert_true(progress_due(&p));
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	progress_draw(&p, &at);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	assert_false(progress_due(&p));
	p.drawn_us -= SECONDS / 10;
	assert_true(progress_due(&p));
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	progress_clear(&p);
	progress_clear(&p); /* there is nothing more to take away */
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	close(kept);
	close(ends[1]);
	memset(line, 0, sizeof(line));
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	close(ends[0]);
	assert_string_equal(line, "\rx  0:00\033[K\r\033[K");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_total),  cmocka_unit_test(nothing_done_yet), cmocka_unit_test(all_done),
		cmocka_unit_test(percentage_is_not_rounded_up), cmocka_unit_test(gone_on_with), cmocka_unit_test(time_is_counted),
		cmocka_unit_test(no_total),     cmocka_unit_test(narrow),           cmocka_unit_test(always_fits),
		cmocka_unit_test(only_on_a_terminal), cmocka_unit_test(not_too_often),
	};

	return cmocka_run_group_tests_name("agent/srctl/progress.c", tests, NULL, NULL);
}
