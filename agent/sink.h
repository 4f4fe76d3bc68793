/* SPDX-License-Identifier: Apache-2.0 */
/* What sinks of every kind have in common. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SINK_QUEUE_BYTES (256u << 20) /* what may wait for file or journal; the others have their own setting */

enum sink_kind { SINK_FILE, SINK_JOURNAL, SINK_NONE };

/* How a sink fares. */
struct sink_status {
	const char *name;        /* "file", "journal", "ipfix/NAME" */
	bool connected;          /* it takes events */
	uint64_t delivered;      /* events */
	uint64_t waiting_bytes;
	uint64_t dropped;        /* events that found no room */
	uint64_t refused;        /* events that its other end does not want */
	uint64_t lost_bytes;     /* of its queue, damaged */
	const char *error;       /* "": none */
};

/* "file", "journal", "none". -EINVAL. */
int sink_kind_parse(const char *s, enum sink_kind *out);

/* The directory of a sink's queue, below rootfd; `create` makes it. A descriptor that is the caller's, or a negative errno. */
int sink_queue_dir(int rootfd, const char *name, bool create);

/* Removes that directory, unless something waits in it. */
void sink_queue_remove(int rootfd, const char *name);
