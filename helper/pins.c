/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "helper/payload.h"
#include "helper/state.h"
#include "lib/caps.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/paths.h"

/* The BPF file system's root; -ENOENT when there is none. */
static int open_bpffs(struct updater *u)
{
	static const char *const places[] = { SR_BPFFS_BOUND, SR_BPFFS };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		_cleanup_close_ int fd = fs_open_dir(u->rootfd, places[i], true, NULL);
		struct statfs fs;

		if (fd >= 0 && fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC)
			return steal_fd(&fd);
	}
	return -ENOENT;
}

/* SR_BPFFS_DIR in it. */
static int open_parent(struct updater *u, bool make)
{
	_cleanup_close_ int bpffs = open_bpffs(u);
	int fd;

	if (bpffs < 0)
		return bpffs;
	if (make && mkdirat(bpffs, SR_BPFFS_DIR, 0755) < 0 && errno != EEXIST)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR ": cannot make it: %s", strerror(errno));
	fd = openat(bpffs, SR_BPFFS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR ": %s", strerror(errno));
	return fd < 0 ? -ENOENT : fd;
}

int pins_make(struct updater *u, const struct manifest *m)
{
	const char *user = m->requires.run_as ? m->requires.run_as : SR_USER;
	_cleanup_close_ int parent = -1;
	uid_t uid;
	gid_t gid;

	if (!(m->requires.os_capabilities & (caps_mask)1 << caps_from_name("cap_bpf")))
		return 0;
	parent = open_parent(u, true);
	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	if (fs_lookup_user(u->root, user, &uid, &gid) < 0)
		return error_set(&u->err, -EPERM, "%s: run_as: there is no user %s: systemd-sysusers makes it", m->id, user);
	if (mkdirat(parent, m->id, 0700) < 0 && errno != EEXIST)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR "/%s: cannot make it: %s", m->id, strerror(errno));
	if (fchownat(parent, m->id, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR "/%s: cannot set its owner: %s", m->id, strerror(errno));
	return 0;
}

int pins_make_again(struct updater *u, const char *id)
{
	_cleanup_close_ int bpffs = open_bpffs(u), parent = -1;
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	struct state s;
	struct stat st;

	if (bpffs < 0)
		return bpffs == -ENOENT ? 0 : bpffs;
	parent = open_parent(u, false);
	if (parent >= 0 && fstatat(parent, id, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	if (state_read(u, id, &s) < 0 || !s.activated || payload_open(u, id, s.label, &p) < 0) {
		u->err.text[0] = '\0'; /* others complain of that */
		return 0;
	}
	return pins_make(u, &p.manifest);
}

int pins_remove(struct updater *u, const char *id)
{
	_cleanup_close_ int parent = open_parent(u, false), run = -1, bpffs = -1;
	struct stat st;
	char path[256];
	int r;

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	/* Root without CAP_DAC_OVERRIDE opens only its own. */
	if (fstatat(parent, id, &st, AT_SYMLINK_NOFOLLOW) == 0 && fchownat(parent, id, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR "/%s: cannot set its owner: %s", id, strerror(errno));
	r = fs_remove_tree(parent, id, &u->err);
	if (r < 0)
		return r;
	bpffs = open_bpffs(u);
	if (bpffs >= 0)
		(void)unlinkat(bpffs, SR_BPFFS_DIR, AT_REMOVEDIR); /* unless another add-on has something there */
	(void)snprintf(path, sizeof(path), SR_RUN "/%s", id);
	run = fs_open_dir(u->rootfd, path, false, NULL);
	if (run >= 0)
		(void)unlinkat(run, "bpf", AT_REMOVEDIR); /* what systemd made to mount it on */
	return 0;
}
