/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from outside: strict, bounded, and with errors that say file, line, column and why. json-c does the parsing. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/error.h"

#define JSON_MAX_BYTES (1024u * 1024)
#define JSON_MAX_DEPTH 32

static inline void cleanup_json_putp(struct json_object **o)
{
	if (*o)
		json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(cleanup_json_putp)

/* Parses one JSON text of exactly `size` bytes, followed by a NUL: RFC 8259 (valid UTF-8, no comments, no trailing data, no
 * duplicate keys, JSON_MAX_DEPTH levels). *out is owned by the caller. `where` names the source in messages: a file's
 * path. */
int json_parse(const char *text, size_t size, const char *where, struct json_object **out, struct error *err);

/* The same for a file of at most JSON_MAX_BYTES; `path` may be relative to `dirfd`. -ENOENT when it is not there. */
int json_read_file(int dirfd, const char *path, struct json_object **out, struct error *err);

/* The text at a key, borrowed; "" when it is not there, or is no string. */
static inline const char *json_text(const struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

/* The number at a key; 0 when it is not there. */
static inline uint64_t json_number(const struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v) : 0;
}

/* Whether an object has the key, and its value is true. */
static inline bool json_flag(const struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) && json_object_get_boolean(v);
}
