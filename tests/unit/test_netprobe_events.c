/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/events.c netprobe/process.c netprobe/cgroup.c netprobe/container.c proto/netprobe.pb-c.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "netprobe/events.h"

typedef Serviceradar__Agent__Netprobe__V1__FlowAttributionEvent FlowAttributionEvent;
typedef Serviceradar__Agent__Netprobe__V1__NetprobeFrame NetprobeFrame;

/* What a client reads: the event as protobuf-c understands the bytes. The bytes are those that it would have written itself. */
static FlowAttributionEvent *read_back(const struct event *e, int64_t offset_ns)
{
	uint8_t packed[EVENTS_PACKED_MAX], again[EVENTS_PACKED_MAX];
	size_t size = events_pack(e, offset_ns, packed);
	FlowAttributionEvent *m;

	assert_true(size <= sizeof(packed));
	m = serviceradar__agent__netprobe__v1__flow_attribution_event__unpack(NULL, size, packed);
	assert_non_null(m);
	assert_int_equal(serviceradar__agent__netprobe__v1__flow_attribution_event__get_packed_size(m), size);
	assert_int_equal(serviceradar__agent__netprobe__v1__flow_attribution_event__pack(m, again), size);
	assert_memory_equal(packed, again, size);
	return m;
}

static void done_with(FlowAttributionEvent *m)
{
	serviceradar__agent__netprobe__v1__flow_attribution_event__free_unpacked(m, NULL);
}

static struct event numbered(uint64_t n)
{
	return (struct event){ .kernel = { .cookie = n, .family = AF_INET } };
}

static void memory_is_taken_with_the_first_event(void **state)
{
	struct event_queue q = { 0 };
	struct event e = numbered(1);

	(void)state;
	events_free(&q);
	assert_null(q.ring);
	assert_int_equal(events_push(&q, &e), 0);
	assert_non_null(q.ring);
	assert_int_equal(q.count, 1);
	assert_int_equal(events_at(&q, 0)->kernel.cookie, 1);
	events_free(&q);
	assert_null(q.ring);
	assert_int_equal(q.count, 0);
}

static void a_full_queue_drops_its_oldest_and_counts(void **state)
{
	struct event_queue q = { 0 };
	const uint64_t extra = 3 * EVENTS_QUEUE_MAX + 5;

	(void)state;
	for (uint64_t n = 0; n < EVENTS_QUEUE_MAX + extra; n++) {
		struct event e = numbered(n);

		assert_int_equal(events_push(&q, &e), 0);
		assert_true(q.count <= EVENTS_QUEUE_MAX);
		assert_int_equal(q.count + q.dropped, n + 1);
	}
	assert_int_equal(q.dropped, extra);
	for (size_t i = 0; i < q.count; i++)
		assert_int_equal(events_at(&q, i)->kernel.cookie, extra + i);
	events_free(&q);
}

/* Pushes and pops of every size, against a plain count of what must be there. */
static void order_holds_around_the_ring_s_end(void **state)
{
	struct event_queue q = { 0 };
	uint64_t in = 0, out = 0;

	(void)state;
	for (unsigned round = 1; round < 2000; round++) {
		size_t take;

		for (unsigned i = 0; i < round % 97; i++) {
			struct event e = numbered(in++);

			assert_int_equal(events_push(&q, &e), 0);
		}
		take = round % 89 < q.count ? round % 89 : q.count;
		for (size_t i = 0; i < take; i++)
			assert_int_equal(events_at(&q, i)->kernel.cookie, out + q.dropped + i);
		events_pop(&q, take);
		out += take;
		assert_int_equal(in, out + q.dropped + q.count);
	}
	assert_true(in > EVENTS_QUEUE_MAX);
	events_free(&q);
}

static void every_field_is_carried(void **state)
{
	struct process process = { .cmdline = (char *)"curl [redacted 1 arg(s)]", .executable = (char *)"/usr/bin/curl" };
	struct cgroup cgroup = { .path = (char *)"/docker/abc", .container = { .id = "abc", .runtime = "docker" } };
	const struct event e = { .process = &process, .cgroup = &cgroup, .external_flow_id = 77, .kernel = {
		.time_ns = 5000, .cookie = UINT64_MAX, .pid = 4194304, .uid = 65534, .gid = 7, .local_port = 65535, .remote_port = 443,
		.family = AF_INET, .kind = EVENT_ACCEPT, .old_state = 3, .new_state = 1, .protocol = IPPROTO_TCP,
		.local = { [12] = 127, 0, 0, 1 }, .remote = { [12] = 198, 51, 100, 255 }, .comm = "curl",
		.netns = 9, .start_ns = 3, .holders = 2,
	} };
	FlowAttributionEvent *m;

	(void)state;
	m = read_back(&e, 1000000);
	assert_string_equal(m->local_ip, "127.0.0.1");
	assert_string_equal(m->remote_ip, "198.51.100.255");
	assert_int_equal(m->local_port, 65535);
	assert_int_equal(m->remote_port, 443);
	assert_string_equal(m->transport_protocol, "tcp");
	assert_int_equal(m->pid, 4194304);
	assert_int_equal(m->tgid, 4194304);
	assert_int_equal(m->uid, 65534);
	assert_int_equal(m->gid, 7);
	assert_string_equal(m->comm, "curl");
	assert_int_equal(m->observed_at_unix_nano, 1005000);
	assert_true(m->socket_address == UINT64_MAX);
	assert_int_equal(m->event_kind, 2);
	assert_int_equal(m->old_state, 3);
	assert_int_equal(m->new_state, 1);
	assert_int_equal(m->n_redacted_cmdline, 1);
	assert_string_equal(m->redacted_cmdline[0], "curl [redacted 1 arg(s)]");
	assert_string_equal(m->executable, "/usr/bin/curl");
	assert_string_equal(m->container_id, "abc");
	assert_string_equal(m->workload_identity->cgroup_path, "/docker/abc");
	assert_string_equal(m->workload_identity->runtime_source, "docker");
	assert_int_equal(m->external_flow_id, 77);
	assert_string_equal(m->source, "external_netflow");
	assert_int_equal(m->network_namespace, 9);
	assert_int_equal(m->process_started_at_unix_nano, 1000003);
	assert_int_equal(m->socket_holders, 2);
	done_with(m);
}

static void addresses_are_written_as_what_they_are(void **state)
{
	static const struct {
		struct attribution_event kernel;
		const char *local, *remote;
	} cases[] = {
		{ { .family = AF_INET6, .local = { [15] = 1 } }, "::1", "::" },
		{ { .family = AF_INET6, .local = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, .remote = { 0xfe, 0x80, [14] = 1, 2 } }, "2001:db8::9",
		  "fe80::102" },
		/* RFC 4291, 2.5.5.2: a v4-mapped address is the IPv4 connection that it is */
		{ { .family = AF_INET6, .local = { [10] = 0xff, 0xff, 10, 1, 2, 3 }, .remote = { [10] = 0xff, 0xff, 10, 1, 2, 4 } },
		  "10.1.2.3", "10.1.2.4" },
		{ { .family = AF_INET6, .local = { 0x20, 0x01, [10] = 0xff, 0xff, 10, 1, 2, 3 } }, "2001::ffff:a01:203", "::" },
		{ { .family = AF_INET }, "0.0.0.0", "0.0.0.0" },
		{ { .family = AF_INET6, .local = { 0xfe, 0x80, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x66, 0x66, 0x77, 0x77 } },
		  "fe80:1111:2222:3333:4444:5555:6666:7777", "::" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FlowAttributionEvent *m = read_back(&(struct event){ .kernel = cases[i].kernel }, 0);

		assert_string_equal(m->local_ip, cases[i].local);
		assert_string_equal(m->remote_ip, cases[i].remote);
		done_with(m);
	}
}

/* prctl(PR_SET_NAME) takes any bytes, up to 15 and perhaps no NUL in what the kernel copies; a string is UTF-8. */
static void a_name_of_any_bytes_is_text(void **state)
{
	static const struct {
		char comm[EVENT_COMM_BYTES];
		const char *text;
	} cases[] = {
		{ "", "" },
		{ "a\x80z", "a\xef\xbf\xbdz" },
		{ "caf\xc3\xa9", "caf\xef\xbf\xbd\xef\xbf\xbd" },
		{ { '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', 'a', 'b', 'c', 'd', 'e', 'f' }, "1234567890abcdef" },
		{ "kworker/0:1", "kworker/0:1" },
	};
	struct event worst = { .kernel = { .family = AF_INET } };
	FlowAttributionEvent *m;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event e = { .kernel = { .family = AF_INET } };

		memcpy(e.kernel.comm, cases[i].comm, sizeof(e.kernel.comm));
		m = read_back(&e, 0);
		assert_string_equal(m->comm, cases[i].text);
		done_with(m);
	}
	memset(worst.kernel.comm, 0xff, sizeof(worst.kernel.comm));
	m = read_back(&worst, 0);
	assert_int_equal(strlen(m->comm), 3 * EVENT_COMM_BYTES);
	done_with(m);
}

static void protocols_have_names_or_numbers(void **state)
{
	static const struct {
		uint16_t protocol;
		const char *text;
	} cases[] = { { IPPROTO_TCP, "tcp" }, { IPPROTO_UDP, "udp" }, { IPPROTO_ICMP, "icmp" }, { IPPROTO_ICMPV6, "icmpv6" },
		      { IPPROTO_UDPLITE, "136" }, { 65535, "65535" } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event e = { .kernel = { .family = AF_INET, .protocol = cases[i].protocol } };
		FlowAttributionEvent *m = read_back(&e, 0);

		assert_string_equal(m->transport_protocol, cases[i].text);
		done_with(m);
	}
}

static void fill(char *text, size_t length)
{
	memset(text, 'x', length);
	text[length] = '\0';
}

static void the_largest_event_has_room(void **state)
{
	char cmdline[CMDLINE_BYTES + 1], executable[3 * PROCESS_PATH_BYTES + 1], path[CGROUP_LEVELS * (CGROUP_NAME_BYTES + 1) + 1];
	struct process process = { .cmdline = cmdline, .executable = executable };
	struct cgroup cgroup = { .path = path, .container = { .runtime = "systemd-nspawn" } };
	struct event e = { .process = &process, .cgroup = &cgroup, .external_flow_id = UINT64_MAX };
	struct attribution_event *k = &e.kernel;
	uint8_t packed[2 * EVENTS_PACKED_MAX];

	(void)state;
	fill(cmdline, sizeof(cmdline) - 1);
	fill(executable, sizeof(executable) - 1);
	fill(path, sizeof(path) - 1);
	fill(cgroup.container.id, sizeof(cgroup.container.id) - 1);
	fill(cgroup.container.pod_uid, sizeof(cgroup.container.pod_uid) - 1);
	memset(k, 0xff, sizeof(*k));
	k->family = AF_INET6;
	assert_true(events_pack(&e, -1, packed) <= EVENTS_PACKED_MAX);
	done_with(read_back(&e, -1));
	cgroup.container.id[0] = '\0'; /* no container: a unit */
	fill(cgroup.container.unit, sizeof(cgroup.container.unit) - 1);
	done_with(read_back(&e, -1));
}

static NetprobeFrame *read_frame(const uint8_t *frame, size_t size)
{
	NetprobeFrame *f = serviceradar__agent__netprobe__v1__netprobe_frame__unpack(NULL, size, frame);
	uint8_t *again = malloc(size);

	assert_non_null(f);
	assert_int_equal(serviceradar__agent__netprobe__v1__netprobe_frame__get_packed_size(f), size);
	assert_int_equal(serviceradar__agent__netprobe__v1__netprobe_frame__pack(f, again), size);
	assert_memory_equal(frame, again, size);
	free(again);
	return f;
}

static void frames_hold_what_the_queue_begins_with(void **state)
{
	static const size_t counts[] = { 1, 2, 17, EVENTS_BATCH_MAX };
	struct event_queue q = { 0 };
	const uint8_t *bytes;
	NetprobeFrame *f;
	size_t size;

	(void)state;
	for (uint64_t i = 1; i <= EVENTS_BATCH_MAX; i++) {
		struct event e = numbered(i);

		e.kernel.time_ns = 1000 * i;
		assert_int_equal(events_push(&q, &e), 0);
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		const Serviceradar__Agent__Netprobe__V1__FlowAttributionEventBatch *b;

		bytes = events_frame_batch(&q, counts[i], 5, (uint32_t)i * 1000, &size);
		f = read_frame(bytes, size);
		b = f->flow_attribution_batch;
		assert_non_null(b);
		assert_int_equal(b->n_events, counts[i]);
		for (size_t k = 0; k < counts[i]; k++)
			assert_int_equal(b->events[k]->socket_address, k + 1);
		assert_int_equal(b->batch_start_unix_nano, 1005);
		assert_int_equal(b->batch_end_unix_nano, 1000 * counts[i] + 5);
		assert_int_equal(b->dropped_since_last, i * 1000);
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
	}
	bytes = events_frame_single(&q, 5, &size);
	f = read_frame(bytes, size);
	assert_non_null(f->flow_attribution_event);
	assert_int_equal(f->flow_attribution_event->socket_address, 1);
	serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
	events_free(&q);
}

/* What an event refers to stays for as long as it waits, and no longer. */
static void references_are_held_and_given_back(void **state)
{
	struct event_queue q = { 0 };
	struct process *p = calloc(1, sizeof(*p));
	struct event e = { .process = p };

	(void)state;
	p->refs = 1;
	for (unsigned i = 0; i < EVENTS_QUEUE_MAX + 3; i++)
		assert_int_equal(events_push(&q, &e), 0);
	assert_int_equal(p->refs, EVENTS_QUEUE_MAX + 1);
	events_pop(&q, 10);
	assert_int_equal(p->refs, EVENTS_QUEUE_MAX - 9);
	events_free(&q);
	assert_int_equal(p->refs, 1);
	process_unref(p);
}

static void the_offset_turns_one_clock_into_the_other(void **state)
{
	struct timespec real, mono;
	int64_t offset;

	(void)state;
	clock_gettime(CLOCK_REALTIME, &real);
	offset = events_clock_offset();
	clock_gettime(CLOCK_MONOTONIC, &mono);
	assert_true(mono.tv_sec * INT64_C(1000000000) + mono.tv_nsec + offset >= real.tv_sec * INT64_C(1000000000) + real.tv_nsec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_taken_with_the_first_event),
		cmocka_unit_test(a_full_queue_drops_its_oldest_and_counts),
		cmocka_unit_test(order_holds_around_the_ring_s_end),
		cmocka_unit_test(every_field_is_carried),
		cmocka_unit_test(addresses_are_written_as_what_they_are),
		cmocka_unit_test(a_name_of_any_bytes_is_text),
		cmocka_unit_test(protocols_have_names_or_numbers),
		cmocka_unit_test(the_largest_event_has_room),
		cmocka_unit_test(frames_hold_what_the_queue_begins_with),
		cmocka_unit_test(references_are_held_and_given_back),
		cmocka_unit_test(the_offset_turns_one_clock_into_the_other),
	};

	return cmocka_run_group_tests_name("netprobe/events.c", tests, NULL, NULL);
}
