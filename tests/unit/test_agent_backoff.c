/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/backoff.c */
#include "tests/unit/unit.h"

#include "agent/backoff.h"

static void delays_double_up_to_the_limit_with_a_fifth_of_jitter(void **state)
{
	struct backoff b = { .min_us = 1000, .max_us = 60000 };
	uint64_t step = 1000;

	(void)state;
	for (int i = 0; i < 20; i++) {
		uint64_t delay = backoff_next(&b);

		assert_in_range(delay, step * 4 / 5, step);
		step = step * 2 > 60000 ? 60000 : step * 2;
	}
	backoff_reset(&b);
	assert_in_range(backoff_next(&b), 800, 1000);
}

static void two_hosts_do_not_march_in_step(void **state)
{
	struct backoff b = { .min_us = 1000000, .max_us = 1000000 };
	uint64_t first = backoff_next(&b);
	int other = 0;

	(void)state;
	for (int i = 0; i < 50; i++)
		other += backoff_next(&b) != first;
	assert_true(other > 0);
}

static void the_largest_limit_does_not_overflow(void **state)
{
	struct backoff b = { .min_us = UINT64_MAX / 2, .max_us = UINT64_MAX };

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_true(backoff_next(&b) >= UINT64_MAX / 10 * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double_up_to_the_limit_with_a_fifth_of_jitter),
		cmocka_unit_test(two_hosts_do_not_march_in_step),
		cmocka_unit_test(the_largest_limit_does_not_overflow),
	};

	return cmocka_run_group_tests_name("agent/backoff.c", tests, NULL, NULL);
}
