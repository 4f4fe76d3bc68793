/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/pcapng.c netprobe/capfile.c */

#include "netprobe/capfile.h"
#include "netprobe/link.h"
#include "netprobe/pcapng.h"
#include "tests/unit/unit.h"

static void what_is_written_is_read(void **state)
{
	static const uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	uint8_t out[PCAPNG_HEADER_MAX + 4096];
	struct capfile_packet got;
	struct capfile *file;
	struct error err = { .text = "" };
	size_t used;

	(void)state;
	used = pcapng_header(out, LINKTYPE_ETHERNET, 262144, "eth0", "port 80");
	assert_true(used <= PCAPNG_HEADER_MAX && used % 4 == 0);
	for (size_t n = 0; n <= sizeof(bytes); n++) { /* every padding, in one, two and three parts, with and without a comment */
		const struct pcapng_packet p = { .time_ns = 1700000000123456789 + (int64_t)n, .wire_bytes = (uint32_t)n + 100, .flags = PCAPNG_INBOUND,
						 .parts = { { bytes, n / 3 }, { bytes + n / 3, n / 2 - n / 3 }, { bytes + n / 2, n - n / 2 } },
						 .comment = &"from curl"[n % 4 ? 0 : 9] };
		size_t size = pcapng_packet_size(&p);

		assert_int_equal(pcapng_packet_write(out + used, &p), size);
		assert_true(size <= n + PCAPNG_PACKET_OVERHEAD + 12 && size % 4 == 0);
		used += size;
	}
	assert_int_equal(capfile_open_memory("test", (struct span){ out, used }, &file, &err), 0);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		assert_int_equal(capfile_next(file, &got, &err), 1);
		assert_true(got.time_ns == 1700000000123456789 + (int64_t)n);
		assert_int_equal(got.link_type, LINKTYPE_ETHERNET);
		assert_int_equal(got.wire_bytes, n + 100);
		assert_int_equal(got.frame.size, n);
		assert_memory_equal(got.frame.data, bytes, n);
		assert_string_equal(capfile_interface(file, got.interface), "eth0");
	}
	assert_int_equal(capfile_next(file, &got, &err), 0);
	capfile_close(file);
}

static void a_long_filter_is_cut(void **state)
{
	uint8_t out[PCAPNG_HEADER_MAX];
	static char filter[2 * PCAPNG_TEXT_MAX];

	(void)state;
	memset(filter, 'x', sizeof(filter) - 1);
	assert_true(pcapng_header(out, LINKTYPE_RAW, 0, "a-name-of-15-by", filter) <= PCAPNG_HEADER_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_long_filter_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
