/* SPDX-License-Identifier: Apache-2.0 */
/* pkgs: zlib */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "lib/diskqueue.h"

#define LIMIT (1u << 20)

static char root[64];

static int make_root(void **state)
{
	(void)state;
	return make_directory(root, sizeof(root)) ? 0 : -1;
}

static int delete_root(void **state)
{
	(void)state;
	remove_directory(root);
	return 0;
}

static int open_root(void)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static struct diskqueue start(uint64_t limit)
{
	struct diskqueue q;

	assert_int_equal(diskqueue_open(&q, open_root(), limit, NULL), 0);
	return q;
}

static struct diskqueue_reader start_reading(void)
{
	struct diskqueue_reader r;

	assert_int_equal(diskqueue_reader_open(&r, open_root(), NULL), 0);
	return r;
}

static int add(struct diskqueue *q, uint32_t number, size_t size)
{
	uint8_t bytes[4096];

	memset(bytes, (int)number, sizeof(bytes));
	memcpy(bytes, &number, sizeof(number));
	return diskqueue_append(q, number % 7, bytes, size);
}

static uint32_t number_of(const struct diskqueue_record *d)
{
	uint32_t number;

	assert_true(d->size >= sizeof(number));
	memcpy(&number, d->bytes, sizeof(number));
	assert_int_equal(d->type, number % 7);
	for (size_t i = sizeof(number); i < d->size; i++)
		assert_int_equal(d->bytes[i], (uint8_t)number);
	return number;
}

/* Reads what is there; it has to be first, first + 1, …; returns the number after the last. */
static uint32_t read_from(struct diskqueue_reader *r, uint32_t first)
{
	struct diskqueue_record d;
	int e;

	while ((e = diskqueue_read(r, &d)) == 1)
		assert_int_equal(number_of(&d), first++);
	assert_int_equal(e, 0);
	return first;
}

static void records_come_in_order_and_once_they_are_confirmed_never_again(void **state)
{
	struct diskqueue q = start(LIMIT);
	struct diskqueue_reader r = start_reading();

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(add(&q, i, 4 + i % 300), 0);
	assert_int_equal(read_from(&r, 0), 0); /* in memory yet */
	assert_int_equal(diskqueue_flush(&q), 0);
	assert_int_equal(read_from(&r, 0), 1000);
	assert_int_equal(q.appended, 1000);
	diskqueue_rewind(&r);
	assert_int_equal(read_from(&r, 0), 1000);
	assert_int_equal(diskqueue_confirm(&r, r.at), 0);
	assert_int_equal(diskqueue_waiting(&r), 0);
	diskqueue_reader_close(&r);
	for (uint32_t i = 1000; i < 1100; i++)
		assert_int_equal(add(&q, i, 100), 0);
	assert_int_equal(diskqueue_flush(&q), 0);
	r = start_reading();
	assert_int_equal(diskqueue_waiting(&r), 100 * (12 + 100));
	assert_int_equal(read_from(&r, 1000), 1100);
	assert_int_equal(r.lost, 0);
	diskqueue_reader_close(&r);
	diskqueue_close(&q);
}

static void past_the_limit_records_are_counted_and_room_comes_back_with_what_is_confirmed(void **state)
{
	struct diskqueue q = start(LIMIT);
	struct diskqueue_reader r = start_reading();
	uint32_t n = 0;

	(void)state;
	while (n < LIMIT / 1000 + 10 && add(&q, n, 1000) == 0) /* a limit that does not hold fills no disk */
		n++;
	assert_int_equal(q.dropped, 1);
	assert_int_equal(diskqueue_flush(&q), 0);
	assert_true(n > LIMIT / 1012 - 2 && n <= LIMIT / 1012);
	assert_int_equal(add(&q, n, 1000), -ENOSPC);
	assert_int_equal(q.dropped, 2);
	assert_int_equal(read_from(&r, 0), n);
	assert_int_equal(diskqueue_confirm(&r, r.at), 0);
	usleep(250000); /* the directory is counted again at most every 0.2 s */
	assert_int_equal(add(&q, n, 1000), 0);
	assert_int_equal(diskqueue_flush(&q), 0);
	assert_int_equal(read_from(&r, n), n + 1);
	diskqueue_reader_close(&r);
	diskqueue_close(&q);
}

static void another_process_that_appends_goes_on_behind_what_is_there(void **state)
{
	struct diskqueue q;
	struct diskqueue_reader r = start_reading();

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		q = start(LIMIT);
		assert_int_equal(add(&q, i, 50), 0);
		diskqueue_close(&q);
	}
	assert_int_equal(read_from(&r, 0), 10);
	assert_int_equal(diskqueue_confirm(&r, r.at), 0);
	q = start(LIMIT);
	assert_int_equal(q.used, 12 + 50 + 8 + 8); /* of the last segment, and the new one */
	diskqueue_reader_close(&r);
	diskqueue_close(&q);
}

/* The file of the segment of that number. */
static int open_segment(unsigned number)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%016x.q", root, number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void what_a_crash_tore_is_skipped_and_counted(void **state)
{
	struct diskqueue q = start(LIMIT);
	struct diskqueue_reader r = start_reading();
	int fd;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(add(&q, i, 100), 0);
	diskqueue_close(&q);
	fd = open_segment(1);
	assert_int_equal(ftruncate(fd, 8 + 2 * 112 + 50), 0);
	close(fd);
	assert_int_equal(read_from(&r, 0), 2);
	assert_int_equal(r.lost, 0); /* it may be written on */
	q = start(LIMIT);
	assert_int_equal(add(&q, 2, 100), 0);
	assert_int_equal(diskqueue_flush(&q), 0);
	assert_int_equal(read_from(&r, 2), 3);
	assert_int_equal(r.lost, 50);
	diskqueue_reader_close(&r);
	diskqueue_close(&q);
}

static void a_flipped_bit_costs_the_rest_of_its_segment_and_no_more(void **state)
{
	struct diskqueue q = start(LIMIT);
	struct diskqueue_reader r;
	uint8_t byte = 0x55;
	int fd;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(add(&q, i, 100), 0);
	diskqueue_close(&q);
	q = start(LIMIT);
	assert_int_equal(add(&q, 1, 100), 0);
	diskqueue_close(&q);
	fd = open_segment(1);
	assert_int_equal(pwrite(fd, &byte, 1, 8 + 112 + 60), 1);
	close(fd);
	r = start_reading();
	assert_int_equal(read_from(&r, 0), 2); /* 0 of the first segment, 1 of the second */
	assert_int_equal(r.lost, 2 * 112);
	diskqueue_reader_close(&r);
}

static void a_cursor_that_is_none_begins_at_the_oldest_record(void **state)
{
	struct diskqueue q = start(LIMIT);
	struct diskqueue_reader r;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(add(&q, i, 100), 0);
	diskqueue_close(&q);
	write_text(root, "cursor", "ffff");
	r = start_reading();
	assert_int_equal(read_from(&r, 0), 3);
	diskqueue_reader_close(&r);
}

static void a_full_disk_drops_whole_records_and_says_how_many(void **state)
{
	struct rlimit before, small = { 20000, 20000 };
	struct diskqueue q = start(LIMIT);
	struct diskqueue_reader r = start_reading();
	uint32_t n = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	for (; n < 10; n++)
		assert_int_equal(add(&q, n, 1000), 0);
	assert_int_equal(diskqueue_flush(&q), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (uint32_t i = n; i < n + 15; i++)
		assert_int_equal(add(&q, i, 1000), 0);
	assert_int_equal(diskqueue_flush(&q), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(q.dropped, 15);
	assert_int_equal(q.last_error, EFBIG);
	assert_int_equal(add(&q, n, 1000), 0);
	assert_int_equal(diskqueue_flush(&q), 0);
	assert_int_equal(read_from(&r, 0), n + 1);
	assert_int_equal(r.lost, 0);
	diskqueue_reader_close(&r);
	diskqueue_close(&q);
}

/* Two processes, small segments: nothing is missed while segments are changed, and a killed reader reads on from its cursor. */
static void one_process_appends_while_another_takes_away_and_is_killed(void **state)
{
	enum { RECORDS = 60000 };
	struct diskqueue_reader r;
	uint32_t next = 0;
	pid_t child;
	int status;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct diskqueue q = start(512 * 1024);

		for (uint32_t i = 0; i < RECORDS;) {
			if (add(&q, i, 4 + i % 300) == 0)
				i++;
			else
				usleep(1000);
			if (i % 17 == 0)
				(void)diskqueue_flush(&q);
		}
		diskqueue_close(&q);
		_exit(0);
	}
	r = start_reading();
	for (unsigned turn = 0; next < RECORDS; turn++) {
		uint32_t after = read_from(&r, next);

		if (after == next) {
			usleep(500);
			continue;
		}
		if (turn % 5 == 4) { /* as if killed before it confirmed */
			diskqueue_reader_close(&r);
			r = start_reading();
			continue;
		}
		assert_int_equal(diskqueue_confirm(&r, r.at), 0);
		next = after;
	}
	assert_int_equal(r.lost, 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	diskqueue_reader_close(&r);
}

static void a_queue_is_cleared_only_when_nothing_waits(void **state)
{
	struct diskqueue q = start(LIMIT);
	struct diskqueue_record d;
	struct diskqueue_reader r;
	int dir = open_root();

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(add(&q, i, 100), 0);
	diskqueue_close(&q);
	assert_int_equal(diskqueue_clear(dir), -EBUSY);
	r = start_reading();
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(diskqueue_read(&r, &d), 1);
		assert_int_equal(number_of(&d), i);
	}
	assert_int_equal(diskqueue_confirm(&r, r.at), 0);
	diskqueue_reader_close(&r);
	assert_int_equal(diskqueue_clear(dir), 0);
	assert_int_equal(rmdir(root), 0);
	assert_int_equal(mkdir(root, 0700), 0);
	close(dir);

	/* What comes then is not taken for confirmed. */
	q = start(LIMIT);
	assert_int_equal(add(&q, 9, 100), 0);
	diskqueue_close(&q);
	r = start_reading();
	assert_int_equal(diskqueue_read(&r, &d), 1);
	assert_int_equal(number_of(&d), 9);
	diskqueue_reader_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(records_come_in_order_and_once_they_are_confirmed_never_again, make_root, delete_root),
		cmocka_unit_test_setup_teardown(past_the_limit_records_are_counted_and_room_comes_back_with_what_is_confirmed, make_root, delete_root),
		cmocka_unit_test_setup_teardown(another_process_that_appends_goes_on_behind_what_is_there, make_root, delete_root),
		cmocka_unit_test_setup_teardown(what_a_crash_tore_is_skipped_and_counted, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_flipped_bit_costs_the_rest_of_its_segment_and_no_more, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_cursor_that_is_none_begins_at_the_oldest_record, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_full_disk_drops_whole_records_and_says_how_many, make_root, delete_root),
		cmocka_unit_test_setup_teardown(one_process_appends_while_another_takes_away_and_is_killed, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_queue_is_cleared_only_when_nothing_waits, make_root, delete_root),
	};

	return cmocka_run_group_tests_name("diskqueue", tests, NULL, NULL);
}
