/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/external.c netprobe/process.c netprobe/cgroup.c netprobe/container.c proto/netprobe.pb-c.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <cmocka.h>

#include "netprobe/external.h"

#define SECOND    UINT64_C(1000000000)
#define UNIX_ZERO (1700000000 * (int64_t)SECOND) /* Unix time when the clock of the tests began */

static struct external x;
static struct event got[16];
static unsigned n_got;

static void keep(const struct event *e, void *userdata)
{
	(void)userdata;
	if (n_got < 16)
		got[n_got] = *e;
	n_got++;
}

static int fresh(void **state)
{
	(void)state;
	external_free(&x);
	x = (struct external){ .fn = keep, .offset_ns = UNIX_ZERO };
	n_got = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(x.counts.accepted, x.counts.matched + x.counts.unmatched + x.waiting);
	external_free(&x);
	assert_int_equal(x.sockets + x.waiting, 0);
	return 0;
}

static void address(const char *text, uint8_t *family, uint8_t out[16])
{
	memset(out, 0, 16);
	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(*family, text, *family == AF_INET ? out + 12 : out), 1);
}

static struct event event(uint8_t kind, const char *local, uint16_t local_port, const char *remote, uint16_t remote_port, uint32_t pid,
			  uint64_t second)
{
	struct event e = { .kernel = { .kind = kind, .local_port = local_port, .remote_port = remote_port, .pid = pid, .cookie = pid,
				       .time_ns = second * SECOND, .protocol = kind < EVENT_UDP_SEND ? IPPROTO_TCP : IPPROTO_UDP } };

	address(local, &e.kernel.family, e.kernel.local);
	address(remote, &e.kernel.family, e.kernel.remote);
	e.kernel.new_state = kind == EVENT_CLOSE ? 7 : 1;
	return e;
}

static struct {
	ExternalFlowRecord record;
	uint8_t source[16], destination[16];
} flow_memory;

static ExternalFlowRecord *flow(uint64_t id, const char *source, uint16_t source_port, const char *destination, uint16_t destination_port,
				const char *protocol, int64_t start, int64_t stop)
{
	ExternalFlowRecord *r = &flow_memory.record;
	int family = strchr(source, ':') ? AF_INET6 : AF_INET;

	serviceradar__agent__netprobe__v1__external_flow_record__init(r);
	r->external_flow_id = id;
	assert_int_equal(inet_pton(family, source, flow_memory.source), 1);
	assert_int_equal(inet_pton(family, destination, flow_memory.destination), 1);
	r->source_ip = (ProtobufCBinaryData){ family == AF_INET ? 4 : 16, flow_memory.source };
	r->destination_ip = (ProtobufCBinaryData){ family == AF_INET ? 4 : 16, flow_memory.destination };
	r->source_port = source_port;
	r->destination_port = destination_port;
	r->transport_protocol = (char *)(uintptr_t)protocol;
	r->time_flow_start_ns = (uint64_t)(UNIX_ZERO + start * (int64_t)SECOND);
	r->time_flow_end_ns = (uint64_t)(UNIX_ZERO + stop * (int64_t)SECOND);
	return r;
}

static void take(ExternalFlowRecord *r, uint64_t second)
{
	struct error err = { .text = "" };

	assert_int_equal(external_flow(&x, r, second * SECOND, &err), 0);
}

static void hv_19_a_flow_that_matches_is_attributed(void **state)
{
	struct event connect = event(EVENT_CONNECT, "10.0.0.1", 40000, "192.0.2.1", 443, 7, 100),
		     mapped = event(EVENT_ACCEPT, "::ffff:10.0.0.1", 80, "::ffff:192.0.2.9", 5000, 8, 100);

	(void)state;
	external_socket_event(&x, &connect);
	external_socket_event(&x, &mapped);
	take(flow(1, "10.0.0.1", 40000, "192.0.2.1", 443, "tcp", 100, 101), 102);
	take(flow(2, "192.0.2.1", 443, "10.0.0.1", 40000, "TCP", 100, 101), 102); /* the other direction */
	take(flow(3, "192.0.2.9", 5000, "10.0.0.1", 80, "tcp", 100, 101), 102);   /* an IPv4 connection of an IPv6 socket */
	assert_int_equal(n_got, 3);
	assert_int_equal(got[0].external_flow_id, 1);
	assert_int_equal(got[0].kernel.pid, 7);
	assert_int_equal(got[0].kernel.local_port, 40000);
	assert_int_equal(got[1].kernel.pid, 7);
	assert_int_equal(got[1].kernel.local_port, 40000); /* as the socket sees it */
	assert_int_equal(got[2].kernel.pid, 8);
	assert_int_equal(x.counts.matched, 3);
}

static void hv_19_a_flow_before_its_socket_waits(void **state)
{
	struct event connect = event(EVENT_CONNECT, "10.0.0.1", 40000, "192.0.2.1", 443, 7, 104);

	(void)state;
	take(flow(1, "192.0.2.1", 443, "10.0.0.1", 40000, "tcp", 100, 101), 102);
	take(flow(2, "192.0.2.1", 444, "10.0.0.1", 40000, "tcp", 100, 101), 102);
	assert_int_equal(n_got, 0);
	assert_int_equal(x.waiting, 2);
	external_expire(&x, 106 * SECOND);
	external_socket_event(&x, &connect);
	assert_int_equal(n_got, 1);
	assert_int_equal(got[0].external_flow_id, 1);
	assert_int_equal(x.waiting, 1);
	external_expire(&x, 107 * SECOND);
	assert_int_equal(x.waiting, 0);
	assert_int_equal(x.counts.unmatched, 1);
}

static void a_tuple_that_is_used_again_is_told_apart_by_time(void **state)
{
	struct event first = event(EVENT_CONNECT, "10.0.0.1", 40000, "192.0.2.1", 443, 7, 100),
		     closed = event(EVENT_CLOSE, "10.0.0.1", 40000, "192.0.2.1", 443, 7, 110),
		     second = event(EVENT_CONNECT, "10.0.0.1", 40000, "192.0.2.1", 443, 8, 200);

	(void)state;
	external_socket_event(&x, &first);
	external_socket_event(&x, &closed);
	external_socket_event(&x, &second);
	take(flow(1, "10.0.0.1", 40000, "192.0.2.1", 443, "tcp", 100, 110), 300);
	take(flow(2, "10.0.0.1", 40000, "192.0.2.1", 443, "tcp", 250, 260), 300);
	take(flow(3, "10.0.0.1", 40000, "192.0.2.1", 443, "tcp", 150, 160), 300); /* between them */
	assert_int_equal(n_got, 2);
	assert_int_equal(got[0].kernel.pid, 7);
	assert_int_equal(got[1].kernel.pid, 8);
	assert_int_equal(x.waiting, 1);
}

static void hv_19_what_cannot_be_is_invalid_and_counted(void **state)
{
	struct error err;
	ExternalFlowRecord *r;
	unsigned n = 0;

	(void)state;
#define INVALID(change, expected)                                                                              \
	do {                                                                                                   \
		r = flow(1, "10.0.0.1", 1, "10.0.0.2", 2, "tcp", 1, 2);                                        \
		change;                                                                                        \
		assert_int_equal(external_flow(&x, r, 0, &err), -EINVAL);                                      \
		assert_non_null(strstr(err.text, expected));                                                       \
		assert_int_equal(x.counts.invalid, ++n);                                                       \
	} while (0)
	INVALID(r->source_ip.len = 5, "source_ip");
	INVALID(r->source_ip.len = 0, "source_ip");
	INVALID(r->destination_ip.len = 16, "destination_ip");
	INVALID(r->source_port = 65536, "source_port");
	INVALID(r->destination_port = 70000, "destination_port: 70000");
	INVALID(r->transport_protocol = (char *)(uintptr_t) "", "transport_protocol");
	INVALID(r->ip_protocol = 256, "ip_protocol");
	INVALID(r->time_flow_end_ns = 1, "time_flow_end_ns");
	INVALID(r->time_flow_start_ns = r->time_flow_end_ns = UINT64_MAX, "time_flow_start_ns");
	INVALID(r->external_flow_id = 0, "external_flow_id");
	assert_int_equal(x.counts.accepted, 0);
}

static void hv_19_memory_is_bounded(void **state)
{
	struct event open = event(EVENT_CONNECT, "10.0.0.9", 1, "192.0.2.1", 443, 1, 1);

	(void)state;
	external_socket_event(&x, &open); /* stays, although it is the oldest: closed ones go first */
	for (unsigned i = 0; i < EXTERNAL_SOCKETS_MAX + 1000; i++) {
		struct event e = event(EVENT_CONNECT, "10.0.0.1", (uint16_t)i, "192.0.2.1", (uint16_t)(i >> 16), i + 2, 1), c = e;

		c.kernel.kind = EVENT_CLOSE;
		c.kernel.new_state = 7;
		external_socket_event(&x, &e);
		external_socket_event(&x, &c);
		assert_true(x.sockets <= EXTERNAL_SOCKETS_MAX);
	}
	take(flow(1, "10.0.0.9", 1, "192.0.2.1", 443, "tcp", 1, 2), 2);
	assert_int_equal(n_got, 1);
	for (unsigned i = 0; i < EXTERNAL_WAITING_MAX + 10; i++)
		take(flow(2, "10.0.0.8", (uint16_t)i, "192.0.2.1", 443, "tcp", 1, 2), 2);
	assert_int_equal(x.waiting, EXTERNAL_WAITING_MAX);
	assert_int_equal(x.counts.unmatched, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hv_19_a_flow_that_matches_is_attributed, fresh, end),
		cmocka_unit_test_setup_teardown(hv_19_a_flow_before_its_socket_waits, fresh, end),
		cmocka_unit_test_setup_teardown(a_tuple_that_is_used_again_is_told_apart_by_time, fresh, end),
		cmocka_unit_test_setup_teardown(hv_19_what_cannot_be_is_invalid_and_counted, fresh, end),
		cmocka_unit_test_setup_teardown(hv_19_memory_is_bounded, fresh, end),
	};

	return cmocka_run_group_tests_name("netprobe/external.c", tests, NULL, NULL);
}
