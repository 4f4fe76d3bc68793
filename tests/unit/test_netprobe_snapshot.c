/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/snapshot.c netprobe/events.c netprobe/process.c netprobe/cgroup.c netprobe/container.c proto/netprobe.pb-c.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "netprobe/snapshot.h"

static struct listener_record listener(uint64_t cookie, uint32_t pid, uint16_t port)
{
	return (struct listener_record){ .cookie = cookie, .pid = pid, .port = port, .protocol = IPPROTO_TCP, .family = AF_INET, .netns = 1,
					 .comm = "server" };
}

static void add(struct snapshot *s, uint64_t cookie, uint32_t pid, uint16_t port)
{
	struct listener_record r = listener(cookie, pid, port);

	assert_int_equal(snapshot_add(s, &r, NULL, NULL), 0);
}

static void hv_8_the_same_listeners_have_the_same_fingerprint(void **state)
{
	struct snapshot a = { 0 }, b = { 0 }, c = { 0 }, none = { 0 };

	(void)state;
	add(&a, 10, 100, 80);
	add(&a, 11, 100, 443);
	add(&a, 12, 200, 22);
	add(&b, 32, 200, 22); /* read in another order, and the sockets have other numbers */
	add(&b, 31, 100, 443);
	add(&b, 30, 100, 80);
	add(&c, 10, 100, 80);
	add(&c, 11, 100, 443);
	add(&c, 12, 201, 22); /* another process */
	assert_int_equal(snapshot_finish(&a), 0);
	assert_int_equal(snapshot_finish(&b), 0);
	assert_int_equal(snapshot_finish(&c), 0);
	assert_int_equal(snapshot_finish(&none), 0);
	assert_int_equal(strlen(a.fingerprint), 64);
	assert_string_equal(a.fingerprint, b.fingerprint);
	assert_string_not_equal(a.fingerprint, c.fingerprint);
	assert_string_not_equal(a.fingerprint, none.fingerprint);
	snapshot_free(&a);
	snapshot_free(&b);
	snapshot_free(&c);
	snapshot_free(&none);
}

static void hv_7_a_shared_socket_names_its_lowest_process_and_how_many_there_are(void **state)
{
	struct snapshot s = { 0 };
	ProcessSnapshot m;
	void *memory;

	(void)state;
	add(&s, 10, 300, 80);
	add(&s, 10, 100, 80);
	add(&s, 10, 200, 80);
	add(&s, 10, 200, 80); /* a second descriptor of the same process */
	add(&s, 11, 100, 80); /* SO_REUSEPORT: a second socket of the same process */
	add(&s, 12, 400, 80); /* and one of another */
	assert_int_equal(snapshot_finish(&s), 0);
	assert_int_equal(snapshot_message(&s, 5, &m, &memory), 0);
	assert_int_equal(m.n_entries, 2);
	assert_int_equal(m.entries[0]->pid, 100);
	assert_int_equal(m.entries[0]->socket_holders, 3);
	assert_int_equal(m.entries[1]->pid, 400);
	assert_int_equal(m.entries[1]->socket_holders, 1);
	assert_string_equal(m.entries[0]->local_ip, "0.0.0.0");
	assert_string_equal(m.entries[0]->comm, "server");
	assert_int_equal(m.observed_at_unix_nano, 5);
	assert_string_equal(m.fingerprint, s.fingerprint);
	free(memory);
	snapshot_free(&s);
}

static void more_than_fits_is_left_out_and_said(void **state)
{
	struct snapshot s = { 0 };
	ProcessSnapshot m;
	void *memory;

	(void)state;
	for (unsigned i = 0; i < SNAPSHOT_MAX + 7; i++)
		add(&s, i + 1, i, (uint16_t)i);
	assert_int_equal(snapshot_finish(&s), 0);
	assert_int_equal(snapshot_message(&s, 0, &m, &memory), 0);
	assert_int_equal(m.n_entries, SNAPSHOT_MAX);
	assert_int_equal(m.entries_omitted, 7);
	assert_true(protobuf_c_message_get_packed_size(&m.base) < 4u << 20);
	free(memory);
	snapshot_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hv_8_the_same_listeners_have_the_same_fingerprint),
		cmocka_unit_test(hv_7_a_shared_socket_names_its_lowest_process_and_how_many_there_are),
		cmocka_unit_test(more_than_fits_is_left_out_and_said),
	};

	return cmocka_run_group_tests_name("netprobe/snapshot.c", tests, NULL, NULL);
}
