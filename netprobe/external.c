/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/external.h"
#include "lib/transport.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BUCKETS EXTERNAL_SOCKETS_MAX /* a chain has one socket, or few: each is a cache miss */

#define CACHE_LINE 64

/* A tuple as one end sees it; IPv4 as IPv4-mapped. */
struct tuple {
	uint8_t local[16], remote[16];
	uint16_t local_port, remote_port;
	uint16_t protocol, pad;
};

struct external_socket {
	struct tuple tuple;
	uint64_t cookie, first_ns, last_ns; /* CLOCK_MONOTONIC; last 0: it is open, or its end is not known */
	uint64_t start_ns, cgroup_number;
	uint32_t pid, uid, gid, netns;
	uint8_t family, kind, closed;
	char comm[EVENT_COMM_BYTES];
	struct process *process;
	struct cgroup *cgroup;
	struct external_socket *next, **at; /* in its chain; `at` is what points here */
	struct external_socket *older, *newer;
};

struct external_flow {
	struct tuple tuple; /* local: the source */
	uint64_t id;
	int64_t start_ns, end_ns; /* Unix time; 0: not known */
	uint64_t deadline_ns;     /* CLOCK_MONOTONIC */
	struct external_flow *next, *before, *after; /* in its chain; in the order of coming */
};

static uint64_t mix(uint64_t h, const uint8_t *p)
{
	uint64_t a, b;

	memcpy(&a, p, 8);
	memcpy(&b, p + 8, 8);
	return (h ^ a ^ (b << 1)) * 0x9e3779b97f4a7c15ull;
}

/* The same for both directions. */
static uint64_t hash(const struct tuple *t)
{
	uint64_t a = mix(t->local_port, t->local), b = mix(t->remote_port, t->remote);

	return ((a ^ b) + t->protocol) * 0x9e3779b97f4a7c15ull >> 40;
}

/* Where the chain of the tuple begins; NULL when there is no index yet. */
static struct external_socket **bucket_of(const struct external *x, const struct tuple *t)
{
	return x->buckets ? &x->buckets[hash(t) % BUCKETS] : NULL;
}

/* The newest socket of the tuple's chain. */
static struct external_socket *chain_of(const struct external *x, const struct tuple *t)
{
	struct external_socket **at = bucket_of(x, t);

	return at ? *at : NULL;
}

static struct external_flow **waiting_bucket_of(struct external *x, const struct tuple *t)
{
	return &x->waiting_buckets[hash(t) % (sizeof(x->waiting_buckets) / sizeof(x->waiting_buckets[0]))];
}

static void reverse(const struct tuple *t, struct tuple *out)
{
	*out = (struct tuple){ .local_port = t->remote_port, .remote_port = t->local_port, .protocol = t->protocol };
	memcpy(out->local, t->remote, 16);
	memcpy(out->remote, t->local, 16);
}

static void map_address(uint8_t family, const uint8_t from[16], uint8_t to[16])
{
	memcpy(to, from, 16);
	if (family == AF_INET) {
		memset(to, 0, 10);
		to[10] = to[11] = 0xff;
	}
}

/* ---- the index ---- */

static void list_remove(struct external *x, struct external_socket *s)
{
	*(s->older ? &s->older->newer : &x->oldest[s->closed]) = s->newer;
	*(s->newer ? &s->newer->older : &x->newest[s->closed]) = s->older;
}

static void list_add(struct external *x, struct external_socket *s)
{
	s->older = x->newest[s->closed];
	s->newer = NULL;
	*(s->older ? &s->older->newer : &x->oldest[s->closed]) = s;
	x->newest[s->closed] = s;
}

static void chain_remove(struct external_socket *s)
{
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
}

static void chain_add(struct external_socket **bucket, struct external_socket *s)
{
	s->at = bucket;
	s->next = *bucket;
	if (s->next)
		s->next->at = &s->next;
	*bucket = s;
}

static void forget(struct external *x, struct external_socket *s)
{
	chain_remove(s);
	list_remove(x, s);
	process_unref(s->process);
	cgroup_unref(s->cgroup);
	free(s);
	x->sockets--;
	if (x->oldest[1]) /* the next one to be forgotten: nobody has looked at it for long */
		for (size_t i = 0; i < sizeof(*s); i += CACHE_LINE)
			__builtin_prefetch((const char *)x->oldest[1] + i, 1);
}

static void take_owner(struct external_socket *s, const struct event *e)
{
	process_unref(s->process);
	cgroup_unref(s->cgroup);
	s->process = process_ref(e->process);
	s->cgroup = cgroup_ref(e->cgroup);
	s->start_ns = e->kernel.start_ns;
	s->cgroup_number = e->kernel.cgroup;
	s->pid = e->kernel.pid;
	s->uid = e->kernel.uid;
	s->gid = e->kernel.gid;
	memcpy(s->comm, e->kernel.comm, sizeof(s->comm));
}

/* The first event of a connection: it is not looked for among those of its chain, which are cold in memory. */
static bool is_first(const struct event *e)
{
	return (e->kernel.kind == EVENT_CONNECT || e->kernel.kind == EVENT_ACCEPT) && !(e->kernel.flags & EVENT_CORRECTED);
}

static struct external_socket *remember(struct external *x, const struct event *e, const struct tuple *t)
{
	struct external_socket **bucket, *s;

	if (!x->buckets)
		x->buckets = calloc(BUCKETS, sizeof(struct external_socket *));
	bucket = bucket_of(x, t);
	if (!bucket)
		return NULL;
	s = is_first(e) ? NULL : *bucket;
	for (; s; s = s->next)
		if (s->cookie == e->kernel.cookie && memcmp(&s->tuple, t, sizeof(*t)) == 0)
			break;
	if (!s) {
		if (e->kernel.kind == EVENT_CLOSE)
			return NULL; /* forgotten already */
		while (x->sockets >= EXTERNAL_SOCKETS_MAX)
			forget(x, x->oldest[1] ? x->oldest[1] : x->oldest[0]);
		s = calloc(1, sizeof(*s));
		if (!s)
			return NULL;
		s->tuple = *t;
		s->cookie = e->kernel.cookie;
		s->first_ns = e->kernel.flags & EVENT_SEEDED ? 0 : e->kernel.time_ns;
		s->netns = e->kernel.netns;
		s->family = e->kernel.family;
		s->kind = e->kernel.kind;
		s->closed = e->kernel.protocol != IPPROTO_TCP;
		chain_add(bucket, s);
		list_add(x, s);
		x->sockets++;
	}
	take_owner(s, e);
	if (e->kernel.protocol == IPPROTO_TCP && e->kernel.new_state == 7 && !s->closed) { /* TCP_CLOSE: closed, or never open */
		list_remove(x, s);
		s->closed = 1;
		s->last_ns = e->kernel.time_ns;
		list_add(x, s);
	}
	return s;
}

/* Whether flow and socket were there at the same time, give or take the window. */
static bool overlap(const struct external *x, const struct external_flow *f, const struct external_socket *s)
{
	int64_t slack = (int64_t)x->window_ns;

	if (f->end_ns && s->first_ns && f->end_ns + slack < (int64_t)s->first_ns + x->offset_ns)
		return false;
	return !f->start_ns || !s->last_ns || f->start_ns - slack <= (int64_t)s->last_ns + x->offset_ns;
}

static struct external_socket *find(struct external *x, const struct external_flow *f)
{
	struct tuple back;

	for (struct external_socket *s = chain_of(x, &f->tuple); s; s = s->next) /* newest first */
		if (memcmp(&s->tuple, &f->tuple, sizeof(f->tuple)) == 0 && overlap(x, f, s))
			return s;
	reverse(&f->tuple, &back);
	for (struct external_socket *s = chain_of(x, &back); s; s = s->next)
		if (memcmp(&s->tuple, &back, sizeof(back)) == 0 && overlap(x, f, s))
			return s;
	return NULL;
}

/* ---- flows ---- */

static void attribute(struct external *x, const struct external_flow *f, const struct external_socket *s)
{
	struct event e = { .process = s->process, .cgroup = s->cgroup, .external_flow_id = f->id };
	struct attribution_event *k = &e.kernel;

	k->record = RECORD_FLOW;
	k->kind = s->kind;
	k->family = s->family;
	k->protocol = s->tuple.protocol;
	k->time_ns = f->start_ns > x->offset_ns ? (uint64_t)(f->start_ns - x->offset_ns) : s->first_ns;
	k->cookie = s->cookie;
	k->start_ns = s->start_ns;
	k->cgroup = s->cgroup_number;
	k->pid = s->pid;
	k->uid = s->uid;
	k->gid = s->gid;
	k->netns = s->netns;
	k->local_port = s->tuple.local_port;
	k->remote_port = s->tuple.remote_port;
	memcpy(k->local, s->tuple.local, 16);
	memcpy(k->remote, s->tuple.remote, 16);
	memcpy(k->comm, s->comm, sizeof(k->comm));
	x->counts.matched++;
	x->fn(&e, x->userdata);
}

static void stop_waiting(struct external *x, struct external_flow *f)
{
	struct external_flow **at = waiting_bucket_of(x, &f->tuple);

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	*(f->before ? &f->before->after : &x->first) = f->after;
	*(f->after ? &f->after->before : &x->last) = f->before;
	free(f);
	x->waiting--;
}

static void wait_for_socket(struct external *x, const struct external_flow *flow)
{
	struct external_flow *f, **at = waiting_bucket_of(x, &flow->tuple);

	if (x->waiting >= EXTERNAL_WAITING_MAX) {
		stop_waiting(x, x->first);
		x->counts.unmatched++;
	}
	f = malloc(sizeof(*f));
	if (!f) {
		x->counts.unmatched++;
		return;
	}
	*f = *flow;
	f->next = *at;
	*at = f;
	f->before = x->last;
	f->after = NULL;
	*(f->before ? &f->before->after : &x->first) = f;
	x->last = f;
	x->waiting++;
}

void external_socket_event(struct external *x, const struct event *event)
{
	const struct attribution_event *k = &event->kernel;
	struct tuple t = { .local_port = k->local_port, .remote_port = k->remote_port, .protocol = k->protocol }, back;
	struct external_socket *s;

	map_address(k->family, k->local, t.local);
	map_address(k->family, k->remote, t.remote);
	s = remember(x, event, &t);
	if (!s || !x->waiting)
		return;
	reverse(&t, &back);
	for (struct external_flow *f = *waiting_bucket_of(x, &t), *next; f; f = next) { /* both directions are in one bucket */
		next = f->next;
		if ((memcmp(&f->tuple, &t, sizeof(t)) != 0 && memcmp(&f->tuple, &back, sizeof(back)) != 0) || !overlap(x, f, s))
			continue;
		attribute(x, f, s);
		stop_waiting(x, f);
	}
}

static int protocol_of(const ExternalFlowRecord *r)
{
	if (r->ip_protocol)
		return r->ip_protocol <= 255 ? (int)r->ip_protocol : -1;
	return transport_number(r->transport_protocol);
}

static int check(const ExternalFlowRecord *r, struct error *err)
{
	if (r->source_ip.len != 4 && r->source_ip.len != 16)
		return error_set(err, -EINVAL, "source_ip: %zu bytes, neither 4 nor 16", r->source_ip.len);
	if (r->destination_ip.len != r->source_ip.len)
		return error_set(err, -EINVAL, "destination_ip: %zu bytes, but source_ip has %zu", r->destination_ip.len,
				 r->source_ip.len);
	if (r->source_port > 65535 || r->destination_port > 65535)
		return error_set(err, -EINVAL, "%s: %u is no port", r->source_port > 65535 ? "source_port" : "destination_port",
				 r->source_port > 65535 ? r->source_port : r->destination_port);
	if (protocol_of(r) < 0)
		return error_set(err, -EINVAL, "ip_protocol: %u, and transport_protocol names none", r->ip_protocol);
	if (r->time_flow_end_ns && r->time_flow_end_ns < r->time_flow_start_ns)
		return error_set(err, -EINVAL, "time_flow_end_ns: before time_flow_start_ns");
	if (r->time_flow_start_ns > INT64_MAX / 2 || r->time_flow_end_ns > INT64_MAX / 2)
		return error_set(err, -EINVAL, "time_flow_start_ns: no time that can be");
	if (!r->external_flow_id)
		return error_set(err, -EINVAL, "external_flow_id: missing");
	return 0;
}

int external_flow(struct external *x, const ExternalFlowRecord *r, uint64_t now_ns, struct error *err)
{
	struct external_flow f = { .id = r->external_flow_id, .start_ns = (int64_t)r->time_flow_start_ns,
				   .end_ns = (int64_t)r->time_flow_end_ns };
	const struct external_socket *s;
	uint8_t family = r->source_ip.len == 4 ? AF_INET : AF_INET6, address[16] = { 0 };

	if (!x->window_ns)
		x->window_ns = EXTERNAL_WINDOW_MS * UINT64_C(1000000);
	if (check(r, err) < 0) {
		x->counts.invalid++;
		return -EINVAL;
	}
	x->counts.accepted++;
	memcpy(address + 16 - r->source_ip.len, r->source_ip.data, r->source_ip.len);
	map_address(family, address, f.tuple.local);
	memcpy(address + 16 - r->source_ip.len, r->destination_ip.data, r->destination_ip.len);
	map_address(family, address, f.tuple.remote);
	f.tuple.protocol = (uint16_t)protocol_of(r);
	if (f.tuple.protocol != IPPROTO_ICMP && f.tuple.protocol != IPPROTO_ICMPV6) { /* exporters put type and code there */
		f.tuple.local_port = (uint16_t)r->source_port;
		f.tuple.remote_port = (uint16_t)r->destination_port;
	}
	f.deadline_ns = now_ns + x->window_ns;
	s = find(x, &f);
	if (s)
		attribute(x, &f, s);
	else
		wait_for_socket(x, &f);
	return 0;
}

bool external_owner(const struct external *x, const struct packet *p, bool sender, struct external_owner *out)
{
	struct tuple sent = { .local_port = p->source_port, .remote_port = p->destination_port, .protocol = p->protocol }, t;

	map_address(p->family, p->source, sent.local);
	map_address(p->family, p->destination, sent.remote);
	if (sender)
		t = sent;
	else
		reverse(&sent, &t);
	for (const struct external_socket *s = chain_of(x, &t); s; s = s->next) { /* newest first */
		if (memcmp(&s->tuple, &t, sizeof(t)) != 0)
			continue;
		*out = (struct external_owner){ .pid = s->pid, .uid = s->uid, .comm = s->comm };
		return true;
	}
	return false;
}

void external_expire(struct external *x, uint64_t now_ns)
{
	while (x->first && x->first->deadline_ns <= now_ns) {
		stop_waiting(x, x->first);
		x->counts.unmatched++;
	}
}

void external_free(struct external *x)
{
	while (x->first)
		stop_waiting(x, x->first);
	for (int closed = 0; closed < 2; closed++)
		while (x->oldest[closed])
			forget(x, x->oldest[closed]);
	free(x->buckets);
	x->buckets = NULL;
}
