/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON mapping of Protocol Buffers (protobuf.dev, "ProtoJSON Format"), by protobuf-c's descriptors. */
#pragma once

#include <json-c/json.h>
#include <protobuf-c/protobuf-c.h>

#include "lib/error.h"

/* A message as a JSON object owned by the caller: lowerCamelCase names, 64-bit integers as decimal strings, enums by
 * name, bytes in base64. Numbers and booleans are always there; empty strings, empty lists and messages that are not
 * set are left out. NULL without memory. */
struct json_object *protojson_from_message(const ProtobufCMessage *message);

/* The same as one line of text without spaces, into `out` of `size` bytes: the form of JSON_C_TO_STRING_PLAIN |
 * JSON_C_TO_STRING_NOSLASHESCAPE, and with a last key "type" unless `type` is NULL. Many times as fast: no object is made. Returns
 * the length without its NUL, or -EMSGSIZE; -ENOTSUP for a message with bytes, enums or doubles. */
int protojson_print(const ProtobufCMessage *message, const char *type, char *out, size_t size);

/* The same of any message, at whatever length: printed where that can be done, by way of an object else. */
struct protojson_line {
	struct json_object *object;
	char text[4096];
};

/* The text, borrowed from *line, and its length without the NUL; NULL without memory, with *length 0. protojson_line_free in either case. */
const char *protojson_line(struct protojson_line *line, const ProtobufCMessage *message, const char *type, size_t *length);
void protojson_line_free(struct protojson_line *line);

/* A JSON object to a message; names in lowerCamelCase or as in the .proto file. Unknown keys, wrong types, numbers out
 * of range: -EINVAL naming the key and value. Free with protobuf_c_message_free_unpacked(*out, NULL). */
int protojson_to_message(struct json_object *object, const ProtobufCMessageDescriptor *descriptor,
			 ProtobufCMessage **out, struct error *err);
