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
	struct event_message out;
	const FlowAttributionEvent *m = &out.message;

	(void)state;
	events_to_message(&e, 1000000, &out);
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
		struct event_message out;

		events_to_message(&(struct event){ .kernel = cases[i].kernel }, 0, &out);
		assert_string_equal(out.message.local_ip, cases[i].local);
		assert_string_equal(out.message.remote_ip, cases[i].remote);
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
	struct event_message out;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct event e = { .kernel = { .family = AF_INET } };

		memcpy(e.kernel.comm, cases[i].comm, sizeof(e.kernel.comm));
		events_to_message(&e, 0, &out);
		assert_string_equal(out.message.comm, cases[i].text);
	}
	memset(worst.kernel.comm, 0xff, sizeof(worst.kernel.comm));
	events_to_message(&worst, 0, &out);
	assert_int_equal(strlen(out.message.comm), 3 * EVENT_COMM_BYTES);
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
		struct event_message out;

		events_to_message(&e, 0, &out);
		assert_string_equal(out.message.transport_protocol, cases[i].text);
	}
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
		cmocka_unit_test(references_are_held_and_given_back),
		cmocka_unit_test(the_offset_turns_one_clock_into_the_other),
	};

	return cmocka_run_group_tests_name("netprobe/events.c", tests, NULL, NULL);
}
