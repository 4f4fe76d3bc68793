/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/forward/event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/stream.h"
#include "lib/json.h"
#include "lib/protojson.h"

static struct json_object *decode(const struct diskqueue_record *record)
{
	const ProtobufCMessageDescriptor *d = stream_descriptor(record->type);
	struct json_object *o = NULL;
	ProtobufCMessage *m;

	if (record->type == STREAM_ADDON_RECORD) { /* the parser wants a NUL behind it */
		char *text = strndup((const char *)record->bytes, record->size);

		if (text)
			(void)json_parse(text, strlen(text), "record", &o, NULL);
		free(text);
		return o;
	}
	m = d ? protobuf_c_message_unpack(d, NULL, record->size, record->bytes) : NULL;
	if (!m)
		return NULL;
	o = protojson_from_message(m);
	protobuf_c_message_free_unpacked(m, NULL);
	if (o)
		json_object_object_add(o, "type", json_object_new_string(stream_name(record->type)));
	return o;
}

static int64_t observed(struct json_object *o)
{
	static const char *const keys[] = { "observedAtUnixNano", "lastSeenUnixNano" };
	struct json_object *v;
	struct timespec now;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_object_get_ex(o, keys[i], &v) && json_object_get_int64(v) > 0)
			return json_object_get_int64(v);
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int event_decode(const struct diskqueue_record *record, struct event *out)
{
	*out = (struct event){ .type = stream_name(record->type), .object = decode(record) };
	if (!out->object)
		return -EBADMSG;
	out->at_ns = observed(out->object);
	return 0;
}

const char *event_text(const struct event *e, size_t *length)
{
	return json_object_to_json_string_length(e->object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, length);
}

void event_free(struct event *e)
{
	json_object_put(e->object);
	e->object = NULL;
}
