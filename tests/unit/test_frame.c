/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/frame.h"
#include "tests/unit/unit.h"

struct pair {
	int in, out;
	struct frame_reader reader;
};

static int setup(void **state)
{
	struct pair *p = calloc(1, sizeof(*p));
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->in = fds[0];
	p->out = fds[1];
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;

	frame_reader_reset(&p->reader);
	close(p->in);
	if (p->out >= 0)
		close(p->out);
	free(p);
	return 0;
}

static int read_one(struct pair *p, const uint8_t **payload, size_t *length)
{
	return frame_read(&p->reader, p->in, payload, length);
}

static void hv_20_a_frame_byte_by_byte_and_two_at_once(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 1, 'z' };
	struct pair *p = *state;
	const uint8_t *payload;
	size_t length;

	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(read_one(p, &payload, &length), 0);
		assert_int_equal(write(p->out, bytes + i, 1), 1);
	}
	assert_int_equal(read_one(p, &payload, &length), 1);
	assert_int_equal(length, 3);
	assert_memory_equal(payload, "abc", 3);
	assert_int_equal(write(p->out, bytes + 7, 9), 9);
	assert_int_equal(read_one(p, &payload, &length), 1);
	assert_int_equal(length, 0);
	assert_int_equal(read_one(p, &payload, &length), 1);
	assert_int_equal(length, 1);
	assert_int_equal(payload[0], 'z');
	assert_int_equal(read_one(p, &payload, &length), 0);
}

static void hv_20_a_declared_length_above_4_mib_allocates_nothing(void **state)
{
	static const uint8_t headers[][4] = { { 0x00, 0x40, 0x00, 0x01 }, { 0xff, 0xff, 0xff, 0xff }, { 0x80, 0, 0, 0 } };
	struct pair *p = *state;
	const uint8_t *payload;
	size_t length;

	for (size_t i = 0; i < 3; i++) {
		frame_reader_reset(&p->reader);
		assert_int_equal(write(p->out, headers[i], 4), 4);
		assert_int_equal(read_one(p, &payload, &length), -EMSGSIZE);
		assert_true(p->reader.capacity <= 65536);
	}
}

static void hv_20_memory_follows_what_arrived_not_what_is_declared(void **state)
{
	static const uint8_t header[] = { 0x00, 0x40, 0x00, 0x00 }; /* exactly 4 MiB is allowed */
	struct pair *p = *state;
	const uint8_t *payload;
	uint8_t block[1024] = { 7 };
	size_t length, sent = 0;
	int r = 0;

	assert_int_equal(write(p->out, header, 4), 4);
	assert_int_equal(read_one(p, &payload, &length), 0);
	assert_true(p->reader.capacity <= 65536);
	while (r == 0) {
		ssize_t n = write(p->out, block, sizeof(block));

		if (n > 0)
			sent += (size_t)n;
		r = read_one(p, &payload, &length);
		assert_true(p->reader.capacity <= 65536 + 2 * (sent + 4));
	}
	assert_int_equal(r, 1);
	assert_int_equal(length, 4 * 1024 * 1024);
	/* and is given back afterwards */
	(void)read_one(p, &payload, &length);
	assert_true(p->reader.capacity <= 65536);
}

static void hv_20_an_end_between_frames_and_inside_one(void **state)
{
	static const uint8_t half[] = { 0, 0, 0, 9, 1, 2 };
	struct pair *p = *state;
	const uint8_t *payload;
	size_t length;

	assert_int_equal(write(p->out, half, sizeof(half)), sizeof(half));
	close(p->out);
	p->out = -1;
	assert_int_equal(read_one(p, &payload, &length), -EPROTO);
	frame_reader_reset(&p->reader);
	assert_int_equal(read_one(p, &payload, &length), -EPIPE);
}

static void hv_20_no_header_for_more_than_4_mib(void **state)
{
	uint8_t header[FRAME_HEADER_BYTES];

	(void)state;
	assert_int_equal(frame_header(header, FRAME_MAX_PAYLOAD), 0);
	assert_int_equal(header[1], 0x40);
	assert_int_equal(frame_header(header, FRAME_MAX_PAYLOAD + 1), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hv_20_a_frame_byte_by_byte_and_two_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(hv_20_a_declared_length_above_4_mib_allocates_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(hv_20_memory_follows_what_arrived_not_what_is_declared, setup, teardown),
		cmocka_unit_test_setup_teardown(hv_20_an_end_between_frames_and_inside_one, setup, teardown),
		cmocka_unit_test(hv_20_no_header_for_more_than_4_mib),
	};

	return cmocka_run_group_tests_name("lib/frame.c", tests, NULL, NULL);
}
