/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/srctl/flow_file.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "agent/srctl/flow_file.h"

static struct flow_file file;
static struct error err;

static FILE *begin(const char *text)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(in);
	assert_int_equal(flow_file_begin(&file, in, &err), 0);
	return in;
}

/* As nfdump 1.7 writes it: -o json and -o csv. */
static void hv_19_nfdump_json(void **state)
{
	FILE *in = begin("[\n{\n\t\"type\" : \"FLOW\",\n\t\"first\" : \"2026-11-25T02:46:18.827\",\n\t\"last\" : \"2026-11-25T02:46:18.831\",\n"
			 "\t\"in_packets\" : 3,\n\t\"in_bytes\" : 224,\n\t\"proto\" : 6,\n\t\"src_port\" : 7779,\n\t\"dst_port\" : 50086,\n"
			 "\t\"src6_addr\" : \"::1\",\n\t\"dst6_addr\" : \"::2\",\n\t\"label\" : \"a } brace \\\" and a quote\"\n},\n"
			 "{ \"first\" : \"2026-11-25T02:46:18Z\", \"proto\" : 17, \"src4_addr\" : \"127.0.0.1\", \"dst4_addr\" : \"10.0.0.1\" } ]\n");
	struct flow_line l;

	(void)state;
	assert_int_equal(setenv("TZ", "UTC0", 1), 0);
	tzset();
	assert_int_equal(flow_file_next(&file, &l, &err), 1);
	assert_string_equal(l.source_ip, "::1");
	assert_string_equal(l.destination_ip, "::2");
	assert_int_equal(l.source_port, 7779);
	assert_int_equal(l.destination_port, 50086);
	assert_string_equal(l.protocol, "6");
	assert_int_equal(l.start_ns, 1795574778827000000);
	assert_int_equal(l.end_ns, 1795574778831000000);
	assert_int_equal(l.bytes, 224);
	assert_int_equal(l.packets, 3);
	assert_int_equal(flow_file_next(&file, &l, &err), 1);
	assert_string_equal(l.source_ip, "127.0.0.1");
	assert_int_equal(l.start_ns, 1795574778000000000);
	assert_int_equal(l.source_port, 0);
	assert_int_equal(flow_file_next(&file, &l, &err), 0);
	fclose(in);
}

static void hv_19_nfdump_csv(void **state)
{
	FILE *in = begin("ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt\n"
			 "2026-11-25 02:46:18,2026-11-25 02:46:19,0.004,::1,::2,7779,50086,TCP,...A.RS.,0,0,3,224\n"
			 "2026-11-25 02:46:18,2026-11-25 02:46:18,0.000,127.0.0.1,127.0.0.1,0,8.0,ICMP,........,0,0,1,57\n"
			 "Summary\nflows,bytes\n2,281\n");
	struct flow_line l;

	(void)state;
	assert_int_equal(setenv("TZ", "EST5", 1), 0); /* nfdump writes local time */
	tzset();
	assert_int_equal(flow_file_next(&file, &l, &err), 1);
	assert_string_equal(l.source_ip, "::1");
	assert_string_equal(l.protocol, "TCP");
	assert_int_equal(l.start_ns, 1795592778000000000);
	assert_int_equal(l.end_ns, 1795592779999999999);
	assert_int_equal(flow_file_next(&file, &l, &err), 1);
	assert_int_equal(l.destination_port, 8);
	assert_int_equal(flow_file_next(&file, &l, &err), 0);
	fclose(in);
}

static void ipfix_names_and_numbers_of_any_unit(void **state)
{
	static const char *const starts[] = { "1795574778", "1795574778.000", "1795574778000", "1795574778000000", "1795574778000000000" };
	struct flow_line l;

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		char text[256];
		FILE *in;

		(void)snprintf(text, sizeof(text), "{\"sourceIPv4Address\":\"192.0.2.1\",\"flowStartMilliseconds\":%s,\"protocolIdentifier\":17}", starts[i]);
		in = begin(text);
		assert_int_equal(flow_file_next(&file, &l, &err), 1);
		assert_int_equal(l.start_ns, 1795574778000000000);
		fclose(in);
	}
}

static void what_is_broken_is_said_and_the_next_is_read(void **state)
{
	FILE *in = begin("{\"src4_addr\":\"192.0.2.1\",\"src_port\":\"http\"} {\"first\":\"yesterday\"} {,} {\"src_port\":5}{\"src_port\":6");
	struct flow_line l;

	(void)state;
	assert_int_equal(flow_file_next(&file, &l, &err), -EINVAL);
	assert_non_null(strstr(err.text, "record 1: src_port: \"http\""));
	assert_int_equal(flow_file_next(&file, &l, &err), -EINVAL);
	assert_non_null(strstr(err.text, "record 2: first: \"yesterday\""));
	assert_int_equal(flow_file_next(&file, &l, &err), -EINVAL);
	assert_int_equal(flow_file_next(&file, &l, &err), 1);
	assert_int_equal(l.source_port, 5);
	assert_int_equal(flow_file_next(&file, &l, &err), -EINVAL);
	assert_non_null(strstr(err.text, "ends in the middle"));
	assert_int_equal(flow_file_next(&file, &l, &err), 0);
	fclose(in);
}

static void a_file_that_is_neither_is_refused(void **state)
{
	static const char text[] = "hello, world\n";
	FILE *in = fmemopen((void *)(uintptr_t)text, sizeof(text) - 1, "r");
	struct flow_line l;

	(void)state;
	assert_int_equal(flow_file_begin(&file, in, &err), -EINVAL);
	fclose(in);
	in = begin("   ");
	assert_int_equal(flow_file_next(&file, &l, &err), 0);
	fclose(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hv_19_nfdump_json),
		cmocka_unit_test(hv_19_nfdump_csv),
		cmocka_unit_test(ipfix_names_and_numbers_of_any_unit),
		cmocka_unit_test(what_is_broken_is_said_and_the_next_is_read),
		cmocka_unit_test(a_file_that_is_neither_is_refused),
	};

	return cmocka_run_group_tests_name("agent/srctl/flow_file.c", tests, NULL, NULL);
}
