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

static void spoil(const char *name, const char *text)
{
	_cleanup_close_ int dir = fs_make_dirs(u.rootfd, SR_ADDONS "/probe", 0755, &u.err), fd = -1;

	assert_true(dir >= 0);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void nothing_known_is_all_zero(void **state)
{
	static const struct state zero;
	struct state s = { .activated = true, .grant = GRANT_AMBIENT };

	(void)state;
	assert_int_equal(state_read(&u, "probe", &s), 0);
	assert_memory_equal(&s, &zero, sizeof(s));
	assert_int_equal(journal_read(&u, "probe").verb, JOURNAL_NONE);
}

static void what_is_written_is_read_again(void **state)
{
	struct state in = { .activated = true, .removing = true, .label = "1.2.3-rc.1", .version = "1.2.3-rc.1", .previous = "packaged",
			    .highest = "2.0.0", .grant = GRANT_AMBIENT,
			    .last_error = "a \"quoted\" line" }, out;

	(void)state;
	memset(in.sha256, 'a', sizeof(in.sha256) - 1);
	assert_int_equal(state_write(&u, "probe", &in), 0);
	assert_int_equal(state_read(&u, "probe", &out), 0);
	assert_true(out.activated);
	assert_true(out.removing);
	assert_string_equal(out.label, in.label);
	assert_string_equal(out.version, in.version);
	assert_string_equal(out.previous, "packaged");
	assert_string_equal(out.highest, "2.0.0");
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
		spoil("state.json", damaged[i]);
		assert_int_equal(state_read(&u, "probe", &s), -EINVAL);
		assert_says(u.err.text, SR_ADDONS "/probe/state.json");
	}
}

static void a_journal_is_there_from_begin_to_end(void **state)
{
	(void)state;
	for (enum journal_verb v = JOURNAL_ACTIVATE; v <= JOURNAL_REMOVE; v++) {
		const struct journal in = { v, v == JOURNAL_ACTIVATE, v == JOURNAL_ACTIVATE };
		struct journal out;

		assert_int_equal(journal_begin(&u, "probe", &in), 0);
		out = journal_read(&u, "probe");
		assert_int_equal(out.verb, v);
		assert_int_equal(out.running, in.running);
		assert_int_equal(out.disabled, in.disabled);
		assert_int_equal(journal_read(&u, "other").verb, JOURNAL_NONE);
		assert_int_equal(journal_end(&u, "probe"), 0);
		assert_int_equal(journal_read(&u, "probe").verb, JOURNAL_NONE);
		assert_int_equal(journal_end(&u, "probe"), 0);
	}
}

static void a_damaged_journal_is_still_one(void **state)
{
	(void)state;
	spoil("journal", "{");
	assert_int_equal(journal_read(&u, "probe").verb, JOURNAL_ACTIVATE);
	assert_true(journal_read(&u, "probe").running);
}

static void a_state_that_names_no_version_is_damaged(void **state)
{
	static const char *const damaged[] = {
		"{\"active\": \"../../etc\"}", "{\"previous\": \"1.0\"}", "{\"highest_version\": \"x\"}", "{\"activated\": true}",
	};
	struct state s;

	(void)state;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		spoil("state.json", damaged[i]);
		assert_int_equal(state_read(&u, "probe", &s), -EINVAL);
		assert_false(s.activated);
		assert_says(u.err.text, "state.json");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_known_is_all_zero, make_root, delete_root),
		cmocka_unit_test_setup_teardown(what_is_written_is_read_again, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_damaged_state_is_an_error_that_names_the_file, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_state_that_names_no_version_is_damaged, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_damaged_journal_is_still_one, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_journal_is_there_from_begin_to_end, make_root, delete_root),
	};

	return cmocka_run_group_tests_name("helper/state.c", tests, NULL, NULL);
}
