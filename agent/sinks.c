/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sinks.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "lib/json.h"
#include "lib/paths.h"

void sinks_init(struct agent *a, enum sink_kind standard)
{
	a->sinks = (struct sinks){ .agent = a, .standard = standard };
	event_file_init(&a->sinks.file, a->rootfd, SR_EVENTS_FILE);
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
	event_file_configure(&a->sinks.file, wanted(a, "file", SINK_FILE), EVENT_FILE_BYTES, EVENT_FILES);
}

void sinks_assign_file(struct agent *a, bool on, off_t limit, unsigned files)
{
	a->sinks.file_assigned = true;
	event_file_configure(&a->sinks.file, on, limit, files);
}

static struct json_object *journal_settings(void)
{
	struct json_object *by_name = json_object_new_object(), *settings = json_object_new_object();

	json_object_object_add(settings, "queue_max_bytes", json_object_new_int64(SINK_QUEUE_BYTES));
	json_object_object_add(by_name, "", settings);
	return by_name;
}

void sinks_configure(struct agent *a)
{
	if (!a->sinks.file_assigned)
		sinks_unassign_file(a);
	json_object_put(a->sinks.journal);
	a->sinks.journal = wanted(a, "journal", SINK_JOURNAL) ? journal_settings() : NULL;
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
	event_file_message(&s->file, stream_name(STREAM_FLOW_ATTRIBUTION), &e->base);
	forward(s, STREAM_FLOW_ATTRIBUTION, &e->base);
}

void sinks_message(struct sinks *s, const char *type, const ProtobufCMessage *m)
{
	event_file_message(&s->file, type, m);
	forward(s, stream_parse(type), m);
}

void sinks_record(struct sinks *s, const char *type, struct json_object *object)
{
	const char *text;
	size_t length = 0;

	json_object_object_add(object, "type", json_object_new_string(type));
	text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	event_file_line(&s->file, text, length);
	for (struct forwarder *f = s->forwarders; f; f = f->next)
		forwarder_append(f, STREAM_ADDON_RECORD, text, length);
}

static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	sinks_flush(userdata);
	return 0;
}

/* What waits for the file is written whether more comes or not. */
static void flush_when_due(struct sinks *s)
{
	uint64_t at = event_file_due(&s->file);

	if (!at)
		return;
	if (!s->due && sd_event_add_time(s->agent->event, &s->due, CLOCK_MONOTONIC, at, 10000, on_due, s) < 0)
		return;
	sd_event_source_set_time(s->due, at);
	sd_event_source_set_enabled(s->due, SD_EVENT_ONESHOT);
}

void sinks_flush(struct sinks *s)
{
	event_file_flush(&s->file);
	flush_when_due(s);
	for (struct forwarder *f = s->forwarders; f; f = f->next)
		forwarder_flush(f);
}

void sinks_mark(struct sinks *s)
{
	s->file.mark = s->file.dropped;
	for (struct forwarder *f = s->forwarders; f; f = f->next)
		f->mark = forwarder_dropped(f);
}

bool sinks_refused(const struct sinks *s)
{
	bool any = s->file.on, took = s->file.on && s->file.dropped == s->file.mark;

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
	uint64_t n = s->file.dropped;

	for (const struct forwarder *f = s->forwarders; f; f = f->next)
		n += forwarder_dropped(f);
	return n;
}

void sinks_status(const struct sinks *s, sink_status_fn *fn, void *userdata)
{
	struct sink_status status = event_file_status(&s->file);

	if (s->file.on)
		fn(&status, userdata);
	for (const struct forwarder *f = s->forwarders; f; f = f->next) {
		status = forwarder_status(f);
		fn(&status, userdata);
	}
}

void sinks_free(struct agent *a)
{
	sd_event_source_disable_unref(a->sinks.due);
	event_file_close(&a->sinks.file);
	forwarders_free(a);
	json_object_put(a->sinks.journal);
	free(a->sinks.packed);
	a->sinks = (struct sinks){ .agent = a };
}
