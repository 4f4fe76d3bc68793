/* SPDX-License-Identifier: Apache-2.0 */
/* ipc-client SOCKET STEP...: a client of netprobe's socket for the tests. Prints each frame as a line of JSON.
 *   ping, apply JSON     send a request, wait for its reply (events that come before it are printed too)
 *   reply                send a payload that is no request, wait for the reply
 *   recv                 wait for one frame
 *   eof                  wait until the daemon closes the connection; a frame before that is printed
 *   oversize, garbage    send the header of a frame above 4 MiB; a frame that does not decode
 *   half                 send half a frame and shut down
 *   events N             print events, one a line, until there were N
 *   drain                print events until a second passes without any
 *   settle               the same, but until one passes without protocols, fingerprints and flow records
 *   raw PATH             from here on append the bytes of every frame that comes to a file
 *   flow JSON, flow0 JSON  send an ExternalFlowRecord and wait for the ack; send one that wants none
 *   capture JSON PATH    send a StartRemoteCapture and append the bytes of its blocks to a file, until the final one, which is
 *                        printed without them; an error is printed, too
 *   start JSON           send a StartRemoteCapture, wait for its first block or error; a block is printed without its bytes
 *   blocks PATH          the same as capture, of a session that has begun
 *   stop ID, credit JSON send a StopRemoteCapture; a CaptureCredit
 *   wait PATH            do nothing, not even read, until PATH exists
 * Exit status: 0 when every step went as said, 1 when not within 10 seconds each; PATIENCE in the environment multiplies them. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/frame.h"
#include "lib/json.h"
#include "lib/protojson.h"
#include "proto/netprobe.pb-c.h"

#define PB(name)   Serviceradar__Agent__Netprobe__V1__##name
#define CASE(name) SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_##name
#define WAIT_MS    10000

static int fd = -1;
static uint64_t sequence;
static struct frame_reader reader;
static FILE *raw;
static int patience = 1;

static _Noreturn void die(const char *step, const char *why)
{
	fprintf(stderr, "ipc-client: %s: %s\n", step, why);
	exit(1);
}

/* With a "type", unless it is NULL. */
static void print_typed(const ProtobufCMessage *m, const char *type)
{
	_cleanup_json_ struct json_object *o = protojson_from_message(m);

	if (type)
		json_object_object_add(o, "type", json_object_new_string(type));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
}

static void print_json(const ProtobufCMessage *m)
{
	print_typed(m, NULL);
}

/* NULL at the connection's end or after `wait` ms. */
static PB(NetprobeFrame) *receive(int wait, bool *end)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const uint8_t *payload;
	size_t length;
	int r;

	*end = false;
	while ((r = frame_read(&reader, fd, &payload, &length)) == 0)
		if (poll(&p, 1, wait) == 0)
			return NULL;
	*end = r < 0;
	if (r > 0 && raw && (fwrite(payload, 1, length, raw) != length || fflush(raw) != 0))
		die("raw", "cannot write");
	return r < 0 ? NULL : serviceradar__agent__netprobe__v1__netprobe_frame__unpack(NULL, length, payload);
}

/* Prints events one by one, anything else whole; returns the number of events. */
static unsigned show(PB(NetprobeFrame) *f)
{
	unsigned n = 1;

	if (f->payload_case == CASE(FLOW_ATTRIBUTION_BATCH)) {
		n = (unsigned)f->flow_attribution_batch->n_events;
		for (unsigned i = 0; i < n; i++)
			print_json(&f->flow_attribution_batch->events[i]->base);
		if (f->flow_attribution_batch->dropped_since_last)
			printf("{\"droppedSinceLast\":%u}\n", f->flow_attribution_batch->dropped_since_last);
	} else if (f->payload_case == CASE(FLOW_ATTRIBUTION_EVENT)) {
		print_json(&f->flow_attribution_event->base);
	} else if (f->payload_case == CASE(DPI_EVENT)) {
		print_typed(&f->dpi_event->base, "dpi_event");
		n = 0;
	} else if (f->payload_case == CASE(FINGERPRINT_EVENT)) {
		print_typed(&f->fingerprint_event->base, "fingerprint_event");
		n = 0;
	} else if (f->payload_case == CASE(FLOW_RECORD_BATCH)) {
		for (size_t i = 0; i < f->flow_record_batch->n_records; i++)
			print_typed(&f->flow_record_batch->records[i]->base, "flow_record");
		n = 0;
	} else {
		print_json(&f->base);
		n = 0;
	}
	return n;
}

static void send_bytes(const char *step, const void *data, size_t size)
{
	if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		die(step, strerror(errno));
}

static void send_frame(const char *step, PB(NetprobeFrame) *f)
{
	uint8_t header[FRAME_HEADER_BYTES];
	size_t size;
	_cleanup_free_ uint8_t *bytes = NULL;

	f->sequence = ++sequence;
	size = protobuf_c_message_get_packed_size(&f->base);
	bytes = malloc(size + 1);
	if (!bytes || frame_header(header, size) < 0)
		die(step, "too large");
	protobuf_c_message_pack(&f->base, bytes);
	send_bytes(step, header, sizeof(header));
	send_bytes(step, bytes, size);
}

static void await_reply(const char *step)
{
	for (;;) {
		bool end;
		uint64_t got;
		PB(NetprobeFrame) *f = receive(WAIT_MS * patience, &end);

		if (!f)
			die(step, end ? "the connection was closed" : "no reply");
		(void)show(f);
		got = f->sequence;
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
		if (got == sequence)
			return;
	}
}

static void step_ping(const char *step)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	PB(Ping) ping = SERVICERADAR__AGENT__NETPROBE__V1__PING__INIT;

	ping.sent_at_unix_nano = 1;
	f.payload_case = CASE(PING);
	f.ping = &ping;
	send_frame(step, &f);
	await_reply(step);
}

static void step_reply(const char *step)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	PB(PingAck) ack = SERVICERADAR__AGENT__NETPROBE__V1__PING_ACK__INIT;

	f.payload_case = CASE(PING_ACK);
	f.ping_ack = &ack;
	send_frame(step, &f);
	await_reply(step);
}

static void step_apply(const char *step, const char *text)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	PB(ApplyConfig) apply = SERVICERADAR__AGENT__NETPROBE__V1__APPLY_CONFIG__INIT;
	_cleanup_json_ struct json_object *o = NULL;
	ProtobufCMessage *config = NULL;
	struct error err;

	if (json_parse(text, strlen(text), "apply", &o, &err) < 0 ||
	    protojson_to_message(o, &serviceradar__agent__netprobe__v1__visibility_agent_config__descriptor, &config, &err) < 0)
		die(step, err.text);
	apply.config = (PB(VisibilityAgentConfig) *)config;
	f.payload_case = CASE(APPLY_CONFIG);
	f.apply_config = &apply;
	send_frame(step, &f);
	protobuf_c_message_free_unpacked(config, NULL);
	await_reply(step);
}

static void step_flow(const char *step, const char *text, bool want_ack)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	_cleanup_json_ struct json_object *o = NULL;
	ProtobufCMessage *flow = NULL;
	struct error err;

	if (json_parse(text, strlen(text), "flow", &o, &err) < 0 ||
	    protojson_to_message(o, &serviceradar__agent__netprobe__v1__external_flow_record__descriptor, &flow, &err) < 0)
		die(step, err.text);
	f.payload_case = CASE(EXTERNAL_FLOW_RECORD);
	f.external_flow_record = (PB(ExternalFlowRecord) *)flow;
	if (want_ack) {
		send_frame(step, &f);
		await_reply(step);
	} else {
		uint64_t before = sequence;

		sequence = UINT64_MAX; /* the next one is 0 */
		send_frame(step, &f);
		sequence = before;
	}
	protobuf_c_message_free_unpacked(flow, NULL);
}

/* Events until `wanted`; 0: until a second passes without any. */
static void step_events(const char *step, unsigned wanted)
{
	unsigned seen = 0;

	while (wanted == 0 || seen < wanted) {
		bool end;
		PB(NetprobeFrame) *f = receive(wanted ? WAIT_MS * patience : (patience > 1 ? 2000 : 1000), &end);

		if (!f && !wanted && !end)
			return;
		if (!f)
			die(step, end ? "the connection was closed" : "no more events");
		seen += show(f);
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
	}
}

static void send_capture(const char *step, const char *text)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	_cleanup_json_ struct json_object *o = NULL;
	ProtobufCMessage *m = NULL;
	struct error err;
	bool credit = strcmp(step, "credit") == 0;

	if (json_parse(text, strlen(text), step, &o, &err) < 0 ||
	    protojson_to_message(o, credit ? &serviceradar__agent__netprobe__v1__capture_credit__descriptor :
					     &serviceradar__agent__netprobe__v1__start_remote_capture__descriptor, &m, &err) < 0)
		die(step, err.text);
	f.payload_case = credit ? CASE(CAPTURE_CREDIT) : CASE(START_REMOTE_CAPTURE);
	f.start_remote_capture = (PB(StartRemoteCapture) *)m;
	send_frame(step, &f);
	protobuf_c_message_free_unpacked(m, NULL);
}

static void step_stop(const char *step, const char *id)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	PB(StopRemoteCapture) stop = SERVICERADAR__AGENT__NETPROBE__V1__STOP_REMOTE_CAPTURE__INIT;

	stop.session_id = (char *)(uintptr_t)id;
	f.payload_case = CASE(STOP_REMOTE_CAPTURE);
	f.stop_remote_capture = &stop;
	send_frame(step, &f);
}

/* Blocks until the final one, or only the first, into a file. */
static void step_blocks(const char *step, FILE *to, bool first)
{
	for (bool over = false; !over;) {
		bool end;
		PB(NetprobeFrame) *f = receive(WAIT_MS * patience, &end);
		PB(PcapngBlock) *b;

		if (!f)
			die(step, end ? "the connection was closed" : "no block");
		b = f->payload_case == CASE(PCAPNG_BLOCK) ? f->pcapng_block : NULL;
		over = f->payload_case == CASE(ERROR) || (b && (b->final || first));
		if (b && b->bytes.len && to && (fwrite(b->bytes.data, 1, b->bytes.len, to) != b->bytes.len || fflush(to) != 0))
			die(step, "cannot write");
		if (b)
			b->bytes.len = 0;
		if (over)
			print_json(&f->base);
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
	}
}

static bool of_flows(const PB(NetprobeFrame) *f)
{
	return f->payload_case == CASE(DPI_EVENT) || f->payload_case == CASE(FINGERPRINT_EVENT) ||
	       f->payload_case == CASE(FLOW_RECORD_BATCH);
}

/* Who owns what is told of the whole host, where something happens all the time. */
static void step_settle(const char *step)
{
	time_t last = time(NULL);

	while (time(NULL) - last < 2) {
		bool end;
		PB(NetprobeFrame) *f = receive(1000, &end);

		if (end)
			die(step, "the connection was closed");
		if (!f)
			return;
		(void)show(f);
		if (of_flows(f))
			last = time(NULL);
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
	}
}

static void step_recv(const char *step, bool want_end)
{
	bool end;
	PB(NetprobeFrame) *f = receive(WAIT_MS * patience, &end);

	while (f && want_end) { /* what came before the end */
		(void)show(f);
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
		f = receive(WAIT_MS * patience, &end);
	}
	if (want_end ? !end : !f)
		die(step, want_end ? "the connection stays open" : "nothing came");
	if (f) {
		(void)show(f);
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(f, NULL);
	}
}

static void step_wait(const char *step, const char *path)
{
	for (int i = 0; access(path, F_OK) < 0; i++) {
		const struct timespec pause = { .tv_nsec = 20000000 };

		if (i > 60 * 50 * patience)
			die(step, "nobody made the file");
		(void)nanosleep(&pause, NULL);
	}
}

int main(int argc, char **argv)
{
	static const uint8_t oversize[] = { 0x00, 0x40, 0x00, 0x01 }, garbage[] = { 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff },
			     half[] = { 0, 0, 0, 100, 1, 2, 3 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (getenv("PATIENCE") && atoi(getenv("PATIENCE")) > 0)
		patience = atoi(getenv("PATIENCE"));
	if (argc < 3)
		die("usage", "ipc-client SOCKET STEP...");
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(argv[1], strerror(errno));
	{
		struct timeval none = { .tv_usec = 1 }; /* frame_read() wants to be told when nothing is there */

		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	}
	for (int i = 2; i < argc; i++) {
		const char *step = argv[i], *argument = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(step, "ping") == 0)
			step_ping(step);
		else if (strcmp(step, "reply") == 0)
			step_reply(step);
		else if (strcmp(step, "apply") == 0)
			step_apply(step, argument), i++;
		else if (strcmp(step, "recv") == 0 || strcmp(step, "eof") == 0)
			step_recv(step, *step == 'e');
		else if (strcmp(step, "oversize") == 0)
			send_bytes(step, oversize, sizeof(oversize));
		else if (strcmp(step, "garbage") == 0)
			send_bytes(step, garbage, sizeof(garbage));
		else if (strcmp(step, "half") == 0)
			send_bytes(step, half, sizeof(half)), (void)shutdown(fd, SHUT_WR);
		else if (strcmp(step, "events") == 0)
			step_events(step, (unsigned)strtoul(argument, NULL, 10)), i++;
		else if (strcmp(step, "drain") == 0)
			step_events(step, 0);
		else if (strcmp(step, "settle") == 0)
			step_settle(step);
		else if (strcmp(step, "flow") == 0 || strcmp(step, "flow0") == 0)
			step_flow(step, argument, !step[4]), i++;
		else if (strcmp(step, "capture") == 0 || strcmp(step, "start") == 0 || strcmp(step, "blocks") == 0) {
			_cleanup_fclose_ FILE *to = *step == 's' ? NULL : fopen(*step == 'c' ? argv[i + 2] : argument, "a");

			if (*step != 's' && !to)
				die(step, strerror(errno));
			if (*step != 'b')
				send_capture(step, argument);
			step_blocks(step, to, *step == 's');
			i += *step == 'c' ? 2 : 1;
		} else if (strcmp(step, "stop") == 0)
			step_stop(step, argument), i++;
		else if (strcmp(step, "credit") == 0)
			send_capture(step, argument), i++;
		else if (strcmp(step, "raw") == 0) {
			raw = fopen(argument, "w");
			if (!raw)
				die(step, strerror(errno));
			i++;
		} else if (strcmp(step, "wait") == 0)
			step_wait(step, argument), i++;
		else
			die(step, "no such step");
	}
	return 0;
}
