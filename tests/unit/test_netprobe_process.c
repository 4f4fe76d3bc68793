/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/process.c netprobe/cgroup.c netprobe/container.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "netprobe/cgroup.h"
#include "netprobe/process.h"

static struct process_table table;

static int clean(void **state)
{
	(void)state;
	process_table_free(&table);
	assert_int_equal(table.count, 0);
	return 0;
}

static struct process_record record(uint32_t pid, uint64_t start, const char *argv0, uint32_t argc, const char *executable)
{
	struct process_record r = { .record = RECORD_PROCESS, .pid = pid, .start_ns = start, .argc = argc };

	(void)snprintf(r.argv0, sizeof(r.argv0), "%s", argv0);
	(void)snprintf(r.executable, sizeof(r.executable), "%s", executable);
	return r;
}

static void hv_22_a_number_that_is_used_again_is_another_process(void **state)
{
	struct process_record a = record(7, 100, "old", 1, "/bin/old"), b = record(7, 200, "new", 3, "/bin/new");

	(void)state;
	assert_int_equal(process_note(&table, &a), 0);
	process_exited(&table, 7, 100);
	assert_int_equal(process_note(&table, &b), 0);
	assert_string_equal(process_find(&table, 7, 100)->cmdline, "old");
	assert_string_equal(process_find(&table, 7, 200)->cmdline, "new [redacted 2 arg(s)]");
	assert_null(process_find(&table, 7, 300));
}

static void an_event_keeps_what_was_right_when_it_happened(void **state)
{
	struct process_record a = record(7, 100, "sh", 1, "/bin/sh"), b = record(7, 100, "curl", 2, "/usr/bin/curl");
	struct process *held;

	(void)state;
	assert_int_equal(process_note(&table, &a), 0);
	held = process_ref(process_find(&table, 7, 100));
	assert_int_equal(process_note(&table, &b), 0); /* exec */
	assert_string_equal(held->cmdline, "sh");
	assert_string_equal(process_find(&table, 7, 100)->executable, "/usr/bin/curl");
	assert_int_equal(table.count, 1);
	process_unref(held);
}

static void a_forked_child_has_its_parents_program(void **state)
{
	struct process_record a = record(7, 100, "server", 400, "/usr/sbin/server"), b = record(8, 200, "server", 90, "");

	(void)state;
	b.parent_pid = 7;
	b.parent_start_ns = 100;
	b.flags = PROCESS_ARGC_CAPPED;
	assert_int_equal(process_note(&table, &a), 0);
	assert_int_equal(process_note(&table, &b), 0);
	assert_string_equal(process_find(&table, 8, 200)->executable, "/usr/sbin/server");
	assert_string_equal(process_find(&table, 8, 200)->cmdline, "server [redacted 399 arg(s)]");
	b.pid = 9;
	b.parent_start_ns = 101; /* unknown */
	assert_int_equal(process_note(&table, &b), 0);
	assert_string_equal(process_find(&table, 9, 200)->cmdline, "server [redacted 89+ arg(s)]");
}

static void who_is_ending_is_taken_in_once_and_as_ended(void **state)
{
	struct process_record known = record(7, 100, "worker", 2, "/usr/bin/worker"), ending = record(7, 100, "", 0, "");
	struct process_record other = record(8, 100, "other", 1, "");

	(void)state;
	assert_int_equal(process_note(&table, &known), 0);
	ending.flags = other.flags = PROCESS_ENDING;
	assert_int_equal(process_note(&table, &ending), 0); /* it has no command line any more: what is known stays */
	assert_string_equal(process_find(&table, 7, 100)->cmdline, "worker [redacted 1 arg(s)]");
	assert_string_equal(process_find(&table, 7, 100)->executable, "/usr/bin/worker");
	assert_int_equal(process_find(&table, 7, 100)->ended, 0); /* its exit_record says that */
	assert_int_equal(process_note(&table, &other), 0);
	assert_string_equal(process_find(&table, 8, 100)->cmdline, "other");
	assert_int_equal(process_find(&table, 8, 100)->ended, 1); /* none will */
}

static void the_table_is_bounded_and_the_ended_go_first(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < PROCESSES_MAX; i++) {
		struct process_record r = record(i, 1, "p", 1, "");

		assert_int_equal(process_note(&table, &r), 0);
	}
	process_exited(&table, 500, 1);
	process_exited(&table, 400, 1);
	for (uint32_t i = 0; i < 3; i++) {
		struct process_record r = record(i, 2, "q", 1, "");

		if (i == 2)
			assert_non_null(process_find(&table, 0, 1)); /* used: no longer the oldest */
		assert_int_equal(process_note(&table, &r), 0);
		assert_int_equal(table.count, PROCESSES_MAX);
	}
	assert_null(process_find(&table, 500, 1));
	assert_null(process_find(&table, 400, 1));
	assert_non_null(process_find(&table, 0, 1));
	assert_null(process_find(&table, 1, 1));
	assert_int_equal(table.evicted, 3);
}

static void hv_17_arguments_are_redacted(void **state)
{
	static const struct {
		const char *argv0;
		uint32_t argc;
		int capped;
		const char *text;
	} cases[] = {
		{ "/usr/bin/curl", 1, 0, "/usr/bin/curl" },
		{ "/usr/bin/curl", 2, 0, "/usr/bin/curl [redacted 1 arg(s)]" },
		{ "java", 300, 1, "java [redacted 299+ arg(s)]" },
		{ "", 0, 0, "" },
		{ "", 3, 0, " [redacted 2 arg(s)]" },
		{ "caf\xc3\xa9", 1, 0, "caf\xc3\xa9" },
		{ "a\x80\xff" "b\x1b[m", 1, 0, "a\xef\xbf\xbd\xef\xbf\xbd" "b\xef\xbf\xbd[m" },
		{ "\xed\xa0\x80", 1, 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate is no character */
	};
	char out[CMDLINE_BYTES + 1], longest[400];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		process_redact(out, cases[i].argv0, cases[i].argc, cases[i].capped);
		assert_string_equal(out, cases[i].text);
	}
	/* At most 256 bytes, cut between characters: "é" has two. */
	for (size_t i = 0; i + 2 < sizeof(longest); i += 2)
		memcpy(longest + i, "\xc3\xa9", 3);
	process_redact(out, longest, 1, 0);
	assert_int_equal(strlen(out), 256);
	process_redact(out, longest, 11, 0);
	assert_int_equal(strlen(out), 235 + 20); /* 236 bytes are left for é, of two bytes each, less the suffix of 21 */
	assert_memory_equal(out + 234, " [redacted 10 arg(s)]", 21);
}

static void hv_17_a_title_with_arguments_in_it_is_cut(void **state)
{
	struct process_record exec = record(1, 1, "/opt/two words", 2, "/opt/two words"), fork = record(2, 1, "postgres: alice db 10.0.0.7", 1, "");

	(void)state;
	assert_int_equal(process_note(&table, &exec), 0);
	assert_string_equal(process_find(&table, 1, 1)->cmdline, "/opt/two words [redacted 1 arg(s)]");
	assert_int_equal(process_note(&table, &fork), 0);
	assert_string_equal(process_find(&table, 2, 1)->cmdline, "postgres");
}

static void a_command_line_of_proc_is_counted_without_what_a_title_left(void **state)
{
	static const char args[] = "nginx: worker process\0\0\0\0\0", title[] = "sshd: /usr/sbin/sshd -p 2200 [listener]", three[] = "a\0b\0\0c\0";

	(void)state;
	assert_int_equal(process_note_cmdline(&table, 1, 1, args, sizeof(args) - 1), 0);
	assert_string_equal(process_find(&table, 1, 1)->cmdline, "nginx");
	assert_int_equal(process_note_cmdline(&table, 5, 1, title, sizeof(title)), 0);
	assert_string_equal(process_find(&table, 5, 1)->cmdline, "sshd");
	assert_int_equal(process_note_cmdline(&table, 6, 1, "redis-server *:6379", 20), 0);
	assert_string_equal(process_find(&table, 6, 1)->cmdline, "redis-server");
	assert_int_equal(process_note_cmdline(&table, 2, 1, three, sizeof(three) - 1), 0);
	assert_string_equal(process_find(&table, 2, 1)->cmdline, "a [redacted 3 arg(s)]");
	assert_int_equal(process_note_cmdline(&table, 3, 1, "", 0), 0);
	assert_null(process_find(&table, 3, 1)->cmdline);
	assert_int_equal(process_note_cmdline(&table, 4, 1, "noNUL", 5), 0);
	assert_string_equal(process_find(&table, 4, 1)->cmdline, "noNUL");
}

static void cgroups_are_joined_and_bounded(void **state)
{
	static struct cgroup_table cgroups;
	struct cgroup_record r = { .record = RECORD_CGROUP, .levels = 2, .cgroup = 1, .name = { "web", "lxc" } };
	struct cgroup *held;

	(void)state;
	assert_int_equal(cgroup_note(&cgroups, &r), 0);
	assert_string_equal(cgroup_find(&cgroups, 1)->path, "/lxc/web");
	assert_string_equal(cgroup_find(&cgroups, 1)->container.runtime, "lxc");
	held = cgroup_ref(cgroup_find(&cgroups, 1));
	for (uint64_t i = 2; i < CGROUPS_MAX + 10; i++) {
		r.cgroup = i;
		r.levels = (uint32_t)(i % 3);
		assert_int_equal(cgroup_note(&cgroups, &r), 0);
	}
	assert_int_equal(cgroups.count, CGROUPS_MAX);
	assert_null(cgroup_find(&cgroups, 1));
	assert_string_equal(cgroup_find(&cgroups, 99)->path, "/");
	assert_string_equal(cgroup_find(&cgroups, 100)->path, "/web");
	assert_string_equal(held->path, "/lxc/web");
	cgroup_unref(held);
	r.cgroup = 5000;
	r.levels = 200; /* never more than there are */
	memset(r.name, 'x', sizeof(r.name));
	assert_int_equal(cgroup_note(&cgroups, &r), 0);
	assert_int_equal(strlen(cgroup_find(&cgroups, 5000)->path), CGROUP_LEVELS * (CGROUP_NAME_BYTES + 1));
	cgroup_table_free(&cgroups);
	assert_int_equal(cgroups.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(hv_22_a_number_that_is_used_again_is_another_process, clean),
		cmocka_unit_test_teardown(an_event_keeps_what_was_right_when_it_happened, clean),
		cmocka_unit_test_teardown(a_forked_child_has_its_parents_program, clean),
		cmocka_unit_test_teardown(who_is_ending_is_taken_in_once_and_as_ended, clean),
		cmocka_unit_test_teardown(the_table_is_bounded_and_the_ended_go_first, clean),
		cmocka_unit_test_teardown(hv_17_arguments_are_redacted, clean),
		cmocka_unit_test_teardown(hv_17_a_title_with_arguments_in_it_is_cut, clean),
		cmocka_unit_test_teardown(a_command_line_of_proc_is_counted_without_what_a_title_left, clean),
		cmocka_unit_test(cgroups_are_joined_and_bounded),
	};

	return cmocka_run_group_tests_name("netprobe/process.c", tests, NULL, NULL);
}
