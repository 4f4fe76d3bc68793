/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/inbox_file.c agent/inbox_dir.c */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/inbox_dir.h"
#include "agent/inbox_file.h"
#include "lib/json.h"

static char root[64], spool[128];
static int rootfd;

static int make_root(void **state)
{
	char command[320];

	(void)state;
	make_directory(root, sizeof(root));
	snprintf(spool, sizeof(spool), "%s/var/lib/serviceradar/spool/probe", root);
	snprintf(command, sizeof(command), "umask 022; mkdir -p %s && chmod 770 %s", spool, spool);
	assert_int_equal(system(command), 0);
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return rootfd < 0;
}

static int delete_root(void **state)
{
	(void)state;
	close(rootfd);
	remove_directory(root);
	return 0;
}

/* The spool with one file `x.jsonl` of this content, read. */
static int read_text(const char *text, size_t size, struct inbox_file *f, struct error *err)
{
	int dir = open(spool, O_RDONLY | O_DIRECTORY), r, fd = openat(dir, "x.jsonl", O_WRONLY | O_CREAT | O_TRUNC, 0640);

	assert_int_equal(write(fd, text, size), size);
	close(fd);
	r = inbox_file_open(dir, "x.jsonl", geteuid(), f, err);
	close(dir);
	return r;
}

static void dl_4_lines_come_in_their_order_and_can_be_read_again(void **state)
{
	static const char text[] = "{\"n\": 1}\n{\"n\": 2, \"deep\": {\"a\": [1, 2]}}\n{\"n\": 3}\n";
	struct inbox_file f;
	struct error err;

	(void)state;
	assert_int_equal(read_text(text, strlen(text), &f, &err), 0);
	for (int again = 0; again < 2; again++) {
		struct json_object *o, *n;

		for (int i = 1; i <= 3; i++) {
			assert_int_equal(inbox_file_next(&f, &o), 1);
			assert_true(json_object_object_get_ex(o, "n", &n));
			assert_int_equal(json_object_get_int(n), i);
			assert_int_equal(f.line, i);
			json_object_put(o);
		}
		assert_int_equal(inbox_file_next(&f, &o), 0);
		f.offset = 0;
		f.line = 0;
	}
	inbox_file_close(&f);
}

static void dl_4_a_file_is_taken_whole_or_not_at_all(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "empty" },
		{ "{}", "line 1: cut off" },
		{ "{}\n{\"a\"", "line 2: cut off" },
		{ "{}\n\n", "line 2: empty" },
		{ "{}\n[]\n", "line 2: no JSON object" },
		{ "{}\nnull\n", "line 2: no JSON object" },
		{ "{} {}\n", "more text" },
		{ "{\"a\":1,\"a\":2}\n", "twice" },
		{ "{\"a\":\"\xff\"}\n", "line 1" },
		{ "{\"a\":1 // x\n}\n", "line 1" },
	};
	struct inbox_file f;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(read_text(bad[i].text, strlen(bad[i].text), &f, &err), -EBADMSG);
		assert_says(err.text, bad[i].says);
		assert_null(f.text);
	}
	assert_int_equal(read_text("{\"a\":\0}\n", 8, &f, &err), -EBADMSG);
}

static void dl_4_limits_of_a_file(void **state)
{
	_cleanup_free_ char *text = calloc(1, INBOX_FILE_BYTES + 2);
	struct inbox_file f;
	struct error err;
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < INBOX_FILE_LINES; i++, n += 3)
		memcpy(text + n, "{}\n", 3);
	assert_int_equal(read_text(text, n, &f, &err), 0);
	inbox_file_close(&f);
	memcpy(text + n, "{}\n", 3);
	assert_int_equal(read_text(text, n + 3, &f, &err), -EBADMSG);
	assert_says(err.text, "more than 10000 lines");

	memset(text, ' ', INBOX_FILE_BYTES + 1);
	text[0] = '{';
	text[INBOX_LINE_BYTES - 1] = '}';
	text[INBOX_LINE_BYTES] = '\n';
	assert_int_equal(read_text(text, INBOX_LINE_BYTES + 1, &f, &err), 0);
	inbox_file_close(&f);
	text[INBOX_LINE_BYTES] = ' ';
	text[INBOX_LINE_BYTES + 1] = '\n';
	assert_int_equal(read_text(text, INBOX_LINE_BYTES + 2, &f, &err), -EBADMSG);
	assert_says(err.text, "at most 16384");
	text[INBOX_FILE_BYTES] = '\n';
	assert_int_equal(read_text(text, INBOX_FILE_BYTES + 1, &f, &err), -EBADMSG);
	assert_says(err.text, "at most 1048576");
}

static void dl_4_only_regular_files_of_the_add_on_are_opened(void **state)
{
	int dir = open(spool, O_RDONLY | O_DIRECTORY);
	struct inbox_file f;
	struct error err;

	(void)state;
	write_text(spool, "good.jsonl", "{}\n");
	assert_int_equal(symlinkat("good.jsonl", dir, "link.jsonl"), 0);
	assert_int_equal(inbox_file_open(dir, "link.jsonl", geteuid(), &f, &err), -EBADMSG);
	assert_int_equal(mkfifoat(dir, "pipe.jsonl", 0600), 0);
	assert_int_equal(inbox_file_open(dir, "pipe.jsonl", geteuid(), &f, &err), -EBADMSG);
	assert_int_equal(inbox_file_open(dir, "good.jsonl", geteuid() + 1, &f, &err), -EBADMSG);
	assert_says(err.text, "owned by uid");
	assert_int_equal(linkat(dir, "good.jsonl", dir, "second.jsonl", 0), 0);
	assert_int_equal(inbox_file_open(dir, "good.jsonl", geteuid(), &f, &err), -EBADMSG);
	assert_says(err.text, "2 names");
	assert_int_equal(unlinkat(dir, "second.jsonl", 0), 0);
	assert_int_equal(inbox_file_open(dir, "good.jsonl", geteuid(), &f, &err), 0);
	inbox_file_close(&f);
	assert_int_equal(inbox_file_open(dir, "gone.jsonl", geteuid(), &f, &err), -ENOENT);
	close(dir);
}

static void dl_4_names(void **state)
{
	static const char *const good[] = { "a.jsonl", "accounts-20261125T050102.000000001.jsonl", "0_-.x.jsonl" };
	static const char *const bad[] = { "", ".jsonl", ".a.jsonl", "a.json", "a.jsonl.gz", "a b.jsonl", "a\n.jsonl", "\xc3\xa4.jsonl" };
	char longest[160];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(inbox_name_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(inbox_name_valid(bad[i]));
	memset(longest, 'a', sizeof(longest));
	strcpy(longest + 129 - strlen(INBOX_SUFFIX), INBOX_SUFFIX);
	assert_false(inbox_name_valid(longest));
	assert_true(inbox_name_valid(longest + 1));
}

static void dl_4_the_directory_and_who_may_own_it(void **state)
{
	struct inbox_names names;
	struct inbox_dir d;
	struct error err;
	char path[256];

	(void)state;
	assert_int_equal(inbox_dir_open(rootfd, "nonesuch", geteuid(), &d, &err), -ENOENT);
	assert_int_equal(inbox_dir_open(rootfd, "probe", geteuid() + 1, &d, &err), -EPERM);
	assert_int_equal(chmod(spool, 0777), 0);
	assert_int_equal(inbox_dir_open(rootfd, "probe", geteuid(), &d, &err), -EPERM);
	assert_int_equal(chmod(spool, 0770), 0);
	assert_int_equal(inbox_dir_open(rootfd, "probe", geteuid(), &d, &err), 0);
	write_text(spool, "b.jsonl", "{}\n");
	write_text(spool, "a.jsonl", "{}\n");
	write_text(spool, ".c.jsonl", "{}\n");
	assert_int_equal(inbox_dir_list(d.fd, &names), 0);
	assert_int_equal(names.n, 2); /* neither what is being written nor the agent's own folders */
	assert_string_equal(names.v[0], "a.jsonl");
	assert_string_equal(names.v[1], "b.jsonl");
	free(names.v);
	assert_int_equal(inbox_dir_move(d.fd, d.taken, "a.jsonl", &err), 0);
	assert_int_equal(inbox_dir_move(d.fd, d.taken, "a.jsonl", &err), -ENOENT);
	inbox_dir_close(&d);
	/* A folder that the add-on has put in the place of the agent's own. */
	snprintf(path, sizeof(path), "%s/quarantine", spool);
	assert_int_equal(chmod(path, 0755), 0);
	assert_int_equal(inbox_dir_open(rootfd, "probe", geteuid(), &d, &err), -EPERM);
	assert_says(err.text, "quarantine");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink("/tmp", path), 0);
	assert_true(inbox_dir_open(rootfd, "probe", geteuid(), &d, &err) < 0);
}

static void dl_4_the_oldest_go_first(void **state)
{
	struct inbox_names names;
	int dir = open(spool, O_RDONLY | O_DIRECTORY);
	struct timespec before = { 0, 0 };
	struct stat st;
	char name[32];

	(void)state;
	for (int i = 9; i >= 0; i--) { /* the newest has the first name */
		snprintf(name, sizeof(name), "%d.jsonl", i);
		write_text(spool, name, "0123456789");
		do { /* until the file system's clock has gone on */
			assert_int_equal(renameat(dir, name, dir, ".x"), 0);
			assert_int_equal(renameat(dir, ".x", dir, name), 0);
			assert_int_equal(fstatat(dir, name, &st, 0), 0);
		} while (memcmp(&st.st_ctim, &before, sizeof(before)) == 0);
		before = st.st_ctim;
	}
	assert_int_equal(inbox_dir_prune(dir, 10, 100), 0);
	assert_int_equal(inbox_dir_prune(dir, 8, 100), 2);
	assert_int_equal(inbox_dir_prune(dir, 8, 55), 3);
	assert_int_equal(inbox_dir_list(dir, &names), 0);
	assert_int_equal(names.n, 5);
	assert_string_equal(names.v[0], "0.jsonl");
	assert_string_equal(names.v[4], "4.jsonl");
	free(names.v);
	close(dir);
}

#define test(f) cmocka_unit_test_setup_teardown(f, make_root, delete_root)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(dl_4_lines_come_in_their_order_and_can_be_read_again),
		test(dl_4_a_file_is_taken_whole_or_not_at_all),
		test(dl_4_limits_of_a_file),
		test(dl_4_only_regular_files_of_the_add_on_are_opened),
		test(dl_4_names),
		test(dl_4_the_directory_and_who_may_own_it),
		test(dl_4_the_oldest_go_first),
	};

	return cmocka_run_group_tests_name("agent/inbox_file.c, agent/inbox_dir.c", tests, NULL, NULL);
}
