/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/intake.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib/fs.h"
#include "lib/paths.h"

#define COPY_STEP (1u << 20)

/* Nobody can open it again: it has no name, or had one only in between. */
static int nameless_file(struct updater *u)
{
	_cleanup_close_ int dir = fs_make_dirs(u->rootfd, SR_ADDONS, 0755, &u->err);
	int fd;

	if (dir < 0)
		return dir;
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) { /* the file system cannot: overlayfs before 6.1 */
		int r = fs_remove_tree(dir, UPDATER_SCRATCH, &u->err);

		if (r < 0)
			return r;
		fd = openat(dir, UPDATER_SCRATCH, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0)
			(void)unlinkat(dir, UPDATER_SCRATCH, 0);
	}
	return fd < 0 ? error_set(&u->err, -errno, SR_ADDONS ": cannot make a copy of the bundle: %s", strerror(errno)) : fd;
}

/* A file that answers when its owner likes could hold us for ever. */
static int check_input(struct updater *u)
{
	struct statfs fs;
	struct stat st;

	if (fstat(u->input.fd, &st) < 0 || fstatfs(u->input.fd, &fs) < 0)
		return error_set(&u->err, -errno, "%s: %s", u->input.name, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(&u->err, -EINVAL, "%s: not a regular file", u->input.name);
	if (fs.f_type == FUSE_SUPER_MAGIC)
		return error_set(&u->err, -EPERM, "%s: on a FUSE file system: copy it to a disk first", u->input.name);
	if ((uint64_t)st.st_size > BUNDLE_PACKED_BYTES)
		return error_set(&u->err, -EFBIG, "%s: larger than %llu bytes", u->input.name, BUNDLE_PACKED_BYTES);
	return 0;
}

static int copy_input(struct updater *u, int to)
{
	off_t from = 0;

	for (;;) {
		ssize_t n = copy_file_range(u->input.fd, &from, to, NULL, COPY_STEP, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(&u->err, -errno, "%s: cannot copy: %s", u->input.name, strerror(errno));
		if (n == 0)
			return 0;
		if ((uint64_t)from > BUNDLE_PACKED_BYTES)
			return error_set(&u->err, -EFBIG, "%s: larger than %llu bytes", u->input.name, BUNDLE_PACKED_BYTES);
	}
}

enum result intake_authenticate(struct updater *u, struct bundle *b, int *copy)
{
	_cleanup_keyring_ struct keyring keys = { 0 };
	_cleanup_close_ int fd = -1;
	int r = check_input(u);

	*copy = -1;
	updater_progress(u, NULL, "verifying", 10);
	if (r == 0)
		r = keyring_load(u->rootfd, &keys, &u->err);
	if (r == 0) {
		fd = nameless_file(u);
		r = fd < 0 ? fd : copy_input(u, fd);
	}
	if (r == 0)
		r = bundle_authenticate(fd, u->input.signature, u->input.signature_size, &keys, u->input.name, b, &u->err);
	if (r < 0) {
		u->reason = r == -EKEYREVOKED ? REASON_KEY_REVOKED : "";
		return updater_refusal(r);
	}
	*copy = steal_fd(&fd);
	return RESULT_DONE;
}

enum result intake_unpack(struct updater *u, struct bundle *b, int copy, int into)
{
	enum unsupported unsupported;
	int r;

	updater_progress(u, b->id, into < 0 ? "checking" : "unpacking", 30);
	r = bundle_unpack(copy, into, u->input.name, b, &u->err);
	if (r < 0)
		return updater_refusal(r);
	unsupported = bundle_unsupported(b, &u->err);
	u->reason = unsupported_name(unsupported);
	return unsupported == SUPPORTED ? RESULT_DONE : RESULT_REFUSED;
}
