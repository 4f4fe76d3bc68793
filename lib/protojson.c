/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/protojson.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

#define NAME_BYTES 96

/* lower_snake_case to lowerCamelCase, as protoc derives JSON names. */
static const char *camel(const char *name, char out[NAME_BYTES])
{
	size_t n = 0;
	bool up = false;

	for (; *name && n + 1 < NAME_BYTES; name++) {
		if (*name == '_') {
			up = true;
			continue;
		}
		out[n++] = up ? (char)toupper((unsigned char)*name) : *name;
		up = false;
	}
	out[n] = '\0';
	return out;
}

static struct json_object *bytes_to_json(const ProtobufCBinaryData *b)
{
	_cleanup_free_ char *text = malloc((b->len + 2) / 3 * 4 + 1);

	if (!text)
		return NULL;
	EVP_EncodeBlock((unsigned char *)text, b->data, (int)b->len);
	return json_object_new_string(text);
}

static struct json_object *enum_to_json(const ProtobufCFieldDescriptor *f, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, value);

	return v ? json_object_new_string(v->name) : json_object_new_int(value);
}

/* One value at `at`; NULL for what is left out. */
static struct json_object *value_to_json(const ProtobufCFieldDescriptor *f, const void *at)
{
	char text[32];

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_object_new_int(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_object_new_int64(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		(void)snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)at);
		return json_object_new_string(text);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		(void)snprintf(text, sizeof(text), "%" PRIu64, *(const uint64_t *)at);
		return json_object_new_string(text);
	case PROTOBUF_C_TYPE_BOOL:
		return json_object_new_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_FLOAT:
		(void)snprintf(text, sizeof(text), "%.9g", (double)*(const float *)at);
		return json_object_new_double_s((double)*(const float *)at, text);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_object_new_double(*(const double *)at);
	case PROTOBUF_C_TYPE_ENUM:
		return enum_to_json(f, *(const int *)at);
	case PROTOBUF_C_TYPE_STRING: {
		const char *s = *(const char *const *)at;

		return s && *s ? json_object_new_string(s) : NULL;
	}
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *b = at;

		return b->len ? bytes_to_json(b) : NULL;
	}
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessage *m = *(const ProtobufCMessage *const *)at;

		return m ? protojson_from_message(m) : NULL;
	}
	}
	return NULL;
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return 4;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_ENUM:
		return sizeof(int);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	}
	return 0;
}

/* In a list an empty string or message is an element, too. */
static struct json_object *element_to_json(const ProtobufCFieldDescriptor *f, const void *at)
{
	struct json_object *value = value_to_json(f, at);

	if (!value && (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES))
		return json_object_new_string("");
	return value;
}

static struct json_object *list_to_json(const ProtobufCFieldDescriptor *f, const char *base)
{
	size_t n = *(const size_t *)(const void *)(base + f->quantifier_offset), size = value_size(f->type);
	const char *values = *(const char *const *)(const void *)(base + f->offset);
	struct json_object *list;

	if (n == 0)
		return NULL;
	list = json_object_new_array_ext((int)n);
	for (size_t i = 0; list && i < n; i++)
		json_object_array_add(list, element_to_json(f, values + i * size));
	return list;
}

struct json_object *protojson_from_message(const ProtobufCMessage *message)
{
	const char *base = (const char *)message;
	struct json_object *object = json_object_new_object();

	for (unsigned i = 0; object && i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &message->descriptor->fields[i];
		struct json_object *value;
		char name[NAME_BYTES];

		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			if (*(const uint32_t *)(const void *)(base + f->quantifier_offset) != f->id)
				continue;
		}
		value = f->label == PROTOBUF_C_LABEL_REPEATED ? list_to_json(f, base) : value_to_json(f, base + f->offset);
		if (value)
			json_object_object_add(object, camel(f->name, name), value);
	}
	return object;
}

/* ---- the other way ---- */

struct reader {
	struct error *err;
};

static int bad(const struct reader *r, const ProtobufCFieldDescriptor *f, struct json_object *v, const char *need)
{
	return error_set(r->err, -EINVAL, "%s: %.64s: %s", f->name, json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			 need);
}

/* Integers: a JSON number without a fraction, or its decimal text. */
static int read_integer(const struct reader *r, const ProtobufCFieldDescriptor *f, struct json_object *v, int64_t min,
			uint64_t max, int64_t *out)
{
	const char *s = json_object_get_string(v);
	char *end;

	if (!json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_string))
		return bad(r, f, v, "must be a whole number");
	errno = 0;
	if (*s == '-') {
		long long n = strtoll(s, &end, 10);

		if (errno || *end || n < min)
			return bad(r, f, v, "out of range");
		*out = n;
	} else {
		unsigned long long n = strtoull(s, &end, 10);

		if (*s < '0' || *s > '9' || errno || *end || n > max)
			return bad(r, f, v, "out of range");
		*out = (int64_t)n;
	}
	return 0;
}

static int read_bytes(const struct reader *r, const ProtobufCFieldDescriptor *f, struct json_object *v,
		      ProtobufCBinaryData *out)
{
	const char *s = json_object_get_string(v);
	size_t n = strlen(s);
	int got;

	if (!json_object_is_type(v, json_type_string) || n % 4 != 0 || n > INT32_MAX)
		return bad(r, f, v, "must be base64 text");
	out->data = malloc(n / 4 * 3 + 1);
	if (!out->data)
		return -ENOMEM;
	got = EVP_DecodeBlock(out->data, (const unsigned char *)s, (int)n);
	if (got < 0) {
		free(out->data);
		out->data = NULL;
		return bad(r, f, v, "must be base64 text");
	}
	out->len = (size_t)got;
	for (size_t i = n; i > 0 && s[i - 1] == '=' && out->len > 0; i--)
		out->len--;
	return 0;
}

static int read_enum(const struct reader *r, const ProtobufCFieldDescriptor *f, struct json_object *v, int *out)
{
	const ProtobufCEnumValue *e = NULL;

	if (json_object_is_type(v, json_type_string))
		e = protobuf_c_enum_descriptor_get_value_by_name(f->descriptor, json_object_get_string(v));
	else if (json_object_is_type(v, json_type_int))
		e = protobuf_c_enum_descriptor_get_value(f->descriptor, json_object_get_int(v));
	if (!e)
		return bad(r, f, v, "is not one of the known names");
	*out = e->value;
	return 0;
}

static int read_value(const struct reader *r, const ProtobufCFieldDescriptor *f, struct json_object *v, void *at)
{
	int64_t n = 0;
	int e;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		e = read_integer(r, f, v, INT32_MIN, INT32_MAX, &n);
		*(int32_t *)at = (int32_t)n;
		return e;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		e = read_integer(r, f, v, 0, UINT32_MAX, &n);
		*(uint32_t *)at = (uint32_t)n;
		return e;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return read_integer(r, f, v, INT64_MIN, INT64_MAX, at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return read_integer(r, f, v, 0, UINT64_MAX, at);
	case PROTOBUF_C_TYPE_BOOL:
		if (!json_object_is_type(v, json_type_boolean))
			return bad(r, f, v, "must be true or false");
		*(protobuf_c_boolean *)at = json_object_get_boolean(v);
		return 0;
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
			return bad(r, f, v, "must be a number");
		if (f->type == PROTOBUF_C_TYPE_FLOAT)
			*(float *)at = (float)json_object_get_double(v);
		else
			*(double *)at = json_object_get_double(v);
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		return read_enum(r, f, v, at);
	case PROTOBUF_C_TYPE_STRING:
		if (!json_object_is_type(v, json_type_string) ||
		    strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
			return bad(r, f, v, "must be a string without NUL");
		*(char **)at = strdup(json_object_get_string(v));
		return *(char **)at ? 0 : -ENOMEM;
	case PROTOBUF_C_TYPE_BYTES:
		return read_bytes(r, f, v, at);
	case PROTOBUF_C_TYPE_MESSAGE:
		if (!json_object_is_type(v, json_type_object))
			return bad(r, f, v, "must be an object");
		return protojson_to_message(v, f->descriptor, at, r->err);
	}
	return -EINVAL;
}

static int read_list(const struct reader *r, const ProtobufCFieldDescriptor *f, struct json_object *v, char *base)
{
	size_t size = value_size(f->type), n;
	size_t *count = (size_t *)(void *)(base + f->quantifier_offset);
	char *values;

	if (!json_object_is_type(v, json_type_array))
		return bad(r, f, v, "must be a list");
	n = json_object_array_length(v);
	if (n == 0)
		return 0;
	values = calloc(n, size);
	if (!values)
		return -ENOMEM;
	*(char **)(void *)(base + f->offset) = values;
	for (size_t i = 0; i < n; i++) {
		int e = read_value(r, f, json_object_array_get_idx(v, i), values + i * size);

		if (e < 0)
			return e;
		(*count)++;
	}
	return 0;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessageDescriptor *d, const char *name)
{
	char json_name[NAME_BYTES];

	for (unsigned i = 0; i < d->n_fields; i++)
		if (strcmp(d->fields[i].name, name) == 0 || strcmp(camel(d->fields[i].name, json_name), name) == 0)
			return &d->fields[i];
	return NULL;
}

static void cleanup_messagep(ProtobufCMessage **m)
{
	if (*m)
		protobuf_c_message_free_unpacked(*m, NULL);
}

int protojson_to_message(struct json_object *object, const ProtobufCMessageDescriptor *descriptor,
			 ProtobufCMessage **out, struct error *err)
{
	_cleanup_(cleanup_messagep) ProtobufCMessage *m = NULL;
	const struct reader r = { .err = err };

	*out = NULL;
	if (!json_object_is_type(object, json_type_object))
		return error_set(err, -EINVAL, "%s: must be an object", descriptor->short_name);
	m = calloc(1, descriptor->sizeof_message);
	if (!m)
		return error_set(err, -ENOMEM, "out of memory");
	protobuf_c_message_init(descriptor, m);
	json_object_object_foreach(object, key, value)
	{
		const ProtobufCFieldDescriptor *f = find_field(descriptor, key);
		char *base = (char *)m;
		int e;

		if (!f)
			return error_set(err, -EINVAL, "%s: unknown key", key);
		if (!value) /* null: the default */
			continue;
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			uint32_t *which = (uint32_t *)(void *)(base + f->quantifier_offset);

			if (*which)
				return error_set(err, -EINVAL, "%s: only one of its group may be given", key);
			*which = f->id;
			memset(base + f->offset, 0, value_size(f->type));
		}
		e = f->label == PROTOBUF_C_LABEL_REPEATED ? read_list(&r, f, value, base) :
							    read_value(&r, f, value, base + f->offset);
		if (e == -ENOMEM)
			return error_set(err, e, "%s: out of memory", key);
		if (e < 0)
			return e;
	}
	*out = steal_ptr(&m);
	return 0;
}
