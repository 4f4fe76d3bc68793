/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/caps.h"
#include "tests/unit/unit.h"

#define NETPROBE (((caps_mask)1 << 13) | ((caps_mask)1 << 38) | ((caps_mask)1 << 39))

static void dl_3_the_allowlist_is_the_contracts(void **state)
{
	static const char *const allowed[] = { "cap_net_raw", "cap_bpf", "cap_perfmon", "cap_net_admin", "cap_net_bind_service",
					       "cap_dac_read_search", "cap_sys_ptrace", "cap_sys_resource" };
	caps_mask mask = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		mask |= (caps_mask)1 << caps_from_name(allowed[i]);
	assert_true(mask == caps_allowlist());
}

static void names_and_numbers(void **state)
{
	char text[128], small[8];

	(void)state;
	assert_int_equal(caps_from_name("CAP_BPF"), 39);
	assert_int_equal(caps_from_name("cap_sys_admin"), 21);
	assert_int_equal(caps_from_name("bpf"), -EINVAL);
	assert_int_equal(caps_from_name("cap_none"), -EINVAL);
	assert_int_equal(caps_from_name("cap_bpf,cap_sys_admin"), -EINVAL);
	assert_int_equal(caps_from_name(""), -EINVAL);
	assert_string_equal(caps_format(NETPROBE, text, sizeof(text)), "cap_net_raw,cap_perfmon,cap_bpf");
	assert_string_equal(caps_format(0, text, sizeof(text)), "none");
	assert_true(strlen(caps_format(NETPROBE, small, sizeof(small))) < sizeof(small));
}

static void the_own_process(void **state)
{
	struct caps_process now;
	struct error err;

	(void)state;
	assert_int_equal(caps_of_process(getpid(), &now, &err), 0);
	assert_int_equal(now.uid, geteuid());
	assert_true((now.effective & ~now.permitted) == 0);
	assert_true(caps_of_process(0x7fffffff, &now, &err) < 0);
}

static void dl_3_file_capabilities_are_set_read_back_and_taken_away(void **state)
{
	char dir[64], path[128];
	caps_mask mask;
	bool effective;
	struct error err;
	int fd;

	(void)state;
	if (geteuid() != 0)
		skip(); /* needs CAP_SETFCAP */
	make_directory(dir, sizeof(dir));
	write_text(dir, "f", "x");
	snprintf(path, sizeof(path), "%s/f", dir);
	fd = open(path, O_RDONLY);
	assert_int_equal(caps_get_file(fd, &mask, &effective, &err), 0);
	assert_true(mask == 0 && !effective);
	if (caps_set_file(fd, NETPROBE, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(caps_get_file(fd, &mask, &effective, &err), 0);
	assert_true(mask == NETPROBE && effective);
	assert_int_equal(caps_set_file(fd, 0, &err), 0);
	assert_int_equal(caps_set_file(fd, 0, &err), 0); /* twice is no error */
	assert_int_equal(caps_get_file(fd, &mask, &effective, &err), 0);
	assert_true(mask == 0);
	close(fd);
	remove_directory(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dl_3_the_allowlist_is_the_contracts),
		cmocka_unit_test(names_and_numbers),
		cmocka_unit_test(the_own_process),
		cmocka_unit_test(dl_3_file_capabilities_are_set_read_back_and_taken_away),
	};

	return cmocka_run_group_tests_name("lib/caps.c", tests, NULL, NULL);
}
