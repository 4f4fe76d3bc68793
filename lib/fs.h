/* SPDX-License-Identifier: Apache-2.0 */
/* Files by descriptor: opened step by step without following links, written whole or not at all. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/error.h"

/* Opens the directory `path` (absolute; taken as below `rootfd`) component by component with O_NOFOLLOW, and returns
 * an O_DIRECTORY descriptor. With `trusted` every directory on the way must be owned by root and not be writable by
 * group or others (sticky directories excepted): -EPERM else. "..", "." and empty components: -EINVAL. A component
 * that is a symbolic link: -ELOOP, except that a root-owned one directly below `rootfd` (merged /usr: /lib, /sbin, …)
 * whose target is a relative path is followed. */
int fs_open_dir(int rootfd, const char *path, bool trusted, struct error *err);

/* As fs_open_dir, making missing directories root-owned with `mode`. */
int fs_make_dirs(int rootfd, const char *path, mode_t mode, struct error *err);

/* Opens a regular file in `dirfd` for reading: O_NOFOLLOW, O_CLOEXEC, O_NONBLOCK; anything but a regular file -EINVAL.
 * `shown` is the name used in messages. */
int fs_open_file(int dirfd, const char *name, const char *shown, struct error *err);

/* Reads a whole regular file of at most `limit` bytes. *data is malloc'd and NUL-terminated (the NUL not counted in
 * *size). -EFBIG above the limit, -ENOENT when it is not there (a message is set). `path` may be relative to `dirfd`. */
int fs_read_file(int dirfd, const char *path, size_t limit, char **data, size_t *size, struct error *err);

/* As fs_read_file, of a file that is open, from where its offset is; `shown` is the name used in messages. Needs no /proc. */
int fs_read_fd(int fd, const char *shown, size_t limit, char **data, size_t *size, struct error *err);

/* Writes all of it. 0, or a negative errno; how much was written is in *done, which may be NULL. */
int fs_write_all(int fd, const void *data, size_t size, size_t *done);

/* Replaces `name` in `dirfd` atomically: written under a temporary name, mode and owner set (uid or gid (…)-1: left),
 * fsynced, renamed, directory fsynced. Nothing of it is left after a failure. */
int fs_write_atomic(int dirfd, const char *name, const void *data, size_t size, mode_t mode, uid_t uid, gid_t gid,
		    struct error *err);

/* Makes or moves the symbolic link `name` in `dirfd` to `target` by one rename. No change if it is right already. */
int fs_symlink_atomic(int dirfd, const char *name, const char *target, struct error *err);

/* SHA-256 of an open file from its start, as 64 hex digits and a NUL; the file offset is left alone. */
int fs_sha256_fd(int fd, char hex[65], struct error *err);

/* uid and gid of a system account from ROOT/etc/passwd and ROOT/etc/group when root is not "/", by getpwnam else.
 * -ENOENT when there is none. Either out pointer may be NULL. */
int fs_lookup_user(const char *root, const char *name, uid_t *uid, gid_t *gid);

/* Removes `name` in `dirfd`, a file or a directory with all in it; links are not followed. Called by root, each directory becomes root's
 * first: without CAP_DAC_OVERRIDE root can empty no other. 0 also when it is not there. */
int fs_remove_tree(int dirfd, const char *name, struct error *err);

/* Whether `name` is one that fs_write_atomic or fs_symlink_atomic writes under before it renames. */
bool fs_temporary(const char *name);
