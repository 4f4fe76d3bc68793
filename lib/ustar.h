/* SPDX-License-Identifier: Apache-2.0 */
/* A reader of strict ustar archives (POSIX.1-1988, IEEE Std 1003.1 "pax": ustar Interchange Format) compressed by gzip. It
 * knows regular files only: links, devices, directories, pax and GNU extensions are errors, not skipped. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct ustar_limits {
	uint64_t packed, unpacked; /* bytes; of the compressed file, and of everything that comes out of it */
	unsigned entries;
};

struct ustar_entry {
	char name[101];
	unsigned mode; /* permission bits with setuid, setgid, sticky */
	uint64_t size;
};

/* Called in the order of the archive; a negative result ends the reading and is returned. */
struct ustar_sink {
	int (*begin)(void *arg, const struct ustar_entry *e, struct error *err);
	int (*data)(void *arg, const void *data, size_t size, struct error *err);
	int (*end)(void *arg, struct error *err);
	void *arg;
};

/* Reads the open file from its start; its offset is left alone. Refuses (-EINVAL, and a line naming `where`, the entry and the
 * field): a header with a wrong checksum, magic, version, type, or with a number that is not plain octal; anything in the name
 * prefix or the link name; bytes that are not zero in padding; an end that is not exactly two zero blocks; a second gzip member
 * or anything after the first. -EFBIG past a limit. Memory does not depend on the archive. */
int ustar_read(int fd, const char *where, const struct ustar_limits *limits, const struct ustar_sink *sink, struct error *err);
