/* SPDX-License-Identifier: Apache-2.0 */
/* ipc-rate: how many attribution events a second one core takes from the queue to the agent's parser: message, batch of 256, socket
 * pair, frame, parsed message. Counted in processor time, so other work on the machine matters little. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/frame.h"
#include "netprobe/client.h"
#include "netprobe/events.h"

#define EVENTS 2000000u

int main(void)
{
	struct process process = { .refs = 1, .cmdline = (char *)"/usr/bin/curl [redacted 4 arg(s)]", .executable = (char *)"/usr/bin/curl" };
	struct cgroup cgroup = { .refs = 1, .path = (char *)"/system.slice/cron.service", .container = { .unit = "cron.service" } };
	struct event e = { .process = &process, .cgroup = &cgroup, .kernel = { .family = AF_INET, .protocol = IPPROTO_TCP, .kind = EVENT_CONNECT,
			   .pid = 123456, .uid = 1000, .gid = 1000, .local_port = 40000, .remote_port = 443, .netns = 4026531840u,
			   .local = { [12] = 192, 168, 100, 200 }, .remote = { [12] = 203, 0, 113, 77 }, .comm = "curl" } };
	struct event_queue queue = { 0 };
	struct client client = { .fd = -1 };
	struct frame_reader reader = { 0 };
	struct timespec t;
	uint64_t seen = 0;
	double seconds;
	int pair[2], size = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return 1;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	client.fd = pair[0];
	while (seen < EVENTS) {
		const uint8_t *payload, *frame;
		NetprobeFrame *got;
		size_t done, length;
		uint8_t *room;

		for (unsigned i = 0; i < EVENTS_BATCH_MAX; i++) {
			e.kernel.cookie++;
			if (events_push(&queue, &e) < 0)
				return 1;
		}
		frame = events_frame_batch(&queue, EVENTS_BATCH_MAX, 1, 0, &length);
		room = client_reserve(&client, length);
		if (!room)
			return 1;
		memcpy(room, frame, length);
		if (client_flush(&client, &done) < 0)
			return 1;
		events_pop(&queue, EVENTS_BATCH_MAX);
		if (frame_read(&reader, pair[1], &payload, &length) <= 0)
			return 1;
		got = serviceradar__agent__netprobe__v1__netprobe_frame__unpack(NULL, length, payload);
		if (!got)
			return 1;
		seen += got->flow_attribution_batch->n_events;
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(got, NULL);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	seconds = (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	printf("ipc: %.0f events/s of processor time, queue to parsed message (%u events, %.2f s)\n", (double)seen / seconds, (unsigned)seen, seconds);
	return 0;
}
