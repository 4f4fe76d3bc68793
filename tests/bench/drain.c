/* SPDX-License-Identifier: Apache-2.0 */
/* drain SOCKET [PORT]: a client of netprobe that reads all events and throws them away; with PORT it decodes them, as the agent does before
 * its sink. Prints "ready" when the events flow. At SIGTERM it asks for the counters once more, reads on until none waits, and prints one line:
 *   events=N connects=N connect_pids=N accepts=N accept_pids=N closes=N produced=N delivered=N dropped=N waiting=N cpu_ms=N
 * Connects, accepts and closes are those of PORT (0: of all); of the processes that made them, how many different ones there were. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/frame.h"
#include "proto/netprobe.pb-c.h"

#define PB(name)   Serviceradar__Agent__Netprobe__V1__##name
#define CASE(name) SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_##name
#define KINDS      8
#define PIDS       (1u << 22)
#define BATCH_TAG  (29u << 3 | 2) /* how a NetprobeFrame with a FlowAttributionEventBatch begins, as a varint of two bytes */

static volatile sig_atomic_t stop;
static int fd = -1;
static uint64_t sequence, events, of_kind[KINDS], pids_of_kind[KINDS];
static uint8_t pid_seen[KINDS][PIDS / 8];
static unsigned port;
static PB(PingAck) *last;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void request(PB(NetprobeFrame) *f)
{
	uint8_t bytes[1024], header[FRAME_HEADER_BYTES];
	size_t size;

	f->sequence = ++sequence;
	size = serviceradar__agent__netprobe__v1__netprobe_frame__pack(f, bytes);
	if (frame_header(header, size) < 0 || send(fd, header, sizeof(header), MSG_NOSIGNAL) < 0 || send(fd, bytes, size, MSG_NOSIGNAL) < 0)
		exit(1);
}

static void ping(void)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	PB(Ping) p = SERVICERADAR__AGENT__NETPROBE__V1__PING__INIT;

	f.payload_case = CASE(PING);
	f.ping = &p;
	request(&f);
}

static void count(const PB(FlowAttributionEvent) *e)
{
	unsigned k = e->event_kind % KINDS;

	events++;
	if (port && e->local_port != port && e->remote_port != port)
		return;
	of_kind[k]++;
	if (!(pid_seen[k][e->pid % PIDS / 8] & 1 << e->pid % 8)) {
		pid_seen[k][e->pid % PIDS / 8] |= (uint8_t)(1 << e->pid % 8);
		pids_of_kind[k]++;
	}
}

static void take(const PB(NetprobeFrame) *f)
{
	if (f->payload_case == CASE(FLOW_ATTRIBUTION_BATCH))
		for (size_t i = 0; i < f->flow_attribution_batch->n_events; i++)
			count(f->flow_attribution_batch->events[i]);
	else if (f->payload_case == CASE(CONFIG_ACK))
		puts("ready"), fflush(stdout);
}

static bool is_batch(const uint8_t *payload, size_t length)
{
	return length > 2 && payload[0] == (0x80 | (BATCH_TAG & 0x7f)) && payload[1] == BATCH_TAG >> 7;
}

int main(int argc, char **argv)
{
	PB(NetprobeFrame) f = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	PB(ApplyConfig) apply = SERVICERADAR__AGENT__NETPROBE__V1__APPLY_CONFIG__INIT;
	PB(VisibilityAgentConfig) config = SERVICERADAR__AGENT__NETPROBE__V1__VISIBILITY_AGENT_CONFIG__INIT;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct frame_reader reader = { 0 };
	struct timeval none = { .tv_usec = 1 };
	struct rusage use;
	bool asked = false;

	if (argc < 2)
		return 1;
	port = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	(void)signal(SIGTERM, on_signal);
	config.enabled = config.flow_attribution_ipc_batch = 1;
	apply.config = &config;
	f.payload_case = CASE(APPLY_CONFIG);
	f.apply_config = &apply;
	request(&f);
	for (int quiet = 0; quiet < 20;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		const uint8_t *payload;
		size_t length;
		int r = frame_read(&reader, fd, &payload, &length);
		PB(NetprobeFrame) *frame;

		if (r < 0)
			return 1;
		if (r == 0) {
			(void)poll(&p, 1, 100);
			if (stop && !asked)
				ping();
			asked = stop;
			continue;
		}
		if (argc == 2 && is_batch(payload, length))
			continue;
		frame = serviceradar__agent__netprobe__v1__netprobe_frame__unpack(NULL, length, payload);
		if (!frame)
			return 1;
		take(frame);
		if (frame->payload_case == CASE(PING_ACK)) {
			last = frame->ping_ack;
			if (!last->events_waiting)
				break;
			usleep(50000);
			quiet++;
			ping();
			continue; /* kept: the process ends soon */
		}
		serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(frame, NULL);
	}
	getrusage(RUSAGE_SELF, &use);
	printf("events=%llu connects=%llu connect_pids=%llu accepts=%llu accept_pids=%llu closes=%llu produced=%llu delivered=%llu dropped=%llu "
	       "merged=%llu waiting=%llu cpu_ms=%llu\n",
	       (unsigned long long)events, (unsigned long long)of_kind[1], (unsigned long long)pids_of_kind[1], (unsigned long long)of_kind[2],
	       (unsigned long long)pids_of_kind[2], (unsigned long long)of_kind[3], (unsigned long long)last->events_produced,
	       (unsigned long long)last->events_delivered,
	       (unsigned long long)(last->events_dropped_kernel + last->events_dropped_queue), (unsigned long long)last->events_merged,
	       (unsigned long long)last->events_waiting,
	       (unsigned long long)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000 +
		       (unsigned long long)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1000);
	return 0;
}
