/* SPDX-License-Identifier: Apache-2.0 */
/* objs: helper/state.c helper/payload.c helper/capability.c helper/command.c */
/* pkgs: libsystemd */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/state.h"
#include "lib/fs.h"
#include "lib/paths.h"

static char root[64];
static struct updater u;

static int make_root(void **state)
{
	(void)state;
	make_directory(root, sizeof(root));
	u = (struct updater){ .root = root, .rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	return u.rootfd < 0;
}

static int delete_root(void **state)
{
	(void)state;
	close(u.rootfd);
	remove_directory(root);
	return 0;
}

static void spoil(const char *text)
{
	_cleanup_close_ int dir = fs_make_dirs(u.rootfd, SR_ADDONS "/probe", 0755, &u.err), fd = -1;

	assert_true(dir >= 0);
	fd = openat(dir, "state.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void nothing_known_is_all_zero(void **state)
{
	static const struct state zero;
	struct state s = { .activated = true, .grant = GRANT_AMBIENT };

	(void)state;
	assert_int_equal(state_read(&u, "probe", &s), 0);
	assert_memory_equal(&s, &zero, sizeof(s));
	assert_int_equal(journal_read(&u, "probe"), JOURNAL_NONE);
}

static void what_is_written_is_read_again(void **state)
{
	struct state in = { .activated = true, .removing = true, .version = "1.2.3-rc.1", .grant = GRANT_AMBIENT,
			    .last_error = "a \"quoted\" line" }, out;

	(void)state;
	memset(in.sha256, 'a', sizeof(in.sha256) - 1);
	assert_int_equal(state_write(&u, "probe", &in), 0);
	assert_int_equal(state_read(&u, "probe", &out), 0);
	assert_true(out.activated);
	assert_true(out.removing);
	assert_string_equal(out.version, in.version);
	assert_string_equal(out.sha256, in.sha256);
	assert_int_equal(out.grant, GRANT_AMBIENT);
	assert_string_equal(out.last_error, in.last_error);
	assert_int_equal(state_read(&u, "other", &out), 0);
	assert_false(out.activated);
}

static void a_damaged_state_is_an_error_that_names_the_file(void **state)
{
	static const char *const damaged[] = { "", "{", "[1]x", "{\"activated\": tru" };
	struct state s;

	(void)state;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		spoil(damaged[i]);
		assert_int_equal(state_read(&u, "probe", &s), -EINVAL);
		assert_says(u.err.text, SR_ADDONS "/probe/state.json");
	}
}

static void a_journal_is_there_from_begin_to_end(void **state)
{
	(void)state;
	for (enum journal_verb v = JOURNAL_ACTIVATE; v <= JOURNAL_DEACTIVATE; v++) {
		assert_int_equal(journal_begin(&u, "probe", v), 0);
		assert_int_equal(journal_read(&u, "probe"), v);
		assert_int_equal(journal_read(&u, "other"), JOURNAL_NONE);
		assert_int_equal(journal_end(&u, "probe"), 0);
		assert_int_equal(journal_read(&u, "probe"), JOURNAL_NONE);
		assert_int_equal(journal_end(&u, "probe"), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_known_is_all_zero, make_root, delete_root),
		cmocka_unit_test_setup_teardown(what_is_written_is_read_again, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_damaged_state_is_an_error_that_names_the_file, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_journal_is_there_from_begin_to_end, make_root, delete_root),
	};

	return cmocka_run_group_tests_name("helper/state.c", tests, NULL, NULL);
}
