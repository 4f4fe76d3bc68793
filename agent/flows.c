/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/flows.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024u

struct flows {
	uint64_t end;
	uint16_t bucket[BUCKETS]; /* slot + 1 of the newest event of each socket in it */
	struct flow ring[FLOWS_MAX];
};

struct flows *flows_new(void)
{
	return calloc(1, sizeof(struct flows)); /* untouched pages cost nothing */
}

void flows_free(struct flows *f)
{
	free(f);
}

static uint16_t *bucket_of(struct flows *f, uint64_t cookie)
{
	return &f->bucket[(cookie * 0x9e3779b97f4a7c15ull) >> 54];
}

static uint16_t *find(struct flows *f, uint64_t cookie)
{
	uint16_t *p = bucket_of(f, cookie);

	while (*p && f->ring[*p - 1].cookie != cookie)
		p = &f->ring[*p - 1].next;
	return p;
}

/* Takes a slot out of its chain, if it is still in one. */
static void unlink_slot(struct flows *f, uint16_t slot)
{
	uint16_t *p;

	if (!f->ring[slot].cookie)
		return;
	p = bucket_of(f, f->ring[slot].cookie);
	while (*p && *p != slot + 1)
		p = &f->ring[*p - 1].next;
	if (*p)
		*p = f->ring[slot].next;
}

static void set_address(struct flow *w, const char *local, const char *remote)
{
	if (inet_pton(AF_INET, local, w->local) == 1 && inet_pton(AF_INET, remote, w->remote) == 1)
		w->family = AF_INET;
	else if (inet_pton(AF_INET6, local, w->local) == 1 && inet_pton(AF_INET6, remote, w->remote) == 1)
		w->family = AF_INET6;
}

static uint8_t direction_of(uint32_t kind)
{
	if (kind == NP_KIND_CONNECT || kind == NP_KIND_UDP_SEND || kind == NP_KIND_ICMP_SEND)
		return FLOW_OUT;
	return kind == NP_KIND_ACCEPT || kind == NP_KIND_UDP_RECEIVE ? FLOW_IN : FLOW_UNKNOWN;
}

void flows_add(struct flows *f, const NpFlowEvent *e)
{
	uint16_t slot = (uint16_t)(f->end % FLOWS_MAX);
	struct flow *w = &f->ring[slot];
	uint16_t *link;

	unlink_slot(f, slot);
	memset(w, 0, sizeof(*w));
	w->number = f->end++;
	w->cookie = e->socket_address;
	w->opened_ns = w->updated_ns = e->observed_at_unix_nano;
	w->pid = e->pid;
	w->uid = e->uid;
	w->gid = e->gid;
	w->local_port = (uint16_t)e->local_port;
	w->remote_port = (uint16_t)e->remote_port;
	w->kind = (uint8_t)e->event_kind;
	w->state = (uint8_t)e->new_state;
	w->direction = direction_of(e->event_kind);
	set_address(w, e->local_ip, e->remote_ip);
	snprintf(w->protocol, sizeof(w->protocol), "%s", e->transport_protocol);
	snprintf(w->comm, sizeof(w->comm), "%s", e->comm);
	snprintf(w->container, sizeof(w->container), "%s", e->container_id);
	if (!w->cookie)
		return;

	link = find(f, w->cookie);
	if (*link) {
		struct flow *before = &f->ring[*link - 1];

		before->superseded = true;
		w->opened_ns = before->opened_ns;
		if (before->direction != FLOW_UNKNOWN)
			w->direction = before->direction;
		*link = before->next;
	}
	link = bucket_of(f, w->cookie);
	w->next = *link;
	*link = (uint16_t)(slot + 1);
}

uint64_t flows_end(const struct flows *f)
{
	return f->end;
}

uint64_t flows_oldest(const struct flows *f)
{
	return f->end > FLOWS_MAX ? f->end - FLOWS_MAX : 0;
}

const struct flow *flows_next(const struct flows *f, uint64_t *number, uint64_t *missed)
{
	uint64_t oldest = flows_oldest(f);

	if (*number < oldest) {
		*missed += oldest - *number;
		*number = oldest;
	}
	if (*number >= f->end)
		return NULL;
	return &f->ring[(*number)++ % FLOWS_MAX];
}

/* include/net/tcp_states.h */
static const char *const tcp_states[] = {
	NULL, "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait", "closed", "close-wait",
	"last-ack", "listen", "closing", "new-syn-recv",
};

static const char *state_text(const struct flow *w)
{
	if (w->kind == NP_KIND_CLOSE)
		return "closed";
	if (!strcmp(w->protocol, "tcp") && w->state < sizeof(tcp_states) / sizeof(*tcp_states) && tcp_states[w->state])
		return tcp_states[w->state];
	if (w->kind == NP_KIND_CONNECT || w->kind == NP_KIND_ACCEPT)
		return "open";
	return "";
}

static void add_nano(struct json_object *o, const char *key, int64_t ns)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)ns);
	json_object_object_add(o, key, json_object_new_string(text));
}

struct json_object *flow_to_json(const struct flow *w)
{
	static const char *const directions[] = { "unknown", "out", "in" };
	static const char *const events[] = { "unknown", "connect", "accept", "close", "udp_send", "udp_receive", "state",
					      "icmp_send" };
	char local[INET6_ADDRSTRLEN] = "", remote[INET6_ADDRSTRLEN] = "";
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	if (w->family) {
		inet_ntop(w->family, w->local, local, sizeof(local));
		inet_ntop(w->family, w->remote, remote, sizeof(remote));
	}
	json_object_object_add(o, "type", json_object_new_string("flow"));
	json_object_object_add(o, "number", json_object_new_int64((int64_t)w->number));
	json_object_object_add(o, "event", json_object_new_string(events[w->kind < 8 ? w->kind : 0]));
	json_object_object_add(o, "comm", json_object_new_string(w->comm));
	json_object_object_add(o, "pid", json_object_new_int64(w->pid));
	json_object_object_add(o, "uid", json_object_new_int64(w->uid));
	json_object_object_add(o, "gid", json_object_new_int64(w->gid));
	json_object_object_add(o, "transport_protocol", json_object_new_string(w->protocol));
	json_object_object_add(o, "direction", json_object_new_string(directions[w->direction]));
	json_object_object_add(o, "local_ip", json_object_new_string(local));
	json_object_object_add(o, "local_port", json_object_new_int(w->local_port));
	json_object_object_add(o, "remote_ip", json_object_new_string(remote));
	json_object_object_add(o, "remote_port", json_object_new_int(w->remote_port));
	json_object_object_add(o, "state", json_object_new_string(state_text(w)));
	if (*w->container)
		json_object_object_add(o, "container_id", json_object_new_string(w->container));
	add_nano(o, "opened_at_unix_nano", w->opened_ns);
	add_nano(o, "updated_at_unix_nano", w->updated_ns);
	return o;
}
