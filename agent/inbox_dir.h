/* SPDX-License-Identifier: Apache-2.0 */
/* The directories of a spool: where an add-on leaves files, and beside them the agent's own: those that are being handed over, the
 * last ones that were, and those that were set aside. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

#define INBOX_NAME_BYTES 256

/* How much waits while no sink takes events; how much is kept of what was ingested, and of what was set aside. */
#define INBOX_WAITING_FILES    1000u
#define INBOX_WAITING_BYTES    (64u * 1024 * 1024)
#define INBOX_INGESTED_FILES   8u
#define INBOX_QUARANTINE_FILES 16u
#define INBOX_QUARANTINE_BYTES (16u * 1024 * 1024)

struct inbox_dir {
	int fd, taken, ingested, quarantine;
	uid_t owner; /* of the add-on's files */
};

struct inbox_names {
	char (*v)[INBOX_NAME_BYTES];
	size_t n;
};

/* Opens SR_SPOOL/ID, whose owner must be `owner`, and the three below it, which are made when they are missing and must be the
 * caller's alone. -errno with `err`. */
int inbox_dir_open(int rootfd, const char *id, uid_t owner, struct inbox_dir *out, struct error *err);
void inbox_dir_close(struct inbox_dir *d);

/* The names in one of them, in their order; names that begin with a dot and directories are left out. A list of
 * at most 4096. */
int inbox_dir_list(int fd, struct inbox_names *out);

/* Moves an entry from one to another. */
int inbox_dir_move(int from, int to, const char *name, struct error *err);

/* Removes the oldest until at most `files` and `bytes` are left. Returns how many were removed. */
unsigned inbox_dir_prune(int fd, unsigned files, uint64_t bytes);
