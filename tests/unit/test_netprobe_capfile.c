/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/capfile.c */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netprobe/capfile.h"
#include "tests/unit/unit.h"

/* A file that is written number by number, in either byte order. */
struct writer {
	uint8_t bytes[8192];
	size_t size;
	bool big;
};

static void put(struct writer *w, uint64_t value, int bytes)
{
	assert_true(w->size + (size_t)bytes <= sizeof(w->bytes));
	for (int i = 0; i < bytes; i++)
		w->bytes[w->size++] = (uint8_t)(value >> 8 * (w->big ? bytes - 1 - i : i));
}

static void put_bytes(struct writer *w, const char *bytes, size_t n)
{
	assert_true(w->size + n <= sizeof(w->bytes));
	memcpy(w->bytes + w->size, bytes, n);
	w->size += n;
}

static void pcap_header(struct writer *w, uint32_t magic, uint32_t link)
{
	put(w, magic, 4);
	put(w, 2, 2);
	put(w, 4, 2);
	put(w, 0, 8);
	put(w, 65535, 4);
	put(w, link, 4);
}

static void pcap_packet(struct writer *w, uint32_t s, uint32_t fraction, const char *bytes, uint32_t wire)
{
	put(w, s, 4);
	put(w, fraction, 4);
	put(w, strlen(bytes), 4);
	put(w, wire, 4);
	put_bytes(w, bytes, strlen(bytes));
}

/* `body` is in the writer's byte order already. */
static void block(struct writer *w, uint32_t type, const struct writer *body)
{
	size_t padded = (body->size + 3) & ~(size_t)3;

	put(w, type, 4);
	put(w, 12 + padded, 4);
	put_bytes(w, (const char *)body->bytes, body->size);
	put(w, 0, (int)(padded - body->size));
	put(w, 12 + padded, 4);
}

static void section(struct writer *w)
{
	struct writer b = { .big = w->big };

	put(&b, 0x1a2b3c4d, 4);
	put(&b, 1, 2);
	put(&b, 0, 2);
	put(&b, UINT64_MAX, 8);
	block(w, 0x0a0d0d0a, &b);
}

static void option(struct writer *b, unsigned code, unsigned length, const char *bytes)
{
	put(b, code, 2);
	put(b, length, 2);
	put_bytes(b, bytes, length);
	put(b, 0, (int)(-length & 3));
}

/* resolution -1: none given. */
static void interface(struct writer *w, unsigned link, uint32_t snaplen, const char *name, int resolution, int64_t offset)
{
	struct writer b = { .big = w->big };
	char r = (char)resolution;

	put(&b, link, 2);
	put(&b, 0, 2);
	put(&b, snaplen, 4);
	if (name)
		option(&b, 2, (unsigned)strlen(name), name);
	if (resolution >= 0)
		option(&b, 9, 1, &r);
	if (offset) {
		put(&b, 14, 2);
		put(&b, 8, 2);
		put(&b, (uint64_t)offset, 8);
	}
	put(&b, 0, 4);
	block(w, 1, &b);
}

static void enhanced(struct writer *w, uint32_t interface, uint64_t units, const char *bytes, uint32_t wire)
{
	struct writer b = { .big = w->big };

	put(&b, interface, 4);
	put(&b, units >> 32, 4);
	put(&b, units & 0xffffffff, 4);
	put(&b, strlen(bytes), 4);
	put(&b, wire, 4);
	put_bytes(&b, bytes, strlen(bytes));
	block(w, 6, &b);
}

static struct capfile *open_it(const struct writer *w)
{
	struct error err = { .text = "" };
	struct capfile *c;

	assert_int_equal(capfile_open_memory("t.pcap", (struct span){ w->bytes, w->size }, &c, &err), 0);
	return c;
}

static void assert_packet(struct capfile *c, int64_t time_ns, int link, const char *bytes, uint32_t wire)
{
	struct error err = { .text = "" };
	struct capfile_packet p;

	if (capfile_next(c, &p, &err) != 1)
		fail_msg("no packet \"%s\": %s", bytes, err.text);
	assert_int_equal(p.time_ns, time_ns);
	assert_int_equal(p.link_type, link);
	assert_int_equal(p.wire_bytes, wire);
	assert_int_equal(p.frame.size, strlen(bytes));
	assert_memory_equal(p.frame.data, bytes, strlen(bytes));
}

static void assert_end(struct capfile *c)
{
	struct error err = { .text = "" };
	struct capfile_packet p;

	assert_int_equal(capfile_next(c, &p, &err), 0);
	capfile_close(c);
}

static void pcap_in_both_byte_orders_and_resolutions(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct writer w = { .big = i & 1 };
		bool nano = i & 2;

		pcap_header(&w, nano ? 0xa1b23c4d : 0xa1b2c3d4, 113);
		pcap_packet(&w, 4000000000, 5, "first", 1500);
		pcap_packet(&w, 4000000001, 999, "", 0);
		struct capfile *c = open_it(&w);

		assert_packet(c, INT64_C(4000000000000000000) + (nano ? 5 : 5000), 113, "first", 1500);
		assert_packet(c, INT64_C(4000000001000000000) + (nano ? 999 : 999000), 113, "", 0);
		assert_end(c);
	}
}

static void pcapng_blocks_of_every_kind(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct writer w = { .big = big }, b = { .big = big };

		section(&w);
		interface(&w, 1, 4, "eth0", -1, 0);           /* microseconds */
		interface(&w, 113, 0, "any", 9, 100);         /* nanoseconds, 100 s later */
		interface(&w, 101, 0, NULL, 0x80 | 10, -1);   /* 1/1024 s, a second earlier */
		put(&b, 7, 4);
		block(&w, 0x0bad, &b);                        /* unknown: skipped */
		enhanced(&w, 0, 1000000, "mic", 60);
		enhanced(&w, 1, 5, "nan", 61);
		enhanced(&w, 2, 1024 * 3 + 512, "pow", 62);
		b.size = 0;                                   /* simple: cut to interface 0's snaplen */
		put(&b, 9, 4);
		put_bytes(&b, "simpl", 4);
		block(&w, 3, &b);
		b.size = 0;                                   /* the old kind */
		put(&b, 1, 2);
		put(&b, 0, 2);
		put(&b, 0, 4);
		put(&b, 77, 4);
		put(&b, 3, 4);
		put(&b, 3, 4);
		put_bytes(&b, "old", 3);
		block(&w, 2, &b);
		w.big = !big;                                 /* another section, the other way round */
		section(&w);
		interface(&w, 228, 0, "wg0", 3, 0);
		enhanced(&w, 0, 2, "two", 3);

		struct capfile *c = open_it(&w);

		assert_packet(c, 1000000000, 1, "mic", 60);
		assert_string_equal(capfile_interface(c, 0), "eth0");
		assert_string_equal(capfile_interface(c, 1), "any");
		assert_string_equal(capfile_interface(c, 2), "");
		assert_string_equal(capfile_interface(c, 3), "");
		assert_packet(c, INT64_C(100000000005), 113, "nan", 61);
		assert_packet(c, INT64_C(2500000000), 101, "pow", 62);
		assert_packet(c, INT64_C(2500000000), 1, "simp", 9);
		assert_packet(c, INT64_C(100000000077), 113, "old", 3);
		assert_packet(c, 2000000, 228, "two", 3);
		assert_string_equal(capfile_interface(c, 0), "wg0");
		assert_end(c);
	}
}

/* Cut at every byte: what was whole before is read, and then it says where it ends, and never reads beyond. */
static void assert_every_cut_is_told(const struct writer *w, size_t header, size_t packets)
{
	for (size_t n = 0; n < w->size; n++) {
		uint8_t *exact = malloc(n ? n : 1);
		struct error err = { .text = "" };
		struct capfile_packet p;
		struct capfile *c;
		size_t seen = 0;
		int r;

		memcpy(exact, w->bytes, n);
		r = capfile_open_memory("cut.pcap", (struct span){ exact, n }, &c, &err);
		while (r == 0 && (r = capfile_next(c, &p, &err)) == 1) {
			seen++;
			r = 0;
		}
		if (n < header)
			assert_true(r < 0);
		if (r < 0)
			assert_says(err.text, "cut.pcap");
		assert_true(seen < packets);
		capfile_close(c);
		free(exact);
	}
}

static void every_cut_is_told(void **state)
{
	struct writer w = { .big = true }, ng = { .big = false };

	(void)state;
	pcap_header(&w, 0xa1b2c3d4, 1);
	pcap_packet(&w, 1, 2, "abc", 3);
	pcap_packet(&w, 1, 2, "defg", 4);
	assert_every_cut_is_told(&w, 24, 2);
	section(&ng);
	interface(&ng, 1, 0, "eth0", 9, 5);
	enhanced(&ng, 0, 1, "abc", 3);
	enhanced(&ng, 0, 1, "abcd", 4);
	assert_every_cut_is_told(&ng, 4, 2);
}

static void assert_damaged(const struct writer *w, const char *what)
{
	struct error err = { .text = "" };
	struct capfile *c = open_it(w);
	struct capfile_packet p;
	int r;

	while ((r = capfile_next(c, &p, &err)) == 1)
		;
	assert_int_equal(r, -EBADMSG);
	assert_says(err.text, what);
	assert_says(err.text, "at byte");
	capfile_close(c);
}

static void damage_is_told_with_its_place(void **state)
{
	struct writer w = { .big = false }, b = { .big = false };

	(void)state;
	pcap_header(&w, 0xa1b2c3d4, 1);
	put(&w, 0, 8);
	put(&w, 0xffffffff, 4);
	put(&w, 0, 4);
	assert_damaged(&w, "more than 16 MiB");

	w.size = 0;
	section(&w);
	enhanced(&w, 0, 0, "abc", 3);
	assert_damaged(&w, "not described");

	w.size = 0;
	section(&w);
	interface(&w, 1, 0, NULL, -1, 0);
	put(&b, 0, 8);
	put(&b, 0, 4);
	put(&b, 400, 4);
	put(&b, 400, 4);
	block(&w, 6, &b);
	assert_damaged(&w, "longer than its block");

	w.size = 0;
	section(&w);
	interface(&w, 1, 0, NULL, -1, 0);
	w.bytes[w.size - 1] = 1;
	assert_damaged(&w, "lengths differ");
}

static void what_is_no_capture_is_refused(void **state)
{
	struct error err = { .text = "" };
	struct capfile *c;

	(void)state;
	assert_int_equal(capfile_open_memory("x", (struct span){ (const uint8_t *)"no capture", 10 }, &c, &err), -EINVAL);
	assert_says(err.text, "neither a pcap nor a pcapng");
	assert_int_equal(capfile_open_memory("x", (struct span){ (const uint8_t *)"", 0 }, &c, &err), -EINVAL);
	assert_int_equal(capfile_open("/nonexistent/file.pcap", &c, &err), -ENOENT);
	assert_says(err.text, "/nonexistent/file.pcap");
	assert_int_equal(capfile_open("/", &c, &err), -EISDIR);
}

/* From a pipe that gives little at a time, more than one buffer in all. */
static void a_pipe_is_read_to_its_end(void **state)
{
	enum { PACKETS = 400 };
	static char text[4001];
	struct error err = { .text = "" };
	struct capfile_packet p;
	struct capfile *c;
	char path[32];
	int ends[2], n = 0, status;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	memset(text, 'x', sizeof(text) - 1);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct writer w = { .big = false };

		pcap_header(&w, 0xa1b2c3d4, 1);
		for (int i = 0; i < PACKETS; i++) {
			pcap_packet(&w, (uint32_t)i, 0, text, 4000);
			for (size_t at = 0; at < w.size; at += 1000)
				if (write(ends[1], w.bytes + at, w.size - at < 1000 ? w.size - at : 1000) < 0)
					_exit(1);
			w.size = 0;
		}
		_exit(0);
	}
	close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(capfile_open(path, &c, &err), 0);
	while (capfile_next(c, &p, &err) == 1) {
		assert_int_equal(p.time_ns, n * INT64_C(1000000000));
		assert_memory_equal(p.frame.data, text, 4000);
		n++;
	}
	assert_int_equal(n, PACKETS);
	capfile_close(c);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_in_both_byte_orders_and_resolutions),
		cmocka_unit_test(pcapng_blocks_of_every_kind),
		cmocka_unit_test(every_cut_is_told),
		cmocka_unit_test(damage_is_told_with_its_place),
		cmocka_unit_test(what_is_no_capture_is_refused),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
