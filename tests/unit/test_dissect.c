/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/classify.c netprobe/stream.c netprobe/pool.c netprobe/dissect */
/* Every protocol by its first packets: alone known as what it is, however it is cut, and never as something else. */
#include "tests/unit/flow.h"

static void play(struct flow *f, const struct sample *s, uint16_t port)
{
	flow_begin(f, s->tcp, port);
	if (s->tcp)
		flow_syn(f);
}

static void expect(const struct flow *f, const struct sample *s, const char *how)
{
	if (f->result.protocol != s->protocol)
		fail_msg("%s, %s, %s: %s", protocol_name(s->protocol), s->what, how, protocol_name(f->result.protocol));
	assert_true(f->result.confidence > 0.5F && f->result.confidence <= 1);
	assert_int_equal(f->fresh >= 1, 1);
}

static void every_protocol_is_known(void **state)
{
	uint64_t seen = 0;

	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct flow f;

		play(&f, &samples[i], samples[i].port);
		for (unsigned n = 0; n < SAMPLE_PACKETS && samples[i].packets[n].size; n++)
			flow_send(&f, samples[i].packets[n].direction, samples[i].packets[n].bytes, samples[i].packets[n].size);
		expect(&f, &samples[i], "whole");
		seen |= PROTOCOL_BIT(samples[i].protocol);
		flow_end(&f);
	}
	/* QUIC is encrypted: test_dissect_quic.c makes its packets. */
	assert_int_equal(seen | PROTOCOL_BIT(PROTOCOL_QUIC), (UINT64_C(1) << PROTOCOLS) - 2);
}

static void structure_decides_not_the_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct flow f;

		if (samples[i].port_counts)
			continue;
		play(&f, &samples[i], 7777);
		for (unsigned n = 0; n < SAMPLE_PACKETS && samples[i].packets[n].size; n++)
			flow_send(&f, samples[i].packets[n].direction, samples[i].packets[n].bytes, samples[i].packets[n].size);
		if (f.result.state == CLASSIFY_GOING && !f.result.protocol)
			for (unsigned n = 0; n < 3; n++)
				flow_send(&f, 0, "\r\n", 2);
		expect(&f, &samples[i], "on another port");
		flow_end(&f);
	}
}

static void on_another_port_what_leans_on_it_is_not_claimed(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct flow f;

		if (!samples[i].port_counts)
			continue;
		play(&f, &samples[i], 7777);
		for (unsigned n = 0; n < SAMPLE_PACKETS && samples[i].packets[n].size; n++)
			flow_send(&f, samples[i].packets[n].direction, samples[i].packets[n].bytes, samples[i].packets[n].size);
		assert_int_not_equal(f.result.protocol, samples[i].protocol);
		flow_end(&f);
	}
}

/* Streams in up to 16 pieces: the same answer. */
static void cut_into_small_segments(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct flow f;
		size_t total = 0;

		if (!samples[i].tcp)
			continue;
		for (unsigned n = 0; n < SAMPLE_PACKETS; n++)
			total += samples[i].packets[n].size;
		play(&f, &samples[i], samples[i].port);
		for (unsigned n = 0; n < SAMPLE_PACKETS && samples[i].packets[n].size; n++) {
			size_t size = samples[i].packets[n].size, step = total / 10 + 1;

			for (size_t at = 0; at < size; at += step)
				flow_send(&f, samples[i].packets[n].direction, samples[i].packets[n].bytes + at,
					  size - at < step ? size - at : step);
		}
		expect(&f, &samples[i], "cut");
		flow_end(&f);
	}
}

/* The first packet in two halves, the second half first. */
static void out_of_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct flow f;

		if (!samples[i].tcp)
			continue;
		play(&f, &samples[i], samples[i].port);
		for (unsigned n = 0; n < SAMPLE_PACKETS && samples[i].packets[n].size; n++) {
			unsigned d = samples[i].packets[n].direction;
			const char *bytes = samples[i].packets[n].bytes;
			size_t half = samples[i].packets[n].size / 2;
			uint32_t next = f.next[d];

			if (half)
				flow_packet(&f, d, PACKET_ACK | PACKET_PSH, next + (uint32_t)half, bytes + half,
					    samples[i].packets[n].size - half);
			f.next[d] += (uint32_t)samples[i].packets[n].size;
			flow_packet(&f, d, PACKET_ACK | PACKET_PSH, next, bytes, half ? half : samples[i].packets[n].size);
		}
		expect(&f, &samples[i], "out of order");
		flow_end(&f);
	}
}

/* What is cut off anywhere is the same or unknown, or what it is a beginning of; nothing else. */
static void a_part_is_never_something_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		const struct sample *s = &samples[i];

		for (size_t size = 1; size < s->packets[0].size; size++) {
			struct flow f;

			play(&f, s, s->port);
			flow_send(&f, s->packets[0].direction, s->packets[0].bytes, size);
			if (f.result.protocol && f.result.protocol != s->protocol)
				fail_msg("%s, %s, %zu bytes: %s", protocol_name(s->protocol), s->what, size,
					 protocol_name(f.result.protocol));
			flow_end(&f);
		}
	}
}

static void hv_14_a_dissector_that_is_off_is_not_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct flow f;

		play(&f, &samples[i], samples[i].port);
		f.off = PROTOCOL_BIT(samples[i].protocol);
		for (unsigned n = 0; n < SAMPLE_PACKETS && samples[i].packets[n].size; n++)
			flow_send(&f, samples[i].packets[n].direction, samples[i].packets[n].bytes, samples[i].packets[n].size);
		assert_int_not_equal(f.result.protocol, samples[i].protocol);
		flow_end(&f);
	}
}

static void hv_14_only_http(void **state)
{
	(void)state;
	for (size_t i = 0; i < SAMPLES; i++) {
		struct flow f;

		play(&f, &samples[i], samples[i].port);
		f.off = ~PROTOCOL_BIT(PROTOCOL_HTTP);
		for (unsigned n = 0; n < SAMPLE_PACKETS && samples[i].packets[n].size; n++)
			flow_send(&f, samples[i].packets[n].direction, samples[i].packets[n].bytes, samples[i].packets[n].size);
		assert_int_equal(f.result.protocol, samples[i].protocol == PROTOCOL_HTTP ? PROTOCOL_HTTP : PROTOCOL_UNKNOWN);
		assert_int_equal(f.handed_count, 0);
		flow_end(&f);
	}
}

static void names_go_both_ways(void **state)
{
	unsigned count;
	const struct dissector *d = dissectors(&count);
	uint64_t all = 0;

	(void)state;
	for (unsigned p = PROTOCOL_UNKNOWN + 1; p < PROTOCOLS; p++)
		assert_int_equal(protocol_from_name(protocol_name((enum protocol)p)), p);
	assert_int_equal(protocol_from_name("unknown"), PROTOCOL_UNKNOWN);
	assert_int_equal(protocol_from_name("gopher"), PROTOCOL_UNKNOWN);
	assert_string_equal(protocol_name(PROTOCOLS), "unknown");
	for (unsigned i = 0; i < count; i++) {
		assert_false(all & PROTOCOL_BIT(d[i].protocol));
		assert_true(d[i].tcp || d[i].udp);
		all |= PROTOCOL_BIT(d[i].protocol);
	}
	assert_int_equal(count, PROTOCOLS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_protocol_is_known),
		cmocka_unit_test(structure_decides_not_the_port),
		cmocka_unit_test(on_another_port_what_leans_on_it_is_not_claimed),
		cmocka_unit_test(cut_into_small_segments),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(a_part_is_never_something_else),
		cmocka_unit_test(hv_14_a_dissector_that_is_off_is_not_run),
		cmocka_unit_test(hv_14_only_http),
		cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
