/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "lib/minisign.h"
#include "tests/unit/unit.h"

/* One key in sixteen has an id that minisign prints shorter, in the comment of its .pub file, from where it is copied. */
static void dl_11_a_key_id_as_minisign_prints_it(void **state)
{
	static const char *const bad[] = { "", "F9FA1027", "F9FA10275AA", "00F9FA10275AAD1FD", "F9FA10275AAD1FDX", "F9FA1027 AAD1FD" };
	uint8_t full[8], printed[8];
	char text[17];

	(void)state;
	assert_int_equal(minisign_id_parse("0F9FA10275AAD1FD", full), 0);
	assert_int_equal(minisign_id_parse("F9FA10275AAD1FD", printed), 0);
	assert_memory_equal(full, printed, 8);
	minisign_id_format(printed, text);
	assert_string_equal(text, "0F9FA10275AAD1FD");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(minisign_id_parse(bad[i], full), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dl_11_a_key_id_as_minisign_prints_it),
	};

	return cmocka_run_group_tests_name("lib/minisign.c", tests, NULL, NULL);
}
