/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fs.h"
#include "tests/unit/unit.h"

/* A root of its own: DIR/a/b, owned by whoever runs this. */
struct tree {
	char dir[64];
	int fd;
};

static int setup(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	make_directory(t->dir, sizeof(t->dir));
	t->fd = open(t->dir, O_RDONLY | O_DIRECTORY);
	assert_true(t->fd >= 0);
	assert_int_equal(mkdirat(t->fd, "a", 0755), 0);
	assert_int_equal(mkdirat(t->fd, "a/b", 0755), 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct tree *t = *state;

	close(t->fd);
	remove_directory(t->dir);
	free(t);
	return 0;
}

static int open_close(struct tree *t, const char *path, bool trusted, struct error *err)
{
	int fd = fs_open_dir(t->fd, path, trusted, err);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static void paths_are_plain(void **state)
{
	static const char *const bad[] = { "a/b", "", "/a/../a", "/a/./b", "/a//b", "/a/b/" };
	struct error err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(open_close(*state, bad[i], false, &err), -EINVAL);
	assert_int_equal(open_close(*state, "/a/b", false, &err), 0);
	assert_int_equal(open_close(*state, "/", false, &err), 0);
	assert_int_equal(open_close(*state, "/a/none", false, &err), -ENOENT);
	assert_says(err.text, "/a/none");
}

static void links_on_the_way_are_not_followed(void **state)
{
	struct tree *t = *state;
	struct error err;

	assert_int_equal(symlinkat("b", t->fd, "a/link"), 0);
	assert_int_equal(open_close(t, "/a/link", false, &err), -ELOOP);
	assert_int_equal(symlinkat("/etc", t->fd, "etc"), 0); /* out of the root */
	assert_int_equal(open_close(t, "/etc", false, &err), -ELOOP);
	assert_int_equal(symlinkat("../..", t->fd, "up"), 0);
	assert_int_equal(open_close(t, "/up", false, &err), -ELOOP);
	if (geteuid() != 0)
		return;
	assert_int_equal(symlinkat("a", t->fd, "lib"), 0); /* as merged /usr has it */
	assert_int_equal(open_close(t, "/lib/b", true, &err), 0);
	assert_int_equal(fchownat(t->fd, "lib", 1, 1, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(open_close(t, "/lib/b", true, &err), -ELOOP);
}

static void what_others_can_change_is_not_trusted(void **state)
{
	struct tree *t = *state;
	struct error err;

	if (geteuid() != 0)
		skip(); /* needs root, to own things as somebody else */
	assert_int_equal(open_close(t, "/a/b", true, &err), 0);
	assert_int_equal(fchmodat(t->fd, "a", 0775, 0), 0);
	assert_int_equal(open_close(t, "/a/b", true, &err), -EPERM);
	assert_says(err.text, "0775");
	assert_int_equal(fchmodat(t->fd, "a", 01777, 0), 0); /* sticky: nobody can replace another one's entry */
	assert_int_equal(open_close(t, "/a/b", true, &err), 0);
	assert_int_equal(fchmodat(t->fd, "a", 0755, 0), 0);
	assert_int_equal(fchownat(t->fd, "a/b", 1, 1, 0), 0);
	assert_int_equal(open_close(t, "/a/b", true, &err), -EPERM);
	assert_says(err.text, "uid 1");
}

static void only_regular_files_are_opened(void **state)
{
	struct tree *t = *state;
	struct error err;
	int fd;

	write_text(t->dir, "file", "x");
	assert_int_equal(symlinkat("file", t->fd, "link"), 0);
	assert_int_equal(mkfifoat(t->fd, "fifo", 0600), 0);
	fd = fs_open_file(t->fd, "file", "shown", &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fs_open_file(t->fd, "link", "shown", &err), -ELOOP);
	assert_says(err.text, "shown");
	assert_int_equal(fs_open_file(t->fd, "fifo", "shown", &err), -EINVAL);
	assert_int_equal(fs_open_file(t->fd, "a", "shown", &err), -EINVAL);
	assert_int_equal(fs_open_file(t->fd, "none", "shown", &err), -ENOENT);
}

static void files_are_replaced_whole_or_not_at_all(void **state)
{
	struct tree *t = *state;
	char *text = NULL;
	size_t size = 0;
	struct error err;
	struct stat st;

	write_text(t->dir, ".f.new", "left by a crash");
	assert_int_equal(fs_write_atomic(t->fd, "f", "one", 3, 0640, (uid_t)-1, (gid_t)-1, &err), 0);
	assert_int_equal(fs_read_file(t->fd, "f", 10, &text, &size, &err), 0);
	assert_int_equal(size, 3);
	assert_string_equal(text, "one");
	free(text);
	assert_int_equal(fstatat(t->fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(fs_read_file(t->fd, "f", 2, &text, &size, &err), -EFBIG);
	/* A directory in the way: nothing changes, nothing is left. */
	assert_true(fs_write_atomic(t->fd, "a", "x", 1, 0644, (uid_t)-1, (gid_t)-1, &err) < 0);
	assert_int_equal(fstatat(t->fd, ".a.new", &st, 0), -1);
	assert_int_equal(fstatat(t->fd, "a/b", &st, 0), 0);
}

static void a_link_moves_by_rename_and_stays_when_right(void **state)
{
	struct tree *t = *state;
	struct error err;
	struct stat before, after;
	char target[64];
	ssize_t n;

	assert_int_equal(fs_symlink_atomic(t->fd, "current", "a", &err), 0);
	assert_int_equal(fstatat(t->fd, "current", &before, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fs_symlink_atomic(t->fd, "current", "a", &err), 0);
	assert_int_equal(fstatat(t->fd, "current", &after, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(fs_symlink_atomic(t->fd, "current", "a/b", &err), 0);
	n = readlinkat(t->fd, "current", target, sizeof(target) - 1);
	assert_int_equal(n, 3);
	assert_memory_equal(target, "a/b", 3);
}

static void the_digest_is_sha256_and_leaves_the_offset(void **state)
{
	struct tree *t = *state;
	char hex[65];
	struct error err;
	int fd;

	write_text(t->dir, "abc", "abc"); /* FIPS 180-4, the one-block example */
	fd = openat(t->fd, "abc", O_RDONLY);
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	assert_int_equal(fs_sha256_fd(fd, hex, &err), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1);
	close(fd);
}

static void accounts_of_another_root(void **state)
{
	struct tree *t = *state;
	uid_t uid = 0;
	gid_t gid = 0;

	assert_int_equal(mkdirat(t->fd, "etc", 0755), 0);
	write_text(t->dir, "etc/passwd", "root:x:0:0::/:/bin/sh\nserviceradar:x:997:996::/:/x\n");
	assert_int_equal(fs_lookup_user(t->dir, "serviceradar", &uid, &gid), 0);
	assert_int_equal(uid, 997);
	assert_int_equal(gid, 996);
	assert_int_equal(fs_lookup_user(t->dir, "service", &uid, &gid), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(paths_are_plain, setup, teardown),
		cmocka_unit_test_setup_teardown(links_on_the_way_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_others_can_change_is_not_trusted, setup, teardown),
		cmocka_unit_test_setup_teardown(only_regular_files_are_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(files_are_replaced_whole_or_not_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(a_link_moves_by_rename_and_stays_when_right, setup, teardown),
		cmocka_unit_test_setup_teardown(the_digest_is_sha256_and_leaves_the_offset, setup, teardown),
		cmocka_unit_test_setup_teardown(accounts_of_another_root, setup, teardown),
	};

	return cmocka_run_group_tests_name("lib/fs.c", tests, NULL, NULL);
}
