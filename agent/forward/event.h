/* SPDX-License-Identifier: Apache-2.0 */
/* A record of a queue as JSON, for destinations that take text. */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "lib/diskqueue.h"

struct event {
	const char *type;           /* "flow_record", … */
	struct json_object *object; /* with its "type", as the event file has it; owned */
	int64_t at_ns;              /* when it was observed, UNIX time; now when it does not say */
};

/* -EBADMSG for bytes that are none of their type. */
int event_decode(const struct diskqueue_record *record, struct event *out);

/* The object as one line without its end. Borrowed from it; NULL without memory. */
const char *event_text(const struct event *e, size_t *length);

void event_free(struct event *e);
