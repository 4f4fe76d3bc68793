/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/import.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"

#define BACKLOG_MAX (1024u * 1024) /* bytes that may wait for the add-on: a client that asks for acks never comes near */

struct import {
	struct ipc *ipc;
	void (*on_ack)(void *userdata, const NpExternalFlowAck *ack);
	void *userdata;
	bool pending;
	NpExternalFlow flow;
	uint8_t source[16], destination[16];
	char protocol[16];
};

static void on_flow_ack(void *userdata, const NpExternalFlowAck *ack)
{
	struct import *m = userdata;

	m->on_ack(m->userdata, ack);
}

struct import *import_new(struct ipc *ipc, void (*on_ack)(void *userdata, const NpExternalFlowAck *ack), void *userdata)
{
	struct import *m = ipc->on_flow_ack ? NULL : calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->ipc = ipc;
	m->on_ack = on_ack;
	m->userdata = userdata;
	ipc->on_flow_ack = on_flow_ack;
	ipc->flow_userdata = m;
	return m;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_get_string(v) ? json_object_get_string(v) : "";
}

static uint64_t number_of(struct json_object *o, const char *key)
{
	return strtoull(text_of(o, key), NULL, 10);
}

static uint32_t port_of(struct json_object *o, const char *key)
{
	uint64_t n = number_of(o, key);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n; /* the add-on counts what is no port as invalid */
}

/* Empty for what is no address: the add-on counts it as invalid. */
static ProtobufCBinaryData address_of(const char *text, uint8_t memory[16])
{
	if (inet_pton(AF_INET, text, memory) == 1)
		return (ProtobufCBinaryData){ 4, memory };
	if (inet_pton(AF_INET6, text, memory) == 1)
		return (ProtobufCBinaryData){ 16, memory };
	return (ProtobufCBinaryData){ 0, memory };
}

static void take(struct import *m, struct json_object *o)
{
	NpExternalFlow *f = &m->flow;

	np_external_flow_init(f);
	f->external_flow_id = number_of(o, "external_flow_id");
	f->source_ip = address_of(text_of(o, "source_ip"), m->source);
	f->destination_ip = address_of(text_of(o, "destination_ip"), m->destination);
	f->source_port = port_of(o, "source_port");
	f->destination_port = port_of(o, "destination_port");
	snprintf(m->protocol, sizeof(m->protocol), "%s", text_of(o, "transport_protocol"));
	f->transport_protocol = m->protocol;
	f->ip_protocol = port_of(o, "ip_protocol");
	f->time_flow_start_ns = number_of(o, "time_flow_start_ns");
	f->time_flow_end_ns = number_of(o, "time_flow_end_ns");
	f->bytes = number_of(o, "bytes");
	f->packets = number_of(o, "packets");
	m->pending = true;
}

int import_line(struct import *m, struct json_object *o)
{
	static const NpExternalFlowAck nothing = NP_EXTERNAL_FLOW_ACK_INIT;
	bool ack = json_flag(o, "ack");
	int r = 0;

	if (!m->ipc->connected)
		return -ENOTCONN;
	if (ack && !m->pending) {
		m->on_ack(m->userdata, &nothing);
		return 0;
	}
	if (m->pending && !ack && ipc_backlog(m->ipc) > BACKLOG_MAX)
		return -ENOBUFS;
	if (m->pending)
		r = ipc_external_flow(m->ipc, &m->flow, ack);
	m->pending = false;
	if (r == 0 && !ack)
		take(m, o);
	return r;
}

void import_free(struct import *m)
{
	if (!m)
		return;
	if (m->pending && m->ipc->connected) /* a client that does not ask for counts */
		(void)ipc_external_flow(m->ipc, &m->flow, false);
	m->ipc->on_flow_ack = NULL;
	m->ipc->flow_sequence = 0;
	free(m);
}
