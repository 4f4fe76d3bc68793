/* SPDX-License-Identifier: Apache-2.0 */
/* objs: helper/command.c */
#include "tests/unit/unit.h"

#include <errno.h>

#include "helper/command.h"

static void the_exit_status_and_the_output_come_back(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "echo said; exit 3", NULL };
	char out[64];

	(void)state;
	assert_int_equal(command_run(argv, out, sizeof(out)), 3);
	assert_string_equal(out, "said\n");
}

static void output_past_the_room_is_cut_and_the_program_still_ends(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x; exit 4", NULL };
	char out[9];

	(void)state;
	assert_int_equal(command_run(argv, out, sizeof(out)), 4);
	assert_string_equal(out, "xxxxxxxx");
}

static void neither_environment_nor_input_is_handed_on(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "env | grep -c SR_TEST; cat", NULL };
	char out[64];

	(void)state;
	assert_int_equal(setenv("SR_TEST", "1", 1), 0);
	assert_int_equal(command_run(argv, out, sizeof(out)), 0);
	assert_string_equal(out, "0\n");
}

static void what_is_not_there_says_so(void **state)
{
	const char *const absent[] = { "/nonexistent", NULL };
	char out[8];

	(void)state;
	if (getenv("EMULATED"))
		skip(); /* QEMU makes a vfork a fork: the child of posix_spawn cannot tell its parent */
	assert_int_equal(command_run(absent, out, sizeof(out)), -ENOENT);
}

static void what_is_killed_says_so(void **state)
{
	const char *const killed[] = { "/bin/sh", "-c", "kill -9 $$", NULL };
	char out[8];

	(void)state;
	assert_int_equal(command_run(killed, out, sizeof(out)), -ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_exit_status_and_the_output_come_back),
		cmocka_unit_test(output_past_the_room_is_cut_and_the_program_still_ends),
		cmocka_unit_test(neither_environment_nor_input_is_handed_on),
		cmocka_unit_test(what_is_not_there_says_so),
		cmocka_unit_test(what_is_killed_says_so),
	};

	return cmocka_run_group_tests_name("helper/command.c", tests, NULL, NULL);
}
