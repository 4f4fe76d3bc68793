/* SPDX-License-Identifier: Apache-2.0 */
/* IPFIX (RFC 7011), with both directions of a flow in one record (RFC 5103) and elements of our own for what IANA has none. */
#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/forward/forward.h"
#include "agent/forward/link.h"
#include "agent/np.h"
#include "agent/stream.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/transport.h"

#define VERSION         10u
#define HEADER_BYTES    16u
#define SET_BYTES       4u
#define TEMPLATE_SET    2u
#define VARIABLE        65535u
#define REVERSE_PEN     29305u /* RFC 5103, section 6.1 */
#define UDP_MESSAGE     1400u  /* fits a path with a tunnel or two */
#define TCP_MESSAGE     8192u
#define BATCH_BYTES     65536u
#define TEMPLATES_AGAIN_US 30000000u /* RFC 7011, section 8.4: over UDP they are sent again and again */
#define TEXT_MAX        254u   /* the length fits one byte: RFC 7011, section 7 */

enum owner { IANA, REVERSE, OURS };
enum form { ADDRESS, PROTOCOL, UNSIGNED, WIDE, MILLISECONDS, TEXT, END_REASON };

struct field {
	uint16_t id;
	uint8_t length; /* 0: of variable length */
	uint8_t owner, form;
	size_t at;      /* in the message */
};

#define RECORD(member) offsetof(Serviceradar__Agent__Netprobe__V1__FlowRecord, member)
#define EVENT(member)  offsetof(NpFlowEvent, member)

/* Elements of IANA's registry "IPFIX Information Elements"; ours are in agent-forward(8). The address elements are those of IPv4. */
static const struct field record_fields[] = {
	{ 8, 4, IANA, ADDRESS, RECORD(source_ip) },
	{ 12, 4, IANA, ADDRESS, RECORD(destination_ip) },
	{ 7, 2, IANA, UNSIGNED, RECORD(source_port) },
	{ 11, 2, IANA, UNSIGNED, RECORD(destination_port) },
	{ 4, 1, IANA, PROTOCOL, RECORD(transport_protocol) },
	{ 136, 1, IANA, END_REASON, RECORD(end_reason) },
	{ 6, 2, REVERSE, UNSIGNED, RECORD(tcp_flags_reverse) }, /* nfcapd keeps the last of the two */
	{ 6, 2, IANA, UNSIGNED, RECORD(tcp_flags_forward) },
	{ 1, 8, IANA, WIDE, RECORD(bytes_forward) },
	{ 2, 8, IANA, WIDE, RECORD(packets_forward) },
	{ 1, 8, REVERSE, WIDE, RECORD(bytes_reverse) },
	{ 2, 8, REVERSE, WIDE, RECORD(packets_reverse) },
	{ 152, 8, IANA, MILLISECONDS, RECORD(first_seen_unix_nano) },
	{ 153, 8, IANA, MILLISECONDS, RECORD(last_seen_unix_nano) },
	{ 1, 4, OURS, UNSIGNED, RECORD(pid) },
	{ 5, 4, OURS, UNSIGNED, RECORD(uid) },
	{ 2, 0, OURS, TEXT, RECORD(comm) },
	{ 3, 0, OURS, TEXT, RECORD(container_id) },
	{ 4, 0, OURS, TEXT, RECORD(protocol) },
	{ 82, 0, IANA, TEXT, RECORD(interface_name) },
};

static const struct field event_fields[] = {
	{ 8, 4, IANA, ADDRESS, EVENT(local_ip) },
	{ 12, 4, IANA, ADDRESS, EVENT(remote_ip) },
	{ 7, 2, IANA, UNSIGNED, EVENT(local_port) },
	{ 11, 2, IANA, UNSIGNED, EVENT(remote_port) },
	{ 4, 1, IANA, PROTOCOL, EVENT(transport_protocol) },
	{ 152, 8, IANA, MILLISECONDS, EVENT(observed_at_unix_nano) },
	{ 153, 8, IANA, MILLISECONDS, EVENT(observed_at_unix_nano) },
	{ 7, 1, OURS, UNSIGNED, EVENT(event_kind) },
	{ 1, 4, OURS, UNSIGNED, EVENT(pid) },
	{ 5, 4, OURS, UNSIGNED, EVENT(uid) },
	{ 6, 4, OURS, UNSIGNED, EVENT(gid) },
	{ 8, 8, OURS, WIDE, EVENT(socket_address) },
	{ 2, 0, OURS, TEXT, EVENT(comm) },
	{ 3, 0, OURS, TEXT, EVENT(container_id) },
	{ 9, 0, OURS, TEXT, EVENT(systemd_unit) },
	{ 10, 0, OURS, TEXT, EVENT(executable) },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct template {
	uint16_t id;
	uint32_t stream;
	int family;
	const struct field *fields;
	size_t n;
} templates[] = {
	{ 256, STREAM_FLOW_RECORD, AF_INET, record_fields, COUNT(record_fields) },
	{ 257, STREAM_FLOW_RECORD, AF_INET6, record_fields, COUNT(record_fields) },
	{ 258, STREAM_FLOW_ATTRIBUTION, AF_INET, event_fields, COUNT(event_fields) },
	{ 259, STREAM_FLOW_ATTRIBUTION, AF_INET6, event_fields, COUNT(event_fields) },
};

struct message {
	size_t start, size;
	uint32_t records;
};

struct ipfix {
	struct link link;
	char *host;
	uint16_t port;
	bool stream;
	uint32_t domain, enterprise, sequence;
	uint64_t templates_sent_us; /* clock_us(); 0: not on this connection */
	uint8_t batch[BATCH_BYTES];
	size_t used, set;      /* `set`: where the open set begins */
	uint16_t set_id;
	struct message messages[BATCH_BYTES / 512];
	size_t n_messages;     /* the last is open */
};

/* ---- bytes, in network order ---- */

static void put(uint8_t *to, uint64_t value, size_t length)
{
	while (length-- > 0) {
		to[length] = (uint8_t)value;
		value >>= 8;
	}
}

struct out {
	uint8_t *bytes;
	size_t used, size;
};

static uint8_t *grow(struct out *o, size_t n)
{
	uint8_t *p = o->size - o->used < n ? NULL : o->bytes + o->used;

	if (p)
		o->used += n;
	return p;
}

static bool add(struct out *o, uint64_t value, size_t length)
{
	uint8_t *p = grow(o, length);

	if (p)
		put(p, value, length);
	return p;
}

static void header(const struct ipfix *x, uint8_t *to, size_t size)
{
	put(to, VERSION, 2);
	put(to + 2, size, 2);
	put(to + 4, (uint64_t)time(NULL), 4);
	put(to + 8, x->sequence, 4);
	put(to + 12, x->domain, 4);
}

/* ---- templates ---- */

static uint16_t id_for(const struct field *f, int family)
{
	return f->form == ADDRESS && family == AF_INET6 ? (f->id == 8 ? 27 : 28) : f->id;
}

static uint16_t length_for(const struct field *f, int family)
{
	if (f->length == 0)
		return VARIABLE;
	return f->form == ADDRESS && family == AF_INET6 ? 16 : f->length;
}

static size_t build_templates(const struct ipfix *x, uint8_t bytes[1024])
{
	struct out o = { bytes, HEADER_BYTES + SET_BYTES, 1024 };

	for (size_t t = 0; t < COUNT(templates); t++) {
		add(&o, templates[t].id, 2);
		add(&o, templates[t].n, 2);
		for (size_t i = 0; i < templates[t].n; i++) {
			const struct field *f = &templates[t].fields[i];

			add(&o, id_for(f, templates[t].family) | (f->owner == IANA ? 0u : 0x8000u), 2);
			add(&o, length_for(f, templates[t].family), 2);
			if (f->owner != IANA)
				add(&o, f->owner == REVERSE ? REVERSE_PEN : x->enterprise, 4);
		}
	}
	put(bytes + HEADER_BYTES, TEMPLATE_SET, 2);
	put(bytes + HEADER_BYTES + 2, o.used - HEADER_BYTES, 2);
	header(x, bytes, o.used);
	return o.used;
}

/* ---- data ---- */

static uint8_t protocol_number(const char *name)
{
	int number = transport_number(name);

	return (uint8_t)(number < 0 ? strtoul(name, NULL, 10) : (unsigned long)number);
}

/* IANA's registry "flowEndReason". */
static uint8_t end_reason_number(const char *name)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = { { "idle", 1 }, { "active", 2 }, { "fin", 3 }, { "rst", 3 }, { "reused", 3 }, { "evicted", 5 } };

	for (size_t i = 0; i < COUNT(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].number;
	return 4; /* forced end */
}

static bool add_address(struct out *o, const char *text, int family)
{
	uint8_t *p = grow(o, family == AF_INET ? 4 : 16);

	return p && inet_pton(family, text, p) == 1;
}

/* A text of at most TEXT_MAX bytes, cut between characters. */
static bool add_text(struct out *o, const char *text)
{
	size_t n = strnlen(text, TEXT_MAX + 1);
	uint8_t *p;

	if (n > TEXT_MAX)
		for (n = TEXT_MAX; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80; n--)
			;
	p = grow(o, 1 + n);
	if (!p)
		return false;
	p[0] = (uint8_t)n;
	memcpy(p + 1, text, n);
	return true;
}

static bool add_field(struct out *o, const struct field *f, int family, const void *message)
{
	const char *at = (const char *)message + f->at;
	uint32_t narrow;
	uint64_t wide;
	int64_t ns;
	const char *text;

	switch ((enum form)f->form) {
	case UNSIGNED:
		memcpy(&narrow, at, sizeof(narrow));
		return add(o, narrow, f->length);
	case WIDE:
		memcpy(&wide, at, sizeof(wide));
		return add(o, wide, f->length);
	case MILLISECONDS:
		memcpy(&ns, at, sizeof(ns));
		return add(o, ns > 0 ? (uint64_t)ns / 1000000 : 0, f->length);
	case ADDRESS:
	case PROTOCOL:
	case TEXT:
	case END_REASON:
		break;
	}
	memcpy(&text, at, sizeof(text));
	if (f->form == ADDRESS)
		return add_address(o, text, family);
	if (f->form == PROTOCOL)
		return add(o, protocol_number(text), f->length);
	if (f->form == END_REASON)
		return add(o, end_reason_number(text), f->length);
	return add_text(o, text);
}

/* The family of the message's first address; 0 when it is none. */
static int family_of(const struct field *fields, const void *message)
{
	uint8_t address[16];
	const char *text;

	memcpy(&text, (const char *)message + fields[0].at, sizeof(text));
	return inet_pton(AF_INET, text, address) == 1 ? AF_INET : inet_pton(AF_INET6, text, address) == 1 ? AF_INET6 : 0;
}

static const struct template *template_for(uint32_t stream, const void *message)
{
	for (size_t i = 0; i < COUNT(templates); i++)
		if (templates[i].stream == stream && templates[i].family == family_of(templates[i].fields, message))
			return &templates[i];
	return NULL;
}

/* ---- messages ---- */

static void close_set(struct ipfix *x)
{
	if (x->set)
		put(x->batch + x->set + 2, x->used - x->set, 2);
	x->set = 0;
	x->set_id = 0;
}

static void close_message(struct ipfix *x)
{
	struct message *m;

	close_set(x);
	if (!x->n_messages)
		return;
	m = &x->messages[x->n_messages - 1];
	m->size = x->used - m->start;
}

static void open_message(struct ipfix *x)
{
	close_message(x);
	x->messages[x->n_messages++] = (struct message){ .start = x->used };
	x->used += HEADER_BYTES;
}

static void open_set(struct ipfix *x, uint16_t id)
{
	close_set(x);
	x->set = x->used;
	x->set_id = id;
	put(x->batch + x->used, id, 2);
	x->used += SET_BYTES;
}

/* 1 when there is no room for another of the largest. */
static int append(struct ipfix *x, uint16_t id, const uint8_t *data, size_t size)
{
	size_t limit = x->stream ? TCP_MESSAGE : UDP_MESSAGE, more = size + (x->set_id == id ? 0 : SET_BYTES);

	if (!x->n_messages || x->used - x->messages[x->n_messages - 1].start + more > limit)
		open_message(x);
	if (x->set_id != id)
		open_set(x, id);
	memcpy(x->batch + x->used, data, size);
	x->used += size;
	x->messages[x->n_messages - 1].records++;
	return x->used + 2 * UDP_MESSAGE > sizeof(x->batch) || x->n_messages + 1 >= COUNT(x->messages);
}

static int ipfix_add(void *self, const struct diskqueue_record *record)
{
	const ProtobufCMessageDescriptor *d = stream_descriptor(record->type);
	ProtobufCMessage *m = d ? protobuf_c_message_unpack(d, NULL, record->size, record->bytes) : NULL;
	uint8_t bytes[UDP_MESSAGE - HEADER_BYTES - SET_BYTES];
	struct out o = { bytes, 0, sizeof(bytes) };
	const struct template *t;
	bool fits = true;

	if (!m)
		return -EBADMSG;
	t = template_for(record->type, m);
	for (size_t i = 0; t && fits && i < t->n; i++)
		fits = add_field(&o, &t->fields[i], t->family, m);
	protobuf_c_message_free_unpacked(m, NULL);
	return t && fits ? append(self, t->id, bytes, o.used) : -EBADMSG;
}

static int send_templates(struct ipfix *x, struct error *err)
{
	uint8_t bytes[1024];
	int r;

	if (x->templates_sent_us && (x->stream || clock_us() - x->templates_sent_us < TEMPLATES_AGAIN_US))
		return 0;
	r = link_send(&x->link, bytes, build_templates(x, bytes), err);
	if (r == 0)
		x->templates_sent_us = clock_us();
	return r;
}

static int ipfix_send(void *self, uint64_t *refused, struct error *err)
{
	struct ipfix *x = self;
	int r = send_templates(x, err);

	(void)refused;
	close_message(x);
	for (size_t i = 0; r == 0 && i < x->n_messages; i++) {
		const struct message *m = &x->messages[i];

		header(x, x->batch + m->start, m->size);
		r = link_send(&x->link, x->batch + m->start, m->size, err);
		x->sequence += m->records;
	}
	x->n_messages = 0;
	x->used = 0;
	return r;
}

static int ipfix_progress(void *self, uint64_t *sent, uint64_t *arrived, struct error *err)
{
	struct ipfix *x = self;

	*sent = x->link.sent;
	return link_arrived(&x->link, arrived, err);
}

static int ipfix_open(void *self, struct error *err)
{
	struct ipfix *x = self;

	x->templates_sent_us = 0;
	x->sequence = 0;
	x->n_messages = 0;
	x->used = x->set = 0;
	x->set_id = 0;
	return link_open(&x->link, x->host, x->port, x->stream, err);
}

static bool ipfix_close(void *self)
{
	return link_close(&((struct ipfix *)self)->link);
}

static void ipfix_free(void *self)
{
	struct ipfix *x = self;

	free(x->host);
	free(x);
}

static int ipfix_new(struct json_object *settings, void **self, struct error *err)
{
	struct ipfix *x = calloc(1, sizeof(*x));

	if (x)
		x->host = strdup(json_text(settings, "host"));
	if (!x || !x->host) {
		free(x);
		return error_set(err, -ENOMEM, "out of memory");
	}
	x->link.fd = -1;
	x->port = (uint16_t)json_number(settings, "port");
	x->stream = strcmp(json_text(settings, "transport"), "tcp") == 0;
	x->domain = (uint32_t)json_number(settings, "observation_domain");
	x->enterprise = (uint32_t)json_number(settings, "enterprise");
	*self = x;
	return 0;
}

const struct destination ipfix_destination = {
	.kind = "ipfix",
	.linger_ms = 50,
	.new = ipfix_new,
	.open = ipfix_open,
	.add = ipfix_add,
	.send = ipfix_send,
	.progress = ipfix_progress,
	.close = ipfix_close,
	.free = ipfix_free,
};
