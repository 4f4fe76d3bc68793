/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int events_push(struct event_queue *q, const struct event *event)
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
	(void)process_ref(event->process);
	(void)cgroup_ref(event->cgroup);
	return 0;
}

const struct event *events_at(const struct event_queue *q, size_t i)
{
	return &q->ring[(q->first + i) % EVENTS_QUEUE_MAX];
}

void events_pop(struct event_queue *q, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct event *e = &q->ring[(q->first + i) % EVENTS_QUEUE_MAX];

		process_unref(e->process);
		cgroup_unref(e->cgroup);
	}
	q->first = (q->first + n) % EVENTS_QUEUE_MAX;
	q->count -= n;
}

void events_free(struct event_queue *q)
{
	events_pop(q, q->count);
	free(q->ring);
	*q = (struct event_queue){ 0 };
}

/* A protobuf string is UTF-8. Bytes past ASCII become U+FFFD. */
void events_comm(const char comm[EVENT_COMM_BYTES], char out[3 * EVENT_COMM_BYTES + 1])
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

/* inet_ntop(3) of IPv4 takes a third of the time that the whole message takes. */
static void v4_to_text(const __u8 *a, char *out)
{
	for (int i = 0; i < 4; i++) {
		unsigned n = a[i];

		if (n >= 100)
			*out++ = (char)('0' + n / 100);
		if (n >= 10)
			*out++ = (char)('0' + n / 10 % 10);
		*out++ = (char)('0' + n % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

/* A v4-mapped address (RFC 4291, 2.5.5.2) is the IPv4 connection that it is. */
void events_address(__u8 family, const __u8 address[16], char out[46])
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET || memcmp(address, mapped, sizeof(mapped)) == 0)
		v4_to_text(address + 12, out);
	else
		(void)inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN);
}

const char *events_protocol(unsigned protocol, char out[6])
{
	switch (protocol) {
	case IPPROTO_TCP:
		return "tcp";
	case IPPROTO_UDP:
		return "udp";
	case IPPROTO_ICMP:
		return "icmp";
	case IPPROTO_ICMPV6:
		return "icmpv6";
	default:
		(void)snprintf(out, 6, "%u", protocol & 0xffff);
		return out;
	}
}

/* The fields only point: the messages are packed, never changed or freed. */
static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

bool events_workload(const struct cgroup *cgroup, Serviceradar__Agent__Netprobe__V1__WorkloadIdentity *out)
{
	if (!cgroup || !cgroup->container.id[0])
		return false;
	serviceradar__agent__netprobe__v1__workload_identity__init(out);
	out->container_id = text(cgroup->container.id);
	out->pod_uid = text(cgroup->container.pod_uid);
	out->cgroup_path = cgroup->path;
	out->runtime_source = text(cgroup->container.runtime);
	out->confidence = text("cgroup");
	out->degradation_reason = text("container runtime not asked: names and labels are not known");
	return true;
}

static const char *source_of(const struct event *event)
{
	if (event->external_flow_id)
		return "external_netflow";
	return event->kernel.flags & EVENT_SEEDED ? "iterator" : "kernel";
}

void events_to_message(const struct event *event, int64_t offset_ns, struct event_message *out)
{
	const struct attribution_event *k = &event->kernel;
	FlowAttributionEvent *m = &out->message;

	serviceradar__agent__netprobe__v1__flow_attribution_event__init(m);
	events_address(k->family, k->local, out->local);
	events_address(k->family, k->remote, out->remote);
	events_comm(k->comm, out->comm);
	m->local_ip = out->local;
	m->local_port = k->local_port;
	m->remote_ip = out->remote;
	m->remote_port = k->remote_port;
	m->transport_protocol = text(events_protocol(k->protocol, out->protocol));
	m->pid = k->pid;
	m->tgid = k->pid;
	m->uid = k->uid;
	m->gid = k->gid;
	m->comm = out->comm;
	if (event->process && event->process->cmdline) {
		out->cmdline[0] = event->process->cmdline;
		m->n_redacted_cmdline = 1;
		m->redacted_cmdline = out->cmdline;
	}
	if (event->process && event->process->executable)
		m->executable = event->process->executable;
	if (events_workload(event->cgroup, &out->workload)) {
		m->container_id = out->workload.container_id;
		m->workload_identity = &out->workload;
	} else if (event->cgroup) {
		m->systemd_unit = event->cgroup->container.unit;
	}
	m->observed_at_unix_nano = (int64_t)k->time_ns + offset_ns;
	m->socket_address = k->cookie;
	m->event_kind = k->kind;
	m->old_state = k->old_state;
	m->new_state = k->new_state;
	m->source = text(source_of(event));
	m->external_flow_id = event->external_flow_id;
	m->network_namespace = k->netns;
	m->process_started_at_unix_nano = k->start_ns ? (int64_t)k->start_ns + offset_ns : 0;
	m->socket_holders = k->holders;
}

int64_t events_clock_offset(void)
{
	struct timespec real, mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &real);
	return (real.tv_sec - mono.tv_sec) * INT64_C(1000000000) + (real.tv_nsec - mono.tv_nsec);
}
