/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/flows.c proto/netprobe.pb-c.c */
/* pkgs: json-c libprotobuf-c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "agent/flows.h"

static void add(struct flows *f, uint64_t cookie, uint32_t kind, int64_t at)
{
	NpFlowEvent e = NP_FLOW_EVENT_INIT;

	e.local_ip = (char *)"127.0.0.1";
	e.remote_ip = (char *)"127.0.0.2";
	e.transport_protocol = (char *)"tcp";
	e.comm = (char *)"curl";
	e.socket_address = cookie;
	e.event_kind = kind;
	e.observed_at_unix_nano = at;
	flows_add(f, &e);
}

static void a_close_takes_over_opening_and_direction(void **state)
{
	struct flows *f = flows_new();
	uint64_t n = 0, missed = 0;
	const struct flow *w;

	(void)state;
	add(f, 5, NP_KIND_CONNECT, 100);
	add(f, 5, NP_KIND_CLOSE, 200);
	w = flows_next(f, &n, &missed);
	assert_true(w->superseded);
	w = flows_next(f, &n, &missed);
	assert_false(w->superseded);
	assert_int_equal(w->opened_ns, 100);
	assert_int_equal(w->direction, FLOW_OUT);
	assert_null(flows_next(f, &n, &missed));
	flows_free(f);
}

static void a_slow_reader_misses_a_known_number(void **state)
{
	struct flows *f = flows_new();
	uint64_t n = 0, missed = 0, seen = 0;
	const struct flow *w;

	(void)state;
	for (uint64_t i = 0; i < 3 * FLOWS_MAX + 7; i++)
		add(f, i % 900 + 1, i % 2 ? NP_KIND_CONNECT : NP_KIND_CLOSE, (int64_t)i);
	while ((w = flows_next(f, &n, &missed))) {
		struct json_object *o = flow_to_json(w);

		assert_non_null(o);
		json_object_put(o);
		seen++;
	}
	assert_int_equal(seen, FLOWS_MAX);
	assert_int_equal(seen + missed, 3 * FLOWS_MAX + 7);
	flows_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_close_takes_over_opening_and_direction),
		cmocka_unit_test(a_slow_reader_misses_a_known_number),
	};

	return cmocka_run_group_tests_name("agent/flows.c", tests, NULL, NULL);
}
