/* SPDX-License-Identifier: Apache-2.0 */
/* queue-feed DIR LIMIT [COUNT RATE]: appends to a sink's queue, as the agent does, and prints "appended N dropped M". Events are lines of
 * JSON on standard input with their "type"; or COUNT attribution events, numbered from 1 by socketAddress, RATE a second. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/np.h"
#include "agent/stream.h"
#include "lib/diskqueue.h"
#include "lib/json.h"
#include "lib/protojson.h"

static struct diskqueue queue;

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "queue-feed: %s: %s\n", what, why);
	exit(1);
}

static void append(enum stream stream, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	_cleanup_free_ uint8_t *bytes = malloc(size + 1);

	protobuf_c_message_pack(m, bytes);
	(void)diskqueue_append(&queue, stream, bytes, size);
}

static void append_line(char *line)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct error err = { .text = "" };
	ProtobufCMessage *m = NULL;
	struct json_object *type;
	enum stream stream;

	line[strcspn(line, "\n")] = '\0';
	if (json_parse(line, strlen(line), "line", &o, &err) < 0)
		die(line, err.text);
	stream = json_object_object_get_ex(o, "type", &type) ? stream_parse(json_object_get_string(type)) : 0;
	if (stream == STREAM_ADDON_RECORD) {
		(void)diskqueue_append(&queue, stream, line, strlen(line));
		return;
	}
	if (!stream_descriptor(stream))
		die(line, "no type of event");
	json_object_object_del(o, "type");
	if (protojson_to_message(o, stream_descriptor(stream), &m, &err) < 0)
		die(line, err.text);
	append(stream, m);
	protobuf_c_message_free_unpacked(m, NULL);
}

static void generate(uint64_t count, uint64_t rate)
{
	const struct timespec slice = { .tv_nsec = 10000000 };
	struct timespec start, now;
	NpFlowEvent e = NP_FLOW_EVENT_INIT;

	e.local_ip = (char *)"192.0.2.1";
	e.remote_ip = (char *)"198.51.100.2";
	e.transport_protocol = (char *)"tcp";
	e.comm = (char *)"generator";
	e.executable = (char *)"/usr/bin/generator";
	e.systemd_unit = (char *)"generator.service";
	e.source = (char *)"tracepoint";
	e.event_kind = NP_KIND_CONNECT;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (uint64_t i = 1; i <= count; i++) {
		e.socket_address = i;
		e.pid = e.tgid = (uint32_t)(1 + i % 30000);
		e.local_port = (uint32_t)(1024 + i % 60000);
		e.remote_port = 443;
		e.observed_at_unix_nano = 1700000000000000000 + (int64_t)i;
		append(STREAM_FLOW_ATTRIBUTION, &e.base);
		if (i % (rate / 100 + 1) != 0)
			continue;
		(void)diskqueue_flush(&queue);
		do {
			nanosleep(&slice, NULL);
			clock_gettime(CLOCK_MONOTONIC, &now);
		} while (((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9) * (double)rate < (double)i);
	}
}

int main(int argc, char **argv)
{
	struct error err = { .text = "" };
	_cleanup_free_ char *line = NULL;
	size_t size = 0;

	if (argc != 3 && argc != 5)
		die("usage", "DIR LIMIT [COUNT RATE]");
	if (diskqueue_open(&queue, open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC), strtoull(argv[2], NULL, 10), &err) < 0)
		die(argv[1], err.text);
	if (argc == 5)
		generate(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	while (argc == 3 && getline(&line, &size, stdin) > 0)
		append_line(line);
	(void)diskqueue_flush(&queue);
	printf("appended %llu dropped %llu\n", (unsigned long long)queue.appended, (unsigned long long)queue.dropped);
	diskqueue_close(&queue);
	return 0;
}
