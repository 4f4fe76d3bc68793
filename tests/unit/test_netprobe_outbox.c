/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/outbox.c netprobe/client.c netprobe/budget.c proto/netprobe.pb-c.c */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netprobe/budget.h"
#include "netprobe/outbox.h"
#include "tests/unit/unit.h"

typedef Serviceradar__Agent__Netprobe__V1__DpiEvent DpiEvent;
typedef Serviceradar__Agent__Netprobe__V1__FlowRecord FlowRecord;

#define CASE(name) SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_##name

static struct client client;
static int other; /* the end that reads */
static struct frame_reader reader;

static int connect_client(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	client = (struct client){ .fd = ends[0] };
	other = ends[1];
	return 0;
}

static int disconnect_client(void **state)
{
	(void)state;
	client_close(&client);
	frame_reader_reset(&reader);
	close(other);
	return 0;
}

static void push_dpi(struct outbox *o, uint32_t port)
{
	DpiEvent e = SERVICERADAR__AGENT__NETPROBE__V1__DPI_EVENT__INIT;

	e.protocol = (char *)"http";
	e.source_ip = (char *)"2001:db8:1111:2222:3333:4444:5555:6666";
	e.source_port = port;
	outbox_push(o, OUTBOX_DPI, &e.base);
}

static void push_record(struct outbox *o, uint32_t port)
{
	FlowRecord r = SERVICERADAR__AGENT__NETPROBE__V1__FLOW_RECORD__INIT;

	r.source_port = port;
	r.end_reason = (char *)"fin";
	outbox_push(o, OUTBOX_RECORD, &r.base);
}

static NetprobeFrame *receive(void)
{
	const uint8_t *payload;
	size_t length;

	if (frame_read(&reader, other, &payload, &length) <= 0)
		return NULL;
	return client_decode(payload, length);
}

static void flush(void)
{
	size_t done;

	assert_int_equal(client_flush(&client, &done), 0);
	assert_int_equal(client_backlog(&client), 0);
}

static void messages_arrive_whole_and_in_order(void **state)
{
	struct outbox *o;
	NetprobeFrame *f;
	uint32_t dpi = 0, records = 0;

	(void)state;
	assert_int_equal(outbox_new(&o), 0);
	assert_int_equal(outbox_send(o, &client), 0);
	for (uint32_t i = 0; i < 700; i++) {
		push_dpi(o, i);
		push_record(o, i);
	}
	while (outbox_send(o, &client) == 1) {
		assert_true(client_backlog(&client) < 2 * OUTBOX_FRAME_MAX);
		flush();
		while ((f = receive())) {
			assert_int_equal(f->sequence, 0);
			if (f->payload_case == CASE(DPI_EVENT)) {
				assert_int_equal(f->dpi_event->source_port, dpi++);
				assert_string_equal(f->dpi_event->protocol, "http");
			} else {
				assert_int_equal(f->payload_case, CASE(FLOW_RECORD_BATCH));
				assert_true(f->flow_record_batch->n_records <= 256);
				for (size_t i = 0; i < f->flow_record_batch->n_records; i++)
					assert_int_equal(f->flow_record_batch->records[i]->source_port, records++);
			}
			client_free_frame(f);
		}
	}
	assert_int_equal(dpi, 700);
	assert_int_equal(records, 700);
	assert_int_equal(outbox_totals(o, OUTBOX_DPI).delivered, 700);
	assert_int_equal(outbox_totals(o, OUTBOX_RECORD).delivered, 700);
	assert_int_equal(outbox_totals(o, OUTBOX_RECORD).produced, 700);
	outbox_free(o);
}

/* A class that is full drops its own oldest, and no other's. */
static void the_oldest_are_dropped_and_counted(void **state)
{
	struct outbox_totals t;
	struct outbox *o;
	NetprobeFrame *f;

	(void)state;
	assert_int_equal(outbox_new(&o), 0);
	push_record(o, 1);
	for (uint32_t i = 0; i < 50000; i++)
		push_dpi(o, i);
	t = outbox_totals(o, OUTBOX_DPI);
	assert_int_equal(t.produced, 50000);
	assert_int_equal(t.dropped + t.waiting, 50000);
	assert_true(t.dropped > 0 && t.waiting > 10000);
	assert_int_equal(outbox_totals(o, OUTBOX_RECORD).waiting, 1);
	assert_int_equal(outbox_send(o, &client), 1);
	flush();
	f = receive();
	assert_int_equal(f->dpi_event->source_port, t.dropped);
	client_free_frame(f);
	outbox_free(o);
}

static void what_a_broken_connection_had_is_dropped(void **state)
{
	struct outbox_totals t;
	struct outbox *o;

	(void)state;
	assert_int_equal(outbox_new(&o), 0);
	for (uint32_t i = 0; i < 10; i++)
		push_dpi(o, i);
	assert_int_equal(outbox_send(o, &client), 1);
	outbox_disconnected(o);
	t = outbox_totals(o, OUTBOX_DPI);
	assert_int_equal(t.dropped, 10);
	assert_int_equal(t.delivered, 0);
	outbox_free(o);
}

#define S INT64_C(1000000000)

static void hv_21_half_as_many_down_to_one_and_back(void **state)
{
	struct budget b;
	int64_t cpu = 0, now = 0;
	unsigned steps = 0;

	(void)state;
	budget_begin(&b, 16, 25, cpu, now);
	/* Above the threshold, but never for the whole window. */
	for (int i = 0; i < 21; i++)
		assert_false(budget_step(&b, cpu += i % 2 ? S / 2 : S / 5, now += S));
	assert_int_equal(b.packets, 16);
	/* For the window, again and again. */
	while (b.packets > 1 && steps++ < 100)
		budget_step(&b, cpu += S / 2, now += S);
	assert_int_equal(steps, 4 * 3);
	for (int i = 0; i < 10; i++)
		assert_false(budget_step(&b, cpu += S / 2, now += S));
	assert_int_equal(b.packets, 1);
	/* Neither busy nor calm: it stays. */
	for (int i = 0; i < 20; i++)
		assert_false(budget_step(&b, cpu += S / 5, now += S));
	/* Calm. */
	steps = 0;
	while (b.packets < 16 && steps++ < 100)
		budget_step(&b, cpu += S / 100, now += S);
	assert_int_equal(steps, 4 * 6);
	assert_false(budget_step(&b, cpu, now)); /* no time has passed */
}

/* The account of a daemon that was killed with two of five messages not told. */
static void hv_9_the_account_goes_on(void **state)
{
	struct tap_messages account = { .produced = 5, .delivered = 2, .dropped = 1 };
	struct outbox_totals t;
	struct outbox *o;

	(void)state;
	assert_int_equal(outbox_new(&o), 0);
	push_record(o, 1);
	assert_int_equal(outbox_account(o, OUTBOX_RECORD, &account), 2);
	assert_true(account.produced == 6 && account.delivered == 2 && account.dropped == 3);
	push_record(o, 2);
	assert_int_equal(outbox_send(o, &client), 1);
	assert_int_equal(outbox_send(o, &client), 0);
	assert_true(account.produced == 7 && account.delivered == 4 && account.dropped == 3);
	t = outbox_totals(o, OUTBOX_RECORD);
	assert_true(t.produced == 7 && t.delivered == 4 && t.dropped == 3 && t.waiting == 0);
	assert_int_equal(outbox_account(o, OUTBOX_RECORD, NULL), 0);
	push_record(o, 3);
	assert_int_equal(account.produced, 7);
	assert_int_equal(outbox_totals(o, OUTBOX_RECORD).produced, 8);
	outbox_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_arrive_whole_and_in_order, connect_client, disconnect_client),
		cmocka_unit_test_setup_teardown(the_oldest_are_dropped_and_counted, connect_client, disconnect_client),
		cmocka_unit_test_setup_teardown(what_a_broken_connection_had_is_dropped, connect_client, disconnect_client),
		cmocka_unit_test_setup_teardown(hv_9_the_account_goes_on, connect_client, disconnect_client),
		cmocka_unit_test(hv_21_half_as_many_down_to_one_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
