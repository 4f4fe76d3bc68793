/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netprobe/wire.h"

#define RECORDS_MAX 256u /* in a frame */

/* Messages one behind the other, each after its length. */
struct ring {
	uint8_t *bytes;
	size_t first, used; /* first: below OUTBOX_BYTES */
	uint64_t waiting, sending;
	struct tap_messages own, *count; /* count: where it is counted */
};

struct outbox {
	struct ring rings[OUTBOX_CLASSES];
	enum outbox_class turn; /* the class that comes first: each has its turn */
};

/* Field numbers of NetprobeFrame's payloads. */
static const unsigned field_of[OUTBOX_CLASSES] = { [OUTBOX_DPI] = 20, [OUTBOX_FINGERPRINT] = 6, [OUTBOX_RECORD] = 1000 };
#define FIELD_RECORDS 1u /* of FlowRecordBatch */

int outbox_new(struct outbox **out)
{
	*out = calloc(1, sizeof(**out));
	for (unsigned i = 0; *out && i < OUTBOX_CLASSES; i++)
		(*out)->rings[i].count = &(*out)->rings[i].own;
	return *out ? 0 : -ENOMEM;
}

void outbox_free(struct outbox *o)
{
	for (unsigned i = 0; o && i < OUTBOX_CLASSES; i++)
		free(o->rings[i].bytes);
	free(o);
}

static void copy_in(struct ring *r, size_t at, const void *bytes, size_t n)
{
	size_t begin = at % OUTBOX_BYTES, part = n < OUTBOX_BYTES - begin ? n : OUTBOX_BYTES - begin;

	memcpy(r->bytes + begin, bytes, part);
	memcpy(r->bytes, (const uint8_t *)bytes + part, n - part);
}

static void copy_out(const struct ring *r, size_t at, void *bytes, size_t n)
{
	size_t begin = at % OUTBOX_BYTES, part = n < OUTBOX_BYTES - begin ? n : OUTBOX_BYTES - begin;

	memcpy(bytes, r->bytes + begin, part);
	memcpy((uint8_t *)bytes + part, r->bytes, n - part);
}

static uint32_t length_at(const struct ring *r, size_t at)
{
	uint32_t length;

	copy_out(r, at, &length, sizeof(length));
	return length;
}

static void pop(struct ring *r)
{
	size_t size = sizeof(uint32_t) + length_at(r, r->first);

	r->first = (r->first + size) % OUTBOX_BYTES;
	r->used -= size;
	r->waiting--;
}

uint64_t outbox_account(struct outbox *o, enum outbox_class class, struct tap_messages *account)
{
	struct ring *r = &o->rings[class];
	struct tap_messages *to = account ? account : &r->own;
	uint64_t settled, gone;

	if (!account)
		r->own = (struct tap_messages){ 0 };
	settled = to->delivered + to->dropped;
	gone = to->produced > settled ? to->produced - settled : 0;
	to->produced = settled + gone + r->count->produced;
	to->delivered += r->count->delivered;
	to->dropped += gone + r->count->dropped;
	r->count = to;
	return gone;
}

void outbox_push(struct outbox *o, enum outbox_class class, const ProtobufCMessage *message)
{
	struct ring *r = &o->rings[class];
	size_t size = protobuf_c_message_get_packed_size(message);
	uint32_t length = (uint32_t)size;
	uint8_t packed[4096];

	r->count->produced++;
	if (!r->bytes)
		r->bytes = malloc(OUTBOX_BYTES);
	if (!r->bytes || size > sizeof(packed)) { /* none of these is so large: a longest address, name, label has a bound */
		r->count->dropped++;
		return;
	}
	while (r->used + sizeof(length) + size > OUTBOX_BYTES) {
		pop(r);
		r->count->dropped++;
	}
	protobuf_c_message_pack(message, packed);
	copy_in(r, r->first + r->used, &length, sizeof(length));
	copy_in(r, r->first + r->used + sizeof(length), packed, size);
	r->used += sizeof(length) + size;
	r->waiting++;
}

/* ---- frames ---- */

/* One message, as the payload of a frame. */
static int send_one(struct outbox *o, enum outbox_class class, struct client *c)
{
	struct ring *r = &o->rings[class];
	size_t length = length_at(r, r->first);
	uint8_t *p = client_reserve(c, wire_field_size(field_of[class], length));

	if (!p)
		return -ENOMEM;
	copy_out(r, r->first + sizeof(uint32_t), wire_field(p, field_of[class], length), length);
	pop(r);
	r->sending++;
	return 0;
}

/* Records up to the size of a frame, as one batch. */
static int send_records(struct outbox *o, struct client *c)
{
	struct ring *r = &o->rings[OUTBOX_RECORD];
	size_t at = r->first, batch = 0, count = 0;
	uint8_t *p;

	while (count < r->waiting && count < RECORDS_MAX && batch < OUTBOX_FRAME_MAX) {
		size_t length = length_at(r, at);

		batch += wire_field_size(FIELD_RECORDS, length);
		at += sizeof(uint32_t) + length;
		count++;
	}
	p = client_reserve(c, wire_field_size(field_of[OUTBOX_RECORD], batch));
	if (!p)
		return -ENOMEM;
	p = wire_field(p, field_of[OUTBOX_RECORD], batch);
	for (size_t i = 0; i < count; i++) {
		size_t length = length_at(r, r->first);

		p = wire_field(p, FIELD_RECORDS, length);
		copy_out(r, r->first + sizeof(uint32_t), p, length);
		p += length;
		pop(r);
	}
	r->sending += count;
	return 0;
}

static void delivered(struct outbox *o)
{
	for (unsigned i = 0; i < OUTBOX_CLASSES; i++) {
		o->rings[i].count->delivered += o->rings[i].sending;
		o->rings[i].sending = 0;
	}
}

int outbox_send(struct outbox *o, struct client *c)
{
	bool any = false;

	delivered(o);
	for (unsigned i = 0; i < OUTBOX_CLASSES; i++) {
		enum outbox_class class = (o->turn + i) % OUTBOX_CLASSES;

		while (o->rings[class].waiting && client_backlog(c) < OUTBOX_FRAME_MAX) {
			int e = class == OUTBOX_RECORD ? send_records(o, c) : send_one(o, class, c);

			if (e < 0)
				return e;
			any = true;
		}
	}
	o->turn = (o->turn + 1) % OUTBOX_CLASSES;
	return any;
}

void outbox_disconnected(struct outbox *o)
{
	for (unsigned i = 0; i < OUTBOX_CLASSES; i++) {
		o->rings[i].count->dropped += o->rings[i].sending;
		o->rings[i].sending = 0;
	}
}

struct outbox_totals outbox_totals(const struct outbox *o, enum outbox_class class)
{
	const struct ring *r = &o->rings[class];

	return (struct outbox_totals){ .produced = r->count->produced, .delivered = r->count->delivered, .dropped = r->count->dropped, .waiting = r->waiting };
}
