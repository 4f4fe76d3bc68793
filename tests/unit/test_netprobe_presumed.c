/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/presumed.c netprobe/process.c netprobe/cgroup.c netprobe/container.c */
/* pkgs: libprotobuf-c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "netprobe/presumed.h"

static struct presumed p;
static struct event got[16];
static unsigned n_got;

static void keep(const struct event *e, void *userdata)
{
	(void)userdata;
	if (n_got < 16)
		got[n_got] = *e;
	n_got++;
}

static int fresh(void **state)
{
	(void)state;
	n_got = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	presumed_free(&p);
	return 0;
}

static void take(uint64_t cookie, uint8_t kind, uint8_t flags, uint32_t pid, uint64_t time_ns)
{
	struct event e = { .kernel = { .cookie = cookie, .kind = kind, .flags = flags, .pid = pid, .time_ns = time_ns } };

	presumed_take(&p, &e, keep, NULL);
}

static void hv_22_a_correction_becomes_one_with_its_accept(void **state)
{
	(void)state;
	take(1, EVENT_ACCEPT, EVENT_PRESUMED, 100, 1000);
	take(2, EVENT_CONNECT, 0, 200, 1001); /* others are not held up */
	assert_int_equal(n_got, 1);
	take(1, EVENT_ACCEPT, EVENT_CORRECTED, 101, 2000);
	assert_int_equal(n_got, 2);
	assert_int_equal(got[1].kernel.pid, 101);
	assert_int_equal(got[1].kernel.time_ns, 1000);
	assert_int_equal(p.merged, 1);
	assert_int_equal(p.held, 0);
	take(1, EVENT_ACCEPT, EVENT_CORRECTED, 102, 3000); /* handed on: an event of its own */
	assert_int_equal(n_got, 3);
	assert_int_equal(p.merged, 1);
}

static void an_accept_goes_before_its_close(void **state)
{
	(void)state;
	take(1, EVENT_ACCEPT, EVENT_PRESUMED, 100, 1000);
	take(1, EVENT_CLOSE, 0, 100, 1001);
	assert_int_equal(n_got, 2);
	assert_int_equal(got[0].kernel.kind, EVENT_ACCEPT);
	assert_int_equal(got[1].kernel.kind, EVENT_CLOSE);
}

static void it_waits_no_longer_than_it_may(void **state)
{
	(void)state;
	take(1, EVENT_ACCEPT, EVENT_PRESUMED, 100, 1000);
	take(2, EVENT_ACCEPT, EVENT_PRESUMED, 101, 1000 + PRESUMED_HOLD_NS);
	presumed_expire(&p, 999 + PRESUMED_HOLD_NS, keep, NULL);
	assert_int_equal(n_got, 0);
	presumed_expire(&p, 1000 + PRESUMED_HOLD_NS, keep, NULL);
	assert_int_equal(n_got, 1);
	assert_int_equal(got[0].kernel.pid, 100);
	presumed_expire(&p, UINT64_MAX, keep, NULL);
	assert_int_equal(n_got, 2);
}

static void it_is_bounded_and_loses_nothing(void **state)
{
	uint64_t in = 0;

	(void)state;
	for (uint64_t i = 1; i < 3 * PRESUMED_MAX; i++, in++) {
		take(i, EVENT_ACCEPT, EVENT_PRESUMED, 100, i);
		if (i % 3 == 0)
			take(i, EVENT_ACCEPT, EVENT_CORRECTED, 101, i);
		assert_true(p.held <= PRESUMED_MAX);
	}
	presumed_expire(&p, UINT64_MAX, keep, NULL);
	assert_int_equal(n_got, in);
	assert_int_equal(p.held, 0);
}

static void references_are_given_back(void **state)
{
	struct process *process = calloc(1, sizeof(*process));
	struct event e = { .process = process, .kernel = { .cookie = 1, .kind = EVENT_ACCEPT, .flags = EVENT_PRESUMED } };

	(void)state;
	process->refs = 1;
	presumed_take(&p, &e, keep, NULL);
	assert_int_equal(process->refs, 2);
	e.kernel.flags = EVENT_CORRECTED;
	presumed_take(&p, &e, keep, NULL);
	assert_int_equal(process->refs, 1);
	e.kernel.flags = EVENT_PRESUMED;
	presumed_take(&p, &e, keep, NULL);
	presumed_free(&p);
	assert_int_equal(process->refs, 1);
	process_unref(process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hv_22_a_correction_becomes_one_with_its_accept, fresh, end),
		cmocka_unit_test_setup_teardown(an_accept_goes_before_its_close, fresh, end),
		cmocka_unit_test_setup_teardown(it_waits_no_longer_than_it_may, fresh, end),
		cmocka_unit_test_setup_teardown(it_is_bounded_and_loses_nothing, fresh, end),
		cmocka_unit_test_setup_teardown(references_are_given_back, fresh, end),
	};

	return cmocka_run_group_tests_name("netprobe/presumed.c", tests, NULL, NULL);
}
