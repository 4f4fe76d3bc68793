/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sinks.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "lib/json.h"
#include "lib/paths.h"

void sinks_init(struct agent *a, enum sink_kind standard)
{
	a->sinks = (struct sinks){ .standard = standard };
	sink_init(&a->sinks.file, SINK_NONE, a->rootfd, SR_EVENTS_FILE);
	sink_init(&a->sinks.journal, SINK_NONE, a->rootfd, "the journal");
}

static bool wanted(const struct agent *a, const char *key, enum sink_kind kind)
{
	struct json_object *v;

	if (a->config.sinks && json_object_object_get_ex(a->config.sinks, key, &v))
		return json_object_get_boolean(v);
	return a->sinks.standard == kind;
}

void sinks_unassign_file(struct agent *a)
{
	a->sinks.file_assigned = false;
	sink_configure(&a->sinks.file, wanted(a, "file", SINK_FILE) ? SINK_FILE : SINK_NONE, SINK_FILE_BYTES, SINK_FILES);
}

void sinks_assign_file(struct agent *a, bool on, off_t limit, unsigned files)
{
	a->sinks.file_assigned = true;
	sink_configure(&a->sinks.file, on ? SINK_FILE : SINK_NONE, limit, files);
}

void sinks_configure(struct agent *a)
{
	if (!a->sinks.file_assigned)
		sinks_unassign_file(a);
	sink_configure(&a->sinks.journal, wanted(a, "journal", SINK_JOURNAL) ? SINK_JOURNAL : SINK_NONE, SINK_FILE_BYTES, SINK_FILES);
	forwarders_configure(a);
}

/* The message's bytes, in s->packed. 0 without memory. */
static size_t pack(struct sinks *s, const ProtobufCMessage *m)
{
	size_t size = protobuf_c_message_get_packed_size(m);

	if (size > s->packed_size) {
		uint8_t *bigger = realloc(s->packed, size);

		if (!bigger)
			return 0;
		s->packed = bigger;
		s->packed_size = size;
	}
	return protobuf_c_message_pack(m, s->packed);
}

static void forward(struct sinks *s, enum stream stream, const ProtobufCMessage *m)
{
	size_t size = 0;
	bool packed = false;

	for (struct forwarder *f = s->forwarders; f; f = f->next) {
		if (!forwarder_wants(f, stream))
			continue;
		if (!packed)
			size = pack(s, m);
		packed = true;
		forwarder_append(f, stream, size ? s->packed : NULL, size);
	}
}

void sinks_event(struct sinks *s, const NpFlowEvent *e)
{
	sink_event(&s->file, e);
	sink_event(&s->journal, e);
	forward(s, STREAM_FLOW_ATTRIBUTION, &e->base);
}

void sinks_message(struct sinks *s, const char *type, const ProtobufCMessage *m)
{
	sink_message(&s->file, type, m);
	sink_message(&s->journal, type, m);
	forward(s, stream_parse(type), m);
}

void sinks_record(struct sinks *s, const char *type, struct json_object *object)
{
	const char *text;
	size_t length;

	sink_record(&s->file, type, object);
	sink_record(&s->journal, type, object);
	if (!s->forwarders)
		return;
	json_object_object_add(object, "type", json_object_new_string(type));
	text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	for (struct forwarder *f = s->forwarders; f; f = f->next)
		forwarder_append(f, STREAM_ADDON_RECORD, text, length);
}

void sinks_flush(struct sinks *s)
{
	sink_flush(&s->file);
	for (struct forwarder *f = s->forwarders; f; f = f->next)
		forwarder_flush(f);
}

void sinks_mark(struct sinks *s)
{
	s->file.mark = s->file.dropped;
	s->journal.mark = s->journal.dropped;
	for (struct forwarder *f = s->forwarders; f; f = f->next)
		f->mark = forwarder_dropped(f);
}

bool sinks_refused(const struct sinks *s)
{
	bool any = false, took = false;

	for (int i = 0; i < 2; i++) {
		const struct sink *k = i ? &s->journal : &s->file;

		any = any || k->kind != SINK_NONE;
		took = took || (k->kind != SINK_NONE && k->dropped == k->mark);
	}
	for (const struct forwarder *f = s->forwarders; f; f = f->next) {
		if (!forwarder_wants(f, STREAM_ADDON_RECORD))
			continue;
		any = true;
		took = took || forwarder_dropped(f) == f->mark;
	}
	return any && !took;
}

uint64_t sinks_dropped(const struct sinks *s)
{
	uint64_t n = s->file.dropped + s->journal.dropped;

	for (const struct forwarder *f = s->forwarders; f; f = f->next)
		n += forwarder_dropped(f);
	return n;
}

static struct sink_status own_status(const struct sink *k, const char *name)
{
	return (struct sink_status){
		.name = name,
		.connected = k->last_error == 0,
		.delivered = k->written,
		.waiting_bytes = k->used,
		.dropped = k->dropped,
		.error = k->last_error ? strerror(k->last_error) : "",
	};
}

void sinks_status(const struct sinks *s, sink_status_fn *fn, void *userdata)
{
	const struct sink *own[] = { &s->file, &s->journal };
	static const char *const names[] = { "file", "journal" };
	struct sink_status status;

	for (size_t i = 0; i < 2; i++) {
		status = own_status(own[i], names[i]);
		if (own[i]->kind != SINK_NONE)
			fn(&status, userdata);
	}
	for (const struct forwarder *f = s->forwarders; f; f = f->next) {
		status = forwarder_status(f);
		fn(&status, userdata);
	}
}

void sinks_free(struct agent *a)
{
	sink_close(&a->sinks.file);
	sink_close(&a->sinks.journal);
	forwarders_free(a);
	free(a->sinks.packed);
	a->sinks.packed = NULL;
	a->sinks.packed_size = 0;
}
