/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/flow.c netprobe/fragment.c */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "netprobe/flow.h"
#include "tests/unit/unit.h"

#define S INT64_C(1000000000)

/* What ended, in order. */
static struct {
	struct flow flow;
	enum flow_end why;
} ended[64];
static unsigned ends;

static void on_ended(void *userdata, struct flow *f, enum flow_end why)
{
	(void)userdata;
	assert_true(ends < 64);
	ended[ends].flow = *f;
	ended[ends++].why = why;
}

static struct flow_table *make_table(uint32_t max, bool kernel_counts)
{
	const struct flow_table_options o = { .max = max, .seed = 5, .kernel_counts = kernel_counts, .ended = on_ended };
	struct flow_table *t;

	ends = 0;
	assert_int_equal(flow_table_new(&t, &o), 0);
	return t;
}

static struct packet packet(int64_t time_ns, uint8_t from, uint16_t from_port, uint8_t to, uint16_t to_port, uint8_t protocol, uint8_t flags)
{
	struct packet p = { .time_ns = time_ns, .family = AF_INET, .protocol = protocol, .source_port = from_port,
			    .destination_port = to_port, .wire_bytes = 100, .tcp_flags = flags };

	p.source[15] = from;
	p.destination[15] = to;
	return p;
}

static struct flow *feed(struct flow_table *t, struct packet p, unsigned direction)
{
	unsigned got = 7;
	struct flow *f = flow_table_packet(t, &p, NULL, &got);

	assert_non_null(f);
	assert_int_equal(got, direction);
	return f;
}

static void hv_12_both_directions_are_one_flow(void **state)
{
	struct flow_table *t = make_table(8, false);
	struct flow *f;

	(void)state;
	f = feed(t, packet(1, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_SYN), 0);
	assert_ptr_equal(feed(t, packet(2, 1, 80, 9, 5000, IPPROTO_TCP, PACKET_SYN | PACKET_ACK), 1), f);
	assert_ptr_equal(feed(t, packet(3, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_ACK), 0), f);
	assert_ptr_not_equal(feed(t, packet(3, 9, 5001, 1, 80, IPPROTO_TCP, PACKET_SYN), 0), f);
	assert_int_equal(flow_table_totals(t).flows, 2);
	assert_int_equal(f->side[f->began].packets, 2);
	assert_int_equal(f->side[!f->began].packets, 1);
	assert_int_equal(f->side[f->began].bytes, 200);
	assert_int_equal(f->side[!f->began].tcp_flags, PACKET_SYN | PACKET_ACK);
	assert_int_equal(f->key.low[15], 1);
	assert_int_equal(f->key.low_port, 80);
	/* The same host at both ends: the lower port is `low`. */
	f = feed(t, packet(3, 4, 900, 4, 80, IPPROTO_UDP, 0), 0);
	assert_ptr_equal(feed(t, packet(3, 4, 80, 4, 900, IPPROTO_UDP, 0), 1), f);
	flow_table_free(t);
}

static void who_began(void **state)
{
	struct flow_table *t = make_table(16, false);

	(void)state;
	feed(t, packet(1, 1, 80, 9, 5000, IPPROTO_TCP, PACKET_SYN | PACKET_ACK), 1); /* the SYN was not seen, or comes late */
	feed(t, packet(1, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_SYN), 0);
	assert_int_equal(flow_table_totals(t).flows, 1);
	feed(t, packet(1, 8, 5000, 1, 80, IPPROTO_TCP, PACKET_ACK), 0); /* in the middle: the first packet's sender */
	feed(t, packet(1, 1, 53, 8, 40000, IPPROTO_UDP, 0), 1);         /* but for a reply */
	feed(t, packet(1, 8, 68, 1, 67, IPPROTO_UDP, 0), 0);
	feed(t, packet(1, 7, 900, 1, 2049, IPPROTO_UDP, 0), 0);
	flow_table_free(t);
}

static void ends_by_fin_rst_and_idleness(void **state)
{
	struct flow_table *t = make_table(16, false);

	(void)state;
	feed(t, packet(1, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_SYN), 0);
	feed(t, packet(2, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_FIN | PACKET_ACK), 0);
	feed(t, packet(3, 1, 80, 9, 5000, IPPROTO_TCP, PACKET_FIN | PACKET_ACK), 1);
	feed(t, packet(4, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_ACK), 0); /* still of it */
	feed(t, packet(4, 9, 5001, 1, 80, IPPROTO_TCP, PACKET_SYN), 0);
	feed(t, packet(5, 1, 80, 9, 5001, IPPROTO_TCP, PACKET_RST | PACKET_ACK), 1);
	feed(t, packet(6, 9, 5002, 1, 80, IPPROTO_TCP, PACKET_SYN), 0);
	feed(t, packet(7, 9, 5003, 1, 53, IPPROTO_UDP, 0), 0);
	assert_int_equal(ends, 0);
	flow_table_expire(t, 6 * S);
	assert_int_equal(ends, 2);
	assert_int_equal(ended[0].why, FLOW_END_FIN);
	assert_int_equal(ended[0].flow.side[ended[0].flow.began].packets, 3);
	assert_int_equal(ended[1].why, FLOW_END_RST);
	flow_table_expire(t, 61 * S);
	assert_int_equal(ends, 3);
	assert_int_equal(ended[2].why, FLOW_END_IDLE);
	assert_int_equal(ended[2].flow.key.protocol, IPPROTO_UDP);
	flow_table_expire(t, 5 * S); /* time that goes back ends nothing */
	flow_table_end_all(t, FLOW_END_FILE);
	assert_int_equal(ends, 4);
	assert_int_equal(ended[3].why, FLOW_END_FILE);
	assert_int_equal(flow_table_totals(t).flows, 0);
	flow_table_free(t);
}

static void a_new_connection_between_the_same_ports(void **state)
{
	struct flow_table *t = make_table(16, false);
	struct packet syn = packet(1, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_SYN);

	(void)state;
	syn.sequence = 77;
	feed(t, syn, 0);
	syn.time_ns = S;
	feed(t, syn, 0); /* sent again */
	assert_int_equal(ends, 0);
	feed(t, packet(S, 1, 80, 9, 5000, IPPROTO_TCP, PACKET_ACK), 1);
	syn.sequence = 78;
	assert_int_equal(feed(t, syn, 0)->side[0].packets + 0u, 0);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, FLOW_END_REUSED);
	/* Both ends at once: one connection. */
	feed(t, packet(S, 3, 1, 4, 1, IPPROTO_TCP, PACKET_SYN), 0);
	feed(t, packet(S, 4, 1, 3, 1, IPPROTO_TCP, PACKET_SYN), 1);
	assert_int_equal(ends, 1);
	flow_table_free(t);
}

static void the_oldest_goes_when_the_table_is_full(void **state)
{
	struct flow_table *t = make_table(600, false);

	(void)state;
	for (uint16_t i = 0; i < 600; i++)
		feed(t, packet(i, 9, 5000, 1, (uint16_t)(i + 1), IPPROTO_UDP, 0), 0);
	feed(t, packet(S, 9, 5000, 1, 1, IPPROTO_UDP, 0), 0); /* no longer the oldest */
	assert_int_equal(ends, 0);
	feed(t, packet(S, 9, 5000, 1, 1000, IPPROTO_UDP, 0), 0);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, FLOW_END_EVICTED);
	assert_int_equal(ended[0].flow.key.low_port, 2);
	assert_int_equal(flow_table_totals(t).evicted, 1);
	assert_int_equal(flow_table_totals(t).flows, 600);
	flow_table_free(t);
}

static void later_fragments_are_of_the_first_ones_flow(void **state)
{
	struct flow_table *t = make_table(16, false);
	struct packet p = packet(1, 9, 5000, 1, 53, IPPROTO_UDP, 0);
	struct flow *f;

	(void)state;
	p.fragment = true;
	p.fragment_id = 99;
	f = feed(t, p, 0);
	p.fragment_offset = 1480;
	p.source_port = p.destination_port = 0;
	assert_ptr_equal(feed(t, p, 0), f);
	p.fragment_id = 98; /* its first one was not seen */
	assert_ptr_not_equal(feed(t, p, 0), f);
	p.fragment_id = 99;
	p.time_ns = 40 * S; /* too late */
	assert_ptr_not_equal(feed(t, p, 0), f);
	flow_table_free(t);
}

static void a_flow_that_goes_on_is_told_of_each_interval(void **state)
{
	struct flow_table *t = make_table(16, false);

	(void)state;
	for (int i = 0; i <= 700; i += 50)
		feed(t, packet(i * S, 9, 5000, 1, 80, IPPROTO_UDP, 0), 0);
	assert_int_equal(ends, 2);
	assert_int_equal(ended[0].why, FLOW_GOES_ON);
	assert_int_equal(ended[0].flow.side[1].packets, 8);
	assert_int_equal(ended[0].flow.reported[1].packets, 0);
	assert_int_equal(ended[1].flow.side[1].packets - ended[1].flow.reported[1].packets, 7);
	flow_table_end_all(t, FLOW_END_FILE);
	assert_int_equal(ended[2].flow.side[1].packets - ended[2].flow.reported[1].packets, 0);
	flow_table_free(t);
}

static void an_interface_that_is_let_go(void **state)
{
	struct flow_table *t = make_table(16, false);
	struct packet p = packet(1, 9, 5000, 1, 80, IPPROTO_UDP, 0);

	(void)state;
	p.interface = 3;
	feed(t, p, 0);
	p.interface = 4;
	feed(t, p, 0);
	flow_table_end_interface(t, 3);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, FLOW_END_INTERFACE);
	assert_int_equal(ended[0].flow.key.ifindex, 3);
	flow_table_free(t);
}

static void hv_13_what_the_kernel_counts_and_evicts(void **state)
{
	struct flow_table *t = make_table(16, true);
	struct packet p = packet(5 * S, 9, 5000, 1, 80, IPPROTO_TCP, PACKET_SYN);
	struct flow_key key;
	struct flow_hint hint = { .key = &key, .id = 11, .sender = !flow_key_of(&p, &key) };
	struct flow counted = { .id = 11, .began = 1, .first_ns = 4 * S, .last_ns = 6 * S };
	unsigned direction;
	struct flow *f;

	(void)state;
	f = flow_table_packet(t, &p, &hint, &direction);
	f->protocol = PROTOCOL_TLS;
	assert_int_equal(f->side[1].packets, 0); /* the kernel counts */
	counted.key = key;
	counted.side[1] = (struct flow_side){ .packets = 20, .bytes = 2000, .tcp_flags = PACKET_SYN };
	assert_ptr_equal(flow_table_counted(t, &counted), f);
	assert_int_equal(f->side[1].packets, 20);
	assert_int_equal(f->first_ns, 4 * S);
	flow_table_round(t);
	assert_int_equal(ends, 0);
	flow_table_counted(t, &counted);
	flow_table_round(t);
	assert_int_equal(ends, 0);
	flow_table_expire(t, 5000 * S); /* the kernel's flows end when the kernel says so */
	assert_int_equal(ends, 0);
	/* Not there in this round: the kernel has evicted it. */
	flow_table_round(t);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, FLOW_END_EVICTED);
	assert_int_equal(ended[0].flow.side[1].packets, 20);
	/* Back with another id: a new flow, of which nothing is known. */
	flow_table_packet(t, &p, &hint, &direction);
	hint.id = 12;
	f = flow_table_packet(t, &p, &hint, &direction);
	assert_int_equal(ends, 2);
	assert_int_equal(ended[1].why, FLOW_END_EVICTED);
	assert_int_equal(f->protocol, PROTOCOL_UNKNOWN);
	assert_int_equal(f->id, 12);
	flow_table_free(t);
}

/* Of the daemon before, which told of a part. */
static void hv_9_a_flow_from_before(void **state)
{
	struct flow_table *t = make_table(16, true);
	struct flow counted = { .id = 7, .first_ns = 4 * S, .last_ns = 306 * S, .reported_ns = 305 * S, .protocol = PROTOCOL_TLS,
				.confidence = 0.5f, .state = CLASSIFY_DONE, .settled = true };
	struct flow *f;

	(void)state;
	counted.side[0].packets = 100;
	counted.reported[0].packets = 80;
	f = flow_table_counted(t, &counted);
	assert_true(f->settled && f->protocol == PROTOCOL_TLS && f->state == CLASSIFY_DONE);
	assert_int_equal(ends, 0); /* its interval began with the record before */
	assert_int_equal(f->reported[0].packets, 80);
	counted.last_ns = 606 * S;
	counted.side[0].packets = 130;
	counted.reported[0].packets = 0; /* of no account: it is known now */
	flow_table_counted(t, &counted);
	assert_int_equal(ends, 1);
	assert_int_equal(ended[0].why, FLOW_GOES_ON);
	assert_int_equal(ended[0].flow.side[0].packets - ended[0].flow.reported[0].packets, 50);
	assert_int_equal(f->reported[0].packets, 130);
	flow_table_free(t);
}

static void options_that_cannot_be(void **state)
{
	struct flow_table_options o = { .max = 0, .ended = on_ended };
	struct flow_table *t;

	(void)state;
	assert_int_equal(flow_table_new(&t, &o), -EINVAL);
	o.max = UINT32_MAX;
	assert_int_equal(flow_table_new(&t, &o), -EINVAL);
	assert_string_equal(flow_end_name(FLOW_END_INTERFACE), "interface_removed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hv_12_both_directions_are_one_flow),
		cmocka_unit_test(who_began),
		cmocka_unit_test(ends_by_fin_rst_and_idleness),
		cmocka_unit_test(a_new_connection_between_the_same_ports),
		cmocka_unit_test(the_oldest_goes_when_the_table_is_full),
		cmocka_unit_test(later_fragments_are_of_the_first_ones_flow),
		cmocka_unit_test(a_flow_that_goes_on_is_told_of_each_interval),
		cmocka_unit_test(an_interface_that_is_let_go),
		cmocka_unit_test(hv_13_what_the_kernel_counts_and_evicts),
		cmocka_unit_test(hv_9_a_flow_from_before),
		cmocka_unit_test(options_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
