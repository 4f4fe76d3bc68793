/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of events. In a sink's queue a record's type is one of these, and its bytes are the packed message; of STREAM_ADDON_RECORD,
 * the JSON text. The numbers are on disk: never change one. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

enum stream {
	STREAM_FLOW_ATTRIBUTION = 1,
	STREAM_DPI,
	STREAM_FINGERPRINT,
	STREAM_FLOW_RECORD,
	STREAM_PROCESS_SNAPSHOT,
	STREAM_ADDON_RECORD,
	STREAMS, /* one more than the last */
};

/* As in the "type" of its JSON; NULL for a number that is none. */
const char *stream_name(uint32_t stream);

/* 0: none of that name. */
enum stream stream_parse(const char *name);

/* NULL for a number that is none, and for STREAM_ADDON_RECORD. */
const ProtobufCMessageDescriptor *stream_descriptor(uint32_t stream);
