/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int events_push(struct event_queue *q, const struct attribution_event *event)
{
	if (!q->ring) {
		q->ring = malloc(EVENTS_QUEUE_MAX * sizeof(*q->ring));
		if (!q->ring) {
			q->dropped++;
			return -ENOMEM;
		}
	}
	if (q->count == EVENTS_QUEUE_MAX) {
		events_pop(q, 1);
		q->dropped++;
	}
	q->ring[(q->first + q->count++) % EVENTS_QUEUE_MAX] = *event;
	return 0;
}

const struct attribution_event *events_at(const struct event_queue *q, size_t i)
{
	return &q->ring[(q->first + i) % EVENTS_QUEUE_MAX];
}

void events_pop(struct event_queue *q, size_t n)
{
	q->first = (q->first + n) % EVENTS_QUEUE_MAX;
	q->count -= n;
}

void events_free(struct event_queue *q)
{
	free(q->ring);
	*q = (struct event_queue){ 0 };
}

/* The kernel's comm is any bytes; a protobuf string is UTF-8. Bytes past ASCII become U+FFFD. */
static void comm_to_utf8(const char *comm, char *out)
{
	for (size_t i = 0; i < EVENT_COMM_BYTES && comm[i]; i++) {
		if ((unsigned char)comm[i] < 0x80) {
			*out++ = comm[i];
		} else {
			memcpy(out, "\xef\xbf\xbd", 3);
			out += 3;
		}
	}
	*out = '\0';
}

/* A v4-mapped address (RFC 4291, 2.5.5.2) is the IPv4 connection that it is. */
static void address_to_text(__u8 family, const __u8 *address, char *out)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET || memcmp(address, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, address + 12, out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

void events_to_message(const struct attribution_event *event, int64_t offset_ns, struct event_message *out)
{
	FlowAttributionEvent *m = &out->message;

	serviceradar__agent__netprobe__v1__flow_attribution_event__init(m);
	address_to_text(event->family, event->local, out->local);
	address_to_text(event->family, event->remote, out->remote);
	comm_to_utf8(event->comm, out->comm);
	m->local_ip = out->local;
	m->local_port = event->local_port;
	m->remote_ip = out->remote;
	m->remote_port = event->remote_port;
	m->transport_protocol = (char *)"tcp";
	m->pid = event->pid;
	m->tgid = event->pid;
	m->uid = event->uid;
	m->gid = event->gid;
	m->comm = out->comm;
	m->observed_at_unix_nano = (int64_t)event->time_ns + offset_ns;
	m->socket_address = event->cookie;
	m->event_kind = event->kind;
	m->old_state = event->old_state;
	m->new_state = event->new_state;
	m->source = (char *)"kernel";
}

int64_t events_clock_offset(void)
{
	struct timespec real, mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	return (real.tv_sec - mono.tv_sec) * INT64_C(1000000000) + (real.tv_nsec - mono.tv_nsec);
}
