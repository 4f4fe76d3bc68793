/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of records in a directory of its own: one process appends, another takes away, and each may die at any moment.
 *
 * The records lie in segments, NNNNNNNNNNNNNNNN.q (hexadecimal, rising), of the header SRQUEUE1 and then for each record length, type and
 * CRC-32 of length, type and bytes (32 bits each, host order), and the bytes. A segment is never appended to by a second process: who
 * opens the queue to append begins a new one, so that a record torn by a crash is the last of its segment. "cursor" holds what is
 * confirmed; segments before it are gone. What was confirmed is never read again; what was not is, so a record comes at least once. Nothing
 * is synced: what the kernel had not written yet is lost by a power failure, and only that. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

#define DISKQUEUE_RECORD_MAX  (1u << 20) /* bytes of one record */
#define DISKQUEUE_SEGMENT_MAX (4u << 20) /* and an eighth of the limit, if that is less */

/* ---- to append ---- */

struct diskqueue {
	int dir, fd;
	uint64_t segment;              /* that is written */
	uint64_t limit, segment_bytes; /* all segments; one */
	uint64_t size, used;           /* of this segment, of all; buffered bytes not counted */
	uint64_t looked_us;            /* CLOCK_MONOTONIC: when `used` was last counted */
	uint8_t *buf;
	size_t buffered, capacity;
	uint64_t buffered_records, appended, dropped; /* records */
	int last_error;                /* of the last flush: 0 or an errno */
};

/* Takes `dir`, which is this queue's alone, also when it fails. `limit` is in bytes, at least 64 KiB. */
int diskqueue_open(struct diskqueue *q, int dir, uint64_t limit, struct error *err);

/* Takes a record into memory; it is in the queue after diskqueue_flush. -ENOSPC when the limit is reached, -EMSGSIZE, -ENOMEM: then it is
 * counted as dropped. */
int diskqueue_append(struct diskqueue *q, uint32_t type, const void *bytes, size_t size);

/* Writes what is in memory: all of it, or none and it is counted as dropped. */
int diskqueue_flush(struct diskqueue *q);

void diskqueue_close(struct diskqueue *q);

/* ---- to take away ---- */

struct diskqueue_position {
	uint64_t segment, offset;
};

struct diskqueue_record {
	uint32_t type;
	size_t size;
	const uint8_t *bytes; /* until the next call for this reader */
	struct diskqueue_position at; /* its own for as long as the queue's directory lives */
};

struct diskqueue_reader {
	int dir, fd, cursor;
	struct diskqueue_position at, confirmed;
	uint8_t *buf;
	size_t start, filled, capacity;
	uint64_t lost; /* bytes of finished segments that are no records */
};

/* Takes `dir`, also when it fails. Begins behind what is confirmed. */
int diskqueue_reader_open(struct diskqueue_reader *r, int dir, struct error *err);

/* 1 and a record, 0 when there is none now, or a negative errno. */
int diskqueue_read(struct diskqueue_reader *r, struct diskqueue_record *out);

/* All records before `to`, a value that `at` had, are done with. 0 or a negative errno. */
int diskqueue_confirm(struct diskqueue_reader *r, struct diskqueue_position to);

/* Back to the first record that is not confirmed. */
void diskqueue_rewind(struct diskqueue_reader *r);

/* Bytes that are not confirmed. */
uint64_t diskqueue_waiting(const struct diskqueue_reader *r);

void diskqueue_reader_close(struct diskqueue_reader *r);

/* ---- neither ---- */

/* Empties the directory of a queue in which nothing waits, and that nobody has open; `dir` stays the caller's. -EBUSY when something waits. */
int diskqueue_clear(int dir);
