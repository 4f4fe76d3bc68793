/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/event_file.c agent/sink.c proto/netprobe.pb-c.c */
/* pkgs: libsystemd */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/event_file.h"
#include "agent/np.h"
#include "lib/json.h"

static char root[64];

static int make_root(void **state)
{
	char path[96];

	(void)state;
	make_directory(root, sizeof(root));
	snprintf(path, sizeof(path), "%s/log", root);
	return mkdir(path, 0755);
}

static int delete_root(void **state)
{
	(void)state;
	remove_directory(root);
	return 0;
}

static struct event_file start(void)
{
	struct event_file s;
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	event_file_init(&s, fd, "/log/events.ndjson");
	event_file_configure(&s, true, EVENT_FILE_BYTES, EVENT_FILES);
	return s;
}

static void stop(struct event_file *s)
{
	event_file_close(s);
	close(s->rootfd);
}

static void add(struct event_file *s, uint32_t pid)
{
	NpFlowEvent e = NP_FLOW_EVENT_INIT;

	e.comm = (char *)"curl";
	e.pid = pid;
	event_file_message(s, "flow_attribution_event", &e.base);
}

/* Every line of the file is whole; returns how many. */
static unsigned whole_lines(const char *name, uint32_t *last_pid)
{
	char path[128], line[4096];
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/log/%s", root, name);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		struct json_object *o, *pid;

		assert_int_equal(line[strlen(line) - 1], '\n');
		o = json_tokener_parse(line);
		assert_non_null(o);
		assert_true(json_object_object_get_ex(o, "pid", &pid));
		*last_pid = (uint32_t)json_object_get_int64(pid);
		json_object_put(o);
		n++;
	}
	fclose(f);
	return n;
}

static void an_event_is_one_line(void **state)
{
	struct event_file s = start();
	uint32_t pid = 0;

	(void)state;
	add(&s, 7);
	assert_int_equal(whole_lines("events.ndjson", &pid), 0); /* not before the flush */
	event_file_flush(&s);
	assert_int_equal(whole_lines("events.ndjson", &pid), 1);
	assert_int_equal(pid, 7);
	assert_int_equal(s.written, 1);
	stop(&s);
}

static void the_file_is_rotated_and_the_oldest_goes(void **state)
{
	struct event_file s = start();
	uint32_t first = 0, second = 0, third = 0;

	(void)state;
	s.limit = 1000;
	for (uint32_t i = 1; i <= 100; i++) {
		add(&s, i);
		event_file_flush(&s);
	}
	assert_true(whole_lines("events.ndjson", &first) > 0);
	assert_true(whole_lines("events.ndjson.1", &second) > 0);
	assert_true(whole_lines("events.ndjson.2", &third) > 0);
	assert_int_equal(whole_lines("events.ndjson.3", &third), 0);
	assert_int_equal(first, 100);
	assert_true(third < second && second < first);
	assert_true(s.size <= s.limit);
	assert_int_equal(s.written, 100);
	stop(&s);
}

static void what_a_full_disk_does_not_take_is_counted_and_no_line_is_cut(void **state)
{
	uint32_t pid = 0;
	struct event_file s;
	char path[96];
	unsigned kept;

	(void)state;
	snprintf(path, sizeof(path), "%s/log", root);
	if (mount("tmpfs", path, "tmpfs", 0, "size=16k") < 0)
		skip();
	s = start();
	for (uint32_t i = 1; i <= 1000; i++) {
		add(&s, i);
		if (i % 10 == 0)
			event_file_flush(&s);
	}
	kept = whole_lines("events.ndjson", &pid);
	assert_true(kept > 0);
	assert_int_equal(s.written, kept);
	assert_int_equal(s.dropped, 1000 - kept);
	stop(&s);
	assert_int_equal(umount(path), 0);
}

static void make_queue_directory(void)
{
	static const char *const parts[] = { "/var", "/var/lib", "/var/lib/serviceradar", "/var/lib/serviceradar/agent" };
	char path[128];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", root, parts[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

/* The pids of all files, the oldest first, are 1 to n. */
static void assert_all_in_order(const char *const *names, size_t n_names, uint32_t n)
{
	uint32_t expected = 1;

	for (size_t i = 0; i < n_names; i++) {
		char path[128], line[4096];
		FILE *f;

		snprintf(path, sizeof(path), "%s/log/%s", root, names[i]);
		f = fopen(path, "r");
		assert_non_null(f);
		for (; fgets(line, sizeof(line), f); expected++) {
			struct json_object *o = json_tokener_parse(line), *pid;

			assert_non_null(o);
			assert_true(json_object_object_get_ex(o, "pid", &pid));
			assert_int_equal(json_object_get_int64(pid), expected);
			json_object_put(o);
		}
		fclose(f);
	}
	assert_int_equal(expected, n + 1);
}

/* From when the disk is full until long after it is not, with an agent that is started anew in between. */
static void what_a_full_disk_does_not_take_waits_and_comes_in_order(void **state)
{
	static const char *const names[] = { "events.ndjson" };
	uint32_t pid = 0;
	struct event_file s;
	char path[160];

	(void)state;
	snprintf(path, sizeof(path), "%s/log", root);
	if (mount("tmpfs", path, "tmpfs", 0, "size=16k") < 0)
		skip();
	make_queue_directory();
	s = start();
	for (uint32_t i = 1; i <= 1000; i++) {
		add(&s, i);
		if (i % 10 == 0)
			event_file_flush(&s);
	}
	assert_true(whole_lines("events.ndjson", &pid) < 1000);
	assert_int_equal(s.dropped, 0);
	assert_int_equal(s.written, pid);
	assert_false(event_file_status(&s).connected);
	assert_says(event_file_status(&s).error, "No space left on device");
	assert_true(event_file_status(&s).waiting_bytes > 0);
	assert_true(event_file_due(&s) > 0);
	stop(&s);

	s = start();
	add(&s, 1001);
	event_file_flush(&s);
	assert_int_equal(s.written, 0); /* what came before goes before */
	assert_int_equal(mount("tmpfs", path, "tmpfs", MS_REMOUNT, "size=4m"), 0);
	s.retry_us = 0; /* a second has gone by */
	event_file_flush(&s);
	assert_int_equal(s.dropped, 0);
	assert_true(event_file_status(&s).connected);
	assert_int_equal(event_file_status(&s).waiting_bytes, 0);
	assert_int_equal(event_file_due(&s), 0);
	snprintf(path, sizeof(path), "%s/var/lib/serviceradar/agent/sinks/file", root);
	assert_int_equal(access(path, F_OK), -1); /* nothing is left of the queue */
	snprintf(path, sizeof(path), "%s/log", root);
	add(&s, 1002);
	event_file_flush(&s);
	assert_all_in_order(names, 1, 1002);
	assert_int_equal(s.written, 1002 - pid);
	stop(&s);
	assert_int_equal(umount(path), 0);
}

/* The queue's own disk is full too: counted, and said once. */
static void without_its_queue_it_goes_on_as_soon_as_the_file_can(void **state)
{
	char from[160], to[160];
	struct event_file s;
	uint32_t pid = 0;

	(void)state;
	make_queue_directory();
	snprintf(from, sizeof(from), "%s/log", root);
	snprintf(to, sizeof(to), "%s/var/lib/serviceradar/agent", root);
	if (mount("tmpfs", to, "tmpfs", 0, "size=4k") < 0)
		skip();
	s = start();
	snprintf(to, sizeof(to), "%s/gone", root);
	assert_int_equal(rename(from, to), 0);
	for (uint32_t i = 1; i <= 100; i++) {
		add(&s, i);
		if (i % 10 == 0)
			event_file_flush(&s);
	}
	assert_true(s.dropped > 0);
	assert_int_equal(rename(to, from), 0);
	s.retry_us = 0;
	add(&s, 101);
	event_file_flush(&s);
	assert_int_equal(whole_lines("events.ndjson", &pid), 101 - s.dropped);
	assert_int_equal(pid, 101);
	assert_int_equal(s.written + s.dropped, 101);
	assert_false(s.dropping);
	stop(&s);
	snprintf(to, sizeof(to), "%s/var/lib/serviceradar/agent", root);
	assert_int_equal(umount(to), 0);
}

static void neither_a_link_nor_a_pipe_is_written_to(void **state)
{
	char path[96];
	uint32_t pid;

	(void)state;
	snprintf(path, sizeof(path), "%s/log/events.ndjson", root);
	write_text(root, "other", "");
	for (int i = 0; i < 2; i++) {
		struct event_file s = start();

		assert_int_equal(i == 0 ? symlink("../other", path) : mkfifo(path, 0600), 0);
		add(&s, 1);
		event_file_flush(&s);
		assert_int_equal(s.dropped, 1);
		assert_int_equal(s.written, 0);
		assert_int_equal(whole_lines("../other", &pid), 0);
		stop(&s);
		assert_int_equal(unlink(path), 0);
	}
}

static void a_directory_that_comes_back_is_used_again(void **state)
{
	char from[96], to[96];
	struct event_file s = start();
	uint32_t pid = 0;

	(void)state;
	snprintf(from, sizeof(from), "%s/log", root);
	snprintf(to, sizeof(to), "%s/gone", root);
	assert_int_equal(rename(from, to), 0);
	add(&s, 1);
	event_file_flush(&s);
	assert_int_equal(s.dropped, 1);
	assert_int_equal(rename(to, from), 0);
	s.retry_us = 0; /* a second has gone by */
	add(&s, 2);
	event_file_flush(&s);
	assert_int_equal(whole_lines("events.ndjson", &pid), 1);
	assert_int_equal(pid, 2);
	stop(&s);
}

static void kinds_have_names(void **state)
{
	enum sink_kind k;

	(void)state;
	assert_int_equal(sink_kind_parse("journal", &k), 0);
	assert_int_equal(k, SINK_JOURNAL);
	assert_true(sink_kind_parse("syslog", &k) < 0);
}

static void messages_of_other_kinds_carry_their_type(void **state)
{
	Serviceradar__Agent__Netprobe__V1__DpiEvent dpi = SERVICERADAR__AGENT__NETPROBE__V1__DPI_EVENT__INIT;
	Serviceradar__Agent__Netprobe__V1__FlowRecord record = SERVICERADAR__AGENT__NETPROBE__V1__FLOW_RECORD__INIT;
	struct event_file s = start();
	char path[128], line[4096];
	FILE *f;

	(void)state;
	dpi.protocol = (char *)"tls";
	record.bytes_forward = 77;
	event_file_message(&s, "dpi_event", &dpi.base);
	event_file_message(&s, "flow_record", &record.base);
	event_file_flush(&s);
	assert_int_equal(s.written, 2);
	snprintf(path, sizeof(path), "%s/log/events.ndjson", root);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	assert_says(line, "\"protocol\":\"tls\"");
	assert_says(line, "\"type\":\"dpi_event\"}");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_says(line, "\"bytesForward\":\"77\"");
	assert_says(line, "\"type\":\"flow_record\"}");
	fclose(f);
	stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_is_one_line, make_root, delete_root),
		cmocka_unit_test_setup_teardown(messages_of_other_kinds_carry_their_type, make_root, delete_root),
		cmocka_unit_test_setup_teardown(the_file_is_rotated_and_the_oldest_goes, make_root, delete_root),
		cmocka_unit_test_setup_teardown(what_a_full_disk_does_not_take_is_counted_and_no_line_is_cut, make_root, delete_root),
		cmocka_unit_test_setup_teardown(what_a_full_disk_does_not_take_waits_and_comes_in_order, make_root, delete_root),
		cmocka_unit_test_setup_teardown(without_its_queue_it_goes_on_as_soon_as_the_file_can, make_root, delete_root),
		cmocka_unit_test_setup_teardown(neither_a_link_nor_a_pipe_is_written_to, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_directory_that_comes_back_is_used_again, make_root, delete_root),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests_name("agent/event_file.c", tests, NULL, NULL);
}
