/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/recent.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/protojson.h"

struct packed {
	uint8_t *bytes;
	size_t size;
};

struct fingerprint {
	char ip[46];
	uint64_t heard; /* rises */
	struct packed packed;
};

struct recent {
	struct packed snapshot;
	struct fingerprint fingerprints[RECENT_FINGERPRINTS]; /* untouched pages cost nothing */
	size_t count;
	uint64_t heard;
};

struct recent *recent_new(void)
{
	return calloc(1, sizeof(struct recent));
}

void recent_free(struct recent *r)
{
	if (!r)
		return;
	free(r->snapshot.bytes);
	for (size_t i = 0; i < r->count; i++)
		free(r->fingerprints[i].packed.bytes);
	free(r);
}

/* Without memory what was there before stays. */
static void keep(struct packed *p, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = malloc(size ? size : 1);

	if (!bytes)
		return;
	protobuf_c_message_pack(m, bytes);
	free(p->bytes);
	*p = (struct packed){ bytes, size };
}

static void keep_fingerprint(struct recent *r, const NpFingerprintEvent *e)
{
	struct fingerprint *f = NULL, *oldest = &r->fingerprints[0];

	for (size_t i = 0; i < r->count && !f; i++) {
		if (strcmp(r->fingerprints[i].ip, e->ip) == 0)
			f = &r->fingerprints[i];
		else if (r->fingerprints[i].heard < oldest->heard)
			oldest = &r->fingerprints[i];
	}
	if (!f)
		f = r->count < RECENT_FINGERPRINTS ? &r->fingerprints[r->count++] : oldest;
	snprintf(f->ip, sizeof(f->ip), "%s", e->ip);
	f->heard = ++r->heard;
	keep(&f->packed, &e->base);
}

void recent_message(struct recent *r, const char *type, const ProtobufCMessage *m)
{
	if (strcmp(type, "process_snapshot") == 0)
		keep(&r->snapshot, m);
	else if (strcmp(type, "fingerprint_event") == 0)
		keep_fingerprint(r, (const NpFingerprintEvent *)m);
}

static void add_text(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

void recent_listeners(const struct recent *r, recent_fn fn, void *userdata)
{
	NpProcessSnapshot *s = r->snapshot.bytes ? np_process_snapshot_unpack(NULL, r->snapshot.size, r->snapshot.bytes) : NULL;

	for (size_t i = 0; s && i < s->n_entries; i++) {
		const NpProcessSnapshotEntry *e = s->entries[i];
		_cleanup_json_ struct json_object *o = json_object_new_object();

		add_text(o, "type", "listener");
		add_text(o, "comm", e->comm);
		json_object_object_add(o, "pid", json_object_new_int64(e->pid));
		json_object_object_add(o, "uid", json_object_new_int64(e->uid));
		json_object_object_add(o, "gid", json_object_new_int64(e->gid));
		add_text(o, "transport_protocol", e->transport_protocol);
		add_text(o, "local_ip", e->local_ip);
		json_object_object_add(o, "local_port", json_object_new_int64(e->local_port));
		add_text(o, "command", e->n_redacted_cmdline ? e->redacted_cmdline[0] : "");
		add_text(o, "executable", e->executable);
		add_text(o, "container_id", e->container_id);
		add_text(o, "systemd_unit", e->systemd_unit);
		json_object_object_add(o, "socket_holders", json_object_new_int64(e->socket_holders));
		fn(o, userdata);
	}
	if (s)
		np_process_snapshot_free(s, NULL);
}

struct place {
	uint64_t heard;
	size_t at;
};

static int by_hearing(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->heard > y->heard) - (x->heard < y->heard);
}

void recent_fingerprints(const struct recent *r, recent_fn fn, void *userdata)
{
	struct place sorted[RECENT_FINGERPRINTS];

	for (size_t i = 0; i < r->count; i++)
		sorted[i] = (struct place){ r->fingerprints[i].heard, i };
	qsort(sorted, r->count, sizeof(sorted[0]), by_hearing);
	for (size_t i = 0; i < r->count; i++) {
		const struct packed *p = &r->fingerprints[sorted[i].at].packed;
		NpFingerprintEvent *e = p->bytes ? np_fingerprint_event_unpack(NULL, p->size, p->bytes) : NULL;
		_cleanup_json_ struct json_object *o = e ? protojson_from_message(&e->base) : NULL;

		if (o) {
			add_text(o, "type", "fingerprint_event");
			fn(o, userdata);
		}
		if (e)
			np_fingerprint_event_free(e, NULL);
	}
}
