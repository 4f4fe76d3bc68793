/* SPDX-License-Identifier: Apache-2.0 */
/* The event file: one JSON object a line, rotated. What it cannot take, because its disk is full or not there, waits in a queue on disk and
 * is written first when it can be. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/sink.h"
#include "lib/diskqueue.h"

#define EVENT_FILE_BYTES (10u * 1024 * 1024) /* unless configured otherwise */
#define EVENT_FILES      3u                  /* events.ndjson, .1, .2 */

struct event_file {
	bool on;
	int rootfd;
	const char *path;     /* below rootfd */
	off_t limit;          /* a file is rotated before it would grow past this */
	unsigned files;       /* that are kept, the present one included */
	int fd;
	off_t size;
	char *buf;            /* lines not yet written */
	size_t used, capacity;
	uint64_t lines;       /* in buf */
	uint64_t retry_us;    /* CLOCK_MONOTONIC: no attempt to write what waits before this */

	/* While queued: records of whole lines, of type how many, in the order in which they are to be written. */
	bool queued;
	struct diskqueue in;
	struct diskqueue_reader out;

	uint64_t written, dropped; /* events */
	uint64_t lost_bytes;  /* of queues that are done with */
	uint64_t mark;        /* sinks.c */
	bool dropping;        /* which was logged */
	int last_error;       /* errno that was logged last; 0 when all is well */
	char error[96];       /* "": all is well */
};

/* `path` and `rootfd` are borrowed. Off at first. */
void event_file_init(struct event_file *f, int rootfd, const char *path);

/* On or off, limit and number of files; what is in memory is written first. What waits from before is taken up. */
void event_file_configure(struct event_file *f, bool on, off_t limit, unsigned files);

/* Takes one event: the message's JSON with an added "type". It may stay in memory until event_file_flush. */
void event_file_message(struct event_file *f, const char *type, const ProtobufCMessage *m);

/* The same of an event that is JSON already, without an end of line; `text` NULL: there was no memory for it, which is counted. */
void event_file_line(struct event_file *f, const char *text, size_t length);

/* Writes some of what waits, then what is in memory. Whole lines only: what does not fit is taken back and waits; what the queue cannot take
 * either is counted as dropped. */
void event_file_flush(struct event_file *f);

/* When event_file_flush is to be called whether there are events or not, CLOCK_MONOTONIC; 0: need not be. */
uint64_t event_file_due(const struct event_file *f);

/* Its texts are borrowed. */
struct sink_status event_file_status(const struct event_file *f);

void event_file_close(struct event_file *f);
