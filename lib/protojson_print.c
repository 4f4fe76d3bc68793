/* SPDX-License-Identifier: Apache-2.0 */
/* Messages straight to JSON text. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/protojson.h"

#define DEPTH_MAX 8 /* of messages in messages: more than any schema here has */

/* `at` never passes `end`; what does not fit is noted. */
struct writer {
	char *at, *end;
	int error;
};

static void put(struct writer *w, const char *text, size_t n)
{
	if ((size_t)(w->end - w->at) < n) {
		w->error = -EMSGSIZE;
		return;
	}
	memcpy(w->at, text, n);
	w->at += n;
}

static void put_char(struct writer *w, char c)
{
	put(w, &c, 1);
}

static void put_decimal(struct writer *w, uint64_t v, bool negative)
{
	char digits[21];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	if (negative)
		digits[--i] = '-';
	put(w, digits + i, sizeof(digits) - i);
}

static void put_signed(struct writer *w, int64_t v)
{
	put_decimal(w, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

/* The escapes that json-c writes, but for the slash. */
static void put_string(struct writer *w, const char *s)
{
	static const char escapes[] = "\bb\nn\rr\tt\ff\"\"\\\\";

	put_char(w, '"');
	for (;;) {
		size_t plain = 0;
		char unicode[8];

		while ((unsigned char)s[plain] >= ' ' && s[plain] != '"' && s[plain] != '\\')
			plain++;
		put(w, s, plain);
		s += plain;
		if (!*s)
			break;
		const char *e = escapes;

		while (*e && *e != *s)
			e += 2;
		if (*e)
			put(w, (const char[]){ '\\', e[1] }, 2);
		else
			put(w, unicode, (size_t)snprintf(unicode, sizeof(unicode), "\\u%04x", (unsigned char)*s));
		s++;
	}
	put_char(w, '"');
}

/* lower_snake_case as lowerCamelCase. */
static void put_name(struct writer *w, const char *name)
{
	char camel[96];
	size_t n = 0;

	camel[n++] = '"';
	for (bool up = false; *name && n < sizeof(camel) - 2; name++) {
		if (*name == '_') {
			up = true;
			continue;
		}
		camel[n++] = (char)(up && *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
		up = false;
	}
	camel[n++] = '"';
	camel[n++] = ':';
	put(w, camel, n);
}

static void put_message(struct writer *w, const ProtobufCMessage *m, const char *type, unsigned depth);

static void put_value(struct writer *w, ProtobufCType type, const void *at, unsigned depth)
{
	char text[32];

	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		put_signed(w, *(const int32_t *)at);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		put_decimal(w, *(const uint32_t *)at, false);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		put_char(w, '"');
		put_signed(w, *(const int64_t *)at);
		put_char(w, '"');
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		put_char(w, '"');
		put_decimal(w, *(const uint64_t *)at, false);
		put_char(w, '"');
		break;
	case PROTOBUF_C_TYPE_BOOL:
		if (*(const protobuf_c_boolean *)at)
			put(w, "true", 4);
		else
			put(w, "false", 5);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		put(w, text, (size_t)snprintf(text, sizeof(text), "%.9g", (double)*(const float *)at));
		break;
	case PROTOBUF_C_TYPE_STRING:
		put_string(w, *(const char *const *)at ? *(const char *const *)at : "");
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		put_message(w, *(const ProtobufCMessage *const *)at, NULL, depth);
		break;
	default:
		w->error = -ENOTSUP;
		break;
	}
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return 8;
	default:
		return 4;
	}
}

static void put_list(struct writer *w, const ProtobufCFieldDescriptor *f, const char *base, size_t n, unsigned depth)
{
	const char *values = *(const char *const *)(const void *)(base + f->offset);

	put_char(w, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			put_char(w, ',');
		put_value(w, f->type, values + i * size_of(f->type), depth);
	}
	put_char(w, ']');
}

/* Whether a field is there at all; for a list *n is its length. */
static bool is_there(const ProtobufCFieldDescriptor *f, const char *base, size_t *n)
{
	const void *at = base + f->offset, *quantifier = base + f->quantifier_offset;

	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && *(const uint32_t *)quantifier != f->id)
		return false;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		*n = *(const size_t *)quantifier;
		return *n > 0;
	}
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return *(const char *const *)at && **(const char *const *)at;
	return f->type != PROTOBUF_C_TYPE_MESSAGE || *(const void *const *)at;
}

static void put_message(struct writer *w, const ProtobufCMessage *m, const char *type, unsigned depth)
{
	const char *base = (const char *)m;
	bool first = true;

	if (depth == DEPTH_MAX) {
		w->error = -ENOTSUP;
		return;
	}
	put_char(w, '{');
	for (unsigned i = 0; i < m->descriptor->n_fields && !w->error; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		size_t n = 0;

		if (!is_there(f, base, &n))
			continue;
		if (!first)
			put_char(w, ',');
		first = false;
		put_name(w, f->name);
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			put_list(w, f, base, n, depth + 1);
		else
			put_value(w, f->type, base + f->offset, depth + 1);
	}
	if (type) {
		if (!first)
			put_char(w, ',');
		put(w, "\"type\":", 7);
		put_string(w, type);
	}
	put_char(w, '}');
}

int protojson_print(const ProtobufCMessage *message, const char *type, char *out, size_t size)
{
	struct writer w = { .at = out, .end = out + size - 1 };

	put_message(&w, message, type, 0);
	if (w.error)
		return w.error;
	*w.at = '\0';
	return (int)(w.at - out);
}

const char *protojson_line(struct protojson_line *line, const ProtobufCMessage *message, const char *type, size_t *length)
{
	int n = protojson_print(message, type, line->text, sizeof(line->text));

	line->object = NULL;
	*length = n < 0 ? 0 : (size_t)n;
	if (n >= 0)
		return line->text;
	line->object = protojson_from_message(message);
	if (!line->object || (type && json_object_object_add(line->object, "type", json_object_new_string(type)) < 0))
		return NULL;
	return json_object_to_json_string_length(line->object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, length);
}

void protojson_line_free(struct protojson_line *line)
{
	json_object_put(line->object);
	line->object = NULL;
}
