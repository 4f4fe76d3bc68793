/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/client.c proto/netprobe.pb-c.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "netprobe/client.h"

#define FRAME_INIT SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT
#define CASE(name) SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_##name

static long peak_kib(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_maxrss;
}

/* Tag and length of a length-delimited field (protobuf.dev, "Encoding"). */
static uint8_t *put_field(uint8_t *p, unsigned number, size_t length)
{
	const size_t varints[] = { number << 3 | 2, length };

	for (int i = 0; i < 2; i++) {
		size_t v = varints[i];

		for (; v >= 0x80; v >>= 7)
			*p++ = (uint8_t)(v | 0x80);
		*p++ = (uint8_t)v;
	}
	return p;
}

/* A frame whose payload field `payload` (one message deeper, its field `inside`) is `n` times the empty element `element`.
 * malloc'd. */
static uint8_t *tiny_elements(unsigned payload, unsigned inside, unsigned element, size_t n, size_t *size)
{
	uint8_t *frame = malloc(2 * n + 16), *p = frame, header[16];

	assert_non_null(frame);
	p = put_field(p, payload, 2 * n + (inside ? (size_t)(put_field(header, inside, 2 * n) - header) : 0));
	if (inside)
		p = put_field(p, inside, 2 * n);
	for (size_t i = 0; i < n; i++) {
		*p++ = (uint8_t)(element << 3 | 2);
		*p++ = 0;
	}
	*size = (size_t)(p - frame);
	return frame;
}

/* Two bytes an element, an object of up to some hundred bytes each: without a limit 4 MiB become hundreds. */
static void hv_20_a_frame_of_tiny_elements_is_refused_with_bounded_memory(void **state)
{
	static const struct {
		unsigned payload, inside, element;
	} cases[] = {
		{ 29, 0, 1 }, /* FlowAttributionEventBatch.events */
		{ 2, 1, 3 },  /* ApplyConfig.config, VisibilityAgentConfig.device_bindings */
		{ 2, 1, 2 },  /* …, capture_interfaces: strings */
		{ 22, 0, 3 }, /* ProcessSnapshot.entries */
		{ 26, 0, 1 }, /* BannerBatch.observations */
		{ 31, 0, 1 }, /* MdnsSnapshot.devices */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t few, many, used;
		_cleanup_free_ uint8_t *small = tiny_elements(cases[i].payload, cases[i].inside, cases[i].element, 1000, &few);
		_cleanup_free_ uint8_t *large = tiny_elements(cases[i].payload, cases[i].inside, cases[i].element,
							      (FRAME_MAX_PAYLOAD - 16) / 2, &many);
		NetprobeFrame *f = client_decode(small, few);
		long before = peak_kib();

		assert_non_null(f); /* the shape is right, only the number is not */
		client_free_frame(f);
		assert_in_range(many, FRAME_MAX_PAYLOAD - 16, FRAME_MAX_PAYLOAD);
		assert_null(client_decode(large, many));
		assert_in_range(peak_kib() - before, 0, 32 * 1024);
		used = mallinfo2().uordblks;
		assert_null(client_decode(large, many));
		assert_int_equal(mallinfo2().uordblks, used); /* all of it was given back */
	}
}

/* The limit is far from what a client really sends. */
static void a_large_config_and_a_large_banner_decode(void **state)
{
	enum { DEVICES = 10000 };
	Serviceradar__Agent__Netprobe__V1__ApplyConfig apply = SERVICERADAR__AGENT__NETPROBE__V1__APPLY_CONFIG__INIT;
	Serviceradar__Agent__Netprobe__V1__VisibilityAgentConfig config = SERVICERADAR__AGENT__NETPROBE__V1__VISIBILITY_AGENT_CONFIG__INIT;
	Serviceradar__Agent__Netprobe__V1__DeviceBinding binding = SERVICERADAR__AGENT__NETPROBE__V1__DEVICE_BINDING__INIT;
	static Serviceradar__Agent__Netprobe__V1__DeviceBinding *bindings[DEVICES];
	NetprobeFrame frame = FRAME_INIT, *back;
	_cleanup_free_ uint8_t *bytes = NULL, *banner = calloc(1, FRAME_MAX_PAYLOAD);
	const size_t large = 3u * 1024 * 1024;
	uint8_t *p;
	size_t size;

	(void)state;
	binding.ip = (char *)"2001:db8:1111:2222:3333:4444:5555:6666";
	binding.profile_id = binding.profile_name = (char *)"a profile of some length";
	for (size_t i = 0; i < DEVICES; i++)
		bindings[i] = &binding;
	config.device_bindings = bindings;
	config.n_device_bindings = DEVICES;
	apply.config = &config;
	frame.payload_case = CASE(APPLY_CONFIG);
	frame.apply_config = &apply;
	frame.sequence = 7;
	size = protobuf_c_message_get_packed_size(&frame.base);
	bytes = malloc(size);
	assert_non_null(bytes);
	protobuf_c_message_pack(&frame.base, bytes);
	back = client_decode(bytes, size);
	assert_non_null(back);
	assert_int_equal(back->sequence, 7);
	assert_int_equal(back->apply_config->config->n_device_bindings, DEVICES);
	client_free_frame(back);

	p = put_field(banner, 26, large + 5 + 5); /* BannerBatch, observations, banner_bytes */
	p = put_field(p, 1, large + 5);
	p = put_field(p, 5, large);
	back = client_decode(banner, (size_t)(p - banner) + large);
	assert_non_null(back);
	assert_int_equal(back->banner_batch->observations[0]->banner_bytes.len, large);
	client_free_frame(back);
}

static void what_is_no_frame_does_not_decode(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
	} bad[] = {
		{ "\xff\xff\xff\xff", 4 },
		{ "\x22\x05\x08", 3 },                          /* ping, cut off */
		{ "\x08", 1 },                                  /* sequence without a value */
		{ "\x22\xff\xff\xff\xff\x0f", 6 },              /* a length of 4 GiB */
		{ "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13 }, /* a varint that does not end */
		{ "\x22\x02\x0a\x7f", 4 },                      /* inside ping: a field that leaves it */
	};
	NetprobeFrame *f = client_decode((const uint8_t *)"", 0);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(client_decode((const uint8_t *)bad[i].bytes, bad[i].size));
	assert_non_null(f); /* proto3: no bytes are the message that has nothing set */
	assert_int_equal(f->payload_case, CASE(_NOT_SET));
	client_free_frame(f);
	f = client_decode((const uint8_t *)"\xfa\x7f\x01x\x08\x05", 6); /* an unknown field of a later version, then sequence */
	assert_non_null(f);
	assert_int_equal(f->sequence, 5);
	client_free_frame(f);
}

static NetprobeFrame error_of(const char *text, Serviceradar__Agent__Netprobe__V1__ErrorFrame *error)
{
	NetprobeFrame frame = FRAME_INIT;

	*error = (Serviceradar__Agent__Netprobe__V1__ErrorFrame)SERVICERADAR__AGENT__NETPROBE__V1__ERROR_FRAME__INIT;
	error->code = error->message = (char *)(uintptr_t)text;
	frame.payload_case = CASE(ERROR);
	frame.error = error;
	return frame;
}

/* Appends more than a socket takes, reads it all at the other side: what arrives is what was appended, and the events count
 * as gone only when all of it went. */
static void what_a_slow_client_does_not_take_waits(void **state)
{
	struct client c = { .fd = -1 };
	struct frame_reader reader = { 0 };
	_cleanup_free_ char *text = malloc(50001);
	_cleanup_close_ int peer = -1;
	size_t done, events = 0, frames = 0, after = 0;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	c.fd = pair[0];
	peer = pair[1];
	memset(text, 'x', 50000);
	text[50000] = '\0';
	for (int i = 0; i < 20; i++) {
		Serviceradar__Agent__Netprobe__V1__ErrorFrame error;
		NetprobeFrame frame = error_of(text, &error);

		frame.sequence = (uint64_t)i;
		assert_int_equal(client_append(&c, &frame), 0);
	}
	c.out_events = 256;
	assert_true(client_backlog(&c) > 20 * 100000);
	while (frames < 20) {
		const uint8_t *payload;
		size_t length;
		int r;

		assert_int_equal(client_flush(&c, &done), 0);
		events += done;
		assert_int_equal(events, client_backlog(&c) ? 0 : 256);
		while ((r = frame_read(&reader, peer, &payload, &length)) == 1) {
			NetprobeFrame *f = client_decode(payload, length);

			assert_non_null(f);
			assert_int_equal(f->sequence, frames++);
			assert_string_equal(f->error->message, text);
			client_free_frame(f);
		}
		assert_int_equal(r, 0);
	}
	assert_int_equal(events, 256);
	assert_int_equal(client_flush(&c, &after), 0);
	assert_int_equal(after, 0); /* counted once */
	assert_null(c.out);         /* a buffer that had to grow is given back */
	frame_reader_reset(&reader);
	client_close(&c);
	assert_int_equal(c.fd, -1);
}

static void a_client_that_is_gone_is_an_error_and_counts_nothing(void **state)
{
	Serviceradar__Agent__Netprobe__V1__ErrorFrame error;
	NetprobeFrame frame = error_of("text", &error);
	struct client c = { .fd = -1 };
	size_t done = 1;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[1]);
	c.fd = pair[0];
	assert_int_equal(client_append(&c, &frame), 0);
	c.out_events = 3;
	assert_int_equal(client_flush(&c, &done), -EPIPE); /* and no SIGPIPE */
	assert_int_equal(done, 0);
	assert_int_equal(c.out_events, 3);
	client_close(&c);
	client_close(&c); /* twice does no harm */
}

static void a_frame_above_the_limit_is_not_appended(void **state)
{
	Serviceradar__Agent__Netprobe__V1__ErrorFrame error;
	_cleanup_free_ char *text = malloc(FRAME_MAX_PAYLOAD / 2 + 1);
	struct client c = { .fd = -1 };
	NetprobeFrame frame;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', FRAME_MAX_PAYLOAD / 2);
	text[FRAME_MAX_PAYLOAD / 2] = '\0';
	frame = error_of(text, &error);
	assert_int_equal(client_append(&c, &frame), -EMSGSIZE);
	assert_int_equal(client_backlog(&c), 0);
	client_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hv_20_a_frame_of_tiny_elements_is_refused_with_bounded_memory),
		cmocka_unit_test(a_large_config_and_a_large_banner_decode),
		cmocka_unit_test(what_is_no_frame_does_not_decode),
		cmocka_unit_test(what_a_slow_client_does_not_take_waits),
		cmocka_unit_test(a_client_that_is_gone_is_an_error_and_counts_nothing),
		cmocka_unit_test(a_frame_above_the_limit_is_not_appended),
	};

	return cmocka_run_group_tests_name("netprobe/client.c", tests, NULL, NULL);
}
