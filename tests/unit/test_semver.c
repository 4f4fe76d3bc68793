/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/manifest.h"
#include "tests/unit/unit.h"

static void precedence_is_that_of_semver_org(void **state)
{
	/* semver.org 2.0.0, section 11, in rising order. */
	static const char *const order[] = { "0.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
					     "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0",
					     "1.10.0", "2.0.0", "99999999999999999999.0.0" };
	size_t n = sizeof(order) / sizeof(order[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			int c = semver_compare(order[i], order[j]);

			assert_true(i < j ? c < 0 : (i > j ? c > 0 : c == 0));
		}
	assert_int_equal(semver_compare("1.0.0+build.1", "1.0.0+other"), 0);
}

static void what_is_no_version_is_refused(void **state)
{
	static const char *const bad[] = { "", "1", "1.2", "1.2.3.4", "01.2.3", "1.02.3", "1.2.3-", "1.2.3-01", "1.2.3+", "v1.2.3",
					   "1.2.3-a..b", "1.2.3 ", " 1.2.3", "1.2.x", "-1.2.3", "1.2.3-\xc3\xa9", "../1.2.3" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(semver_valid(bad[i]));
	assert_true(semver_valid("1.2.3-alpha.1+001"));
	assert_true(semver_valid("0.0.0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(precedence_is_that_of_semver_org),
		cmocka_unit_test(what_is_no_version_is_refused),
	};

	return cmocka_run_group_tests_name("lib/semver.c", tests, NULL, NULL);
}
