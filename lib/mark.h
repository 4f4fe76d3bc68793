/* SPDX-License-Identifier: Apache-2.0 */
/* What tells one state of a program's file from another for whoever may not read it: size and time of the last change of its
 * content. Owner, mode and capabilities are not in it, nor the inode, which a file system in layers changes. No proof, as a digest is. */
#pragma once

#include <stdio.h>
#include <sys/stat.h>

#define BINARY_MARK_BYTES 80

static inline void binary_mark(const struct stat *st, char out[BINARY_MARK_BYTES])
{
	(void)snprintf(out, BINARY_MARK_BYTES, "%lld:%lld.%09ld", (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}
