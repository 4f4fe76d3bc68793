/* SPDX-License-Identifier: Apache-2.0 */
/* One file of a spool: JSON lines that an add-on has left (docs/addon.md, "Spool"). Nothing of it is trusted. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

#define INBOX_FILE_BYTES (1024u * 1024)
#define INBOX_FILE_LINES 10000u
#define INBOX_LINE_BYTES (16u * 1024)
#define INBOX_SUFFIX     ".jsonl"

struct inbox_file {
	char *text;   /* owned; NULL: no file */
	size_t size, offset;
	unsigned line; /* number of the line before offset */
};

/* "NAME.jsonl" of A-Za-z0-9._- that does not begin with a dot, at most 128 bytes. */
bool inbox_name_valid(const char *name);

/* Reads the file `name` of an open directory into memory and checks all of it: a regular file of `owner` with one name, at most
 * INBOX_FILE_BYTES; each line a JSON object of at most INBOX_LINE_BYTES, the last one ended by a newline, too. No link is
 * followed, and nothing that is no regular file is opened. -EBADMSG with `err` naming what is wrong, for a file that will never
 * be right; another negative errno for one that cannot be read now. */
int inbox_file_open(int dirfd, const char *name, uid_t owner, struct inbox_file *out, struct error *err);

/* The next line: 1 and the object, which the caller owns; 0 at the end; negative without memory. */
int inbox_file_next(struct inbox_file *f, struct json_object **out);

void inbox_file_close(struct inbox_file *f);
