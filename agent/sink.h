/* SPDX-License-Identifier: Apache-2.0 */
/* Where ingested events go: a file of one JSON object a line that is rotated, the journal, or nowhere. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/np.h"
#include "lib/error.h"

#define SINK_FILE_BYTES (10u * 1024 * 1024) /* unless configured otherwise */
#define SINK_FILES      3u                  /* events.ndjson, .1, .2 */

enum sink_kind { SINK_FILE, SINK_JOURNAL, SINK_NONE };

struct sink {
	enum sink_kind kind;
	int rootfd;
	const char *path;     /* below rootfd */
	off_t limit;          /* a file is rotated before it would grow past this */
	unsigned files;       /* that are kept, the present one included */
	int fd;
	off_t size;
	char *buf;            /* lines not yet written */
	size_t used, capacity;
	uint64_t lines;       /* in buf */
	uint64_t written, dropped; /* events */
	uint64_t mark;        /* sinks.c */
	int last_error;       /* errno that was logged last; 0 when all is well */
	uint64_t retry_us;    /* CLOCK_MONOTONIC: no attempt to open before this */
};

/* How a sink of any kind fares. */
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

int sink_kind_parse(const char *s, enum sink_kind *out);

/* `path` and `rootfd` are borrowed. */
void sink_init(struct sink *s, enum sink_kind kind, int rootfd, const char *path);

/* Changes kind, limit and number of files; what is in memory is written first. */
void sink_configure(struct sink *s, enum sink_kind kind, off_t limit, unsigned files);

/* Takes one event. It may stay in memory until sink_flush. */
void sink_event(struct sink *s, const NpFlowEvent *e);

/* The same of a message of another kind: its JSON with an added "type". */
void sink_message(struct sink *s, const char *type, const ProtobufCMessage *m);

/* The same of a record that an add-on has left in its spool: `object` with an added "type". It stays the caller's. */
void sink_record(struct sink *s, const char *type, struct json_object *object);

/* Writes what is in memory. Whole lines only: what does not fit on the disk is taken back and counted as dropped. */
void sink_flush(struct sink *s);

void sink_close(struct sink *s);
