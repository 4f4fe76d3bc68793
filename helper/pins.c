/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "helper/payload.h"
#include "helper/state.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/paths.h"

/* The BPF file system's root, if it can be written; -ENOENT. */
static int open_bpffs(struct updater *u)
{
	static const char *const places[] = { SR_BPFFS_BOUND, SR_BPFFS };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		_cleanup_close_ int fd = fs_open_dir(u->rootfd, places[i], true, NULL);
		struct statfs fs;

		if (fd >= 0 && fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC && !(fs.f_flags & ST_RDONLY))
			return steal_fd(&fd);
	}
	return -ENOENT;
}

/* SR_BPFFS_DIR in it; -ENOENT. */
static int open_parent(struct updater *u, int bpffs)
{
	int fd = openat(bpffs, SR_BPFFS_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno == ENOENT)
		return fd >= 0 ? fd : -ENOENT;
	return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR ": %s", strerror(errno));
}

static int make(struct updater *u, int bpffs, const struct manifest *m)
{
	_cleanup_close_ int parent = -1;
	uid_t uid;
	gid_t gid;

	if (manifest_lookup_user(m, u->root, &uid, &gid, &u->err) < 0)
		return -EPERM;
	if (mkdirat(bpffs, SR_BPFFS_DIR, 0755) < 0 && errno != EEXIST)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR ": cannot make it: %s", strerror(errno));
	parent = open_parent(u, bpffs);
	if (parent < 0)
		return parent;
	if (mkdirat(parent, m->id, 0700) < 0 && errno != EEXIST)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR "/%s: cannot make it: %s", m->id, strerror(errno));
	if (fchownat(parent, m->id, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(&u->err, -errno, SR_BPFFS "/" SR_BPFFS_DIR "/%s: cannot set its owner: %s", m->id, strerror(errno));
	return 0;
}

int pins_make(struct updater *u, const struct manifest *m)
{
	_cleanup_close_ int bpffs = manifest_declares(m, "cap_bpf") ? open_bpffs(u) : -ENOENT;

	return bpffs < 0 ? 0 : make(u, bpffs, m);
}

int pins_make_again(struct updater *u, const char *id)
{
	_cleanup_close_ int bpffs = open_bpffs(u), parent = bpffs < 0 ? -ENOENT : open_parent(u, bpffs);
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	struct state s;
	struct stat st;

	if (bpffs < 0 || (parent >= 0 && fstatat(parent, id, &st, AT_SYMLINK_NOFOLLOW) == 0))
		return 0;
	if (state_read(u, id, &s) < 0 || !s.activated || payload_open(u, id, s.label, &p) < 0) {
		u->err.text[0] = '\0'; /* others complain of that */
		return 0;
	}
	return manifest_declares(&p.manifest, "cap_bpf") ? make(u, bpffs, &p.manifest) : 0;
}

int pins_remove(struct updater *u, const char *id)
{
	_cleanup_close_ int bpffs = open_bpffs(u), parent = bpffs < 0 ? -ENOENT : open_parent(u, bpffs), run = -1;
	char path[256];
	int r;

	if (parent < 0)
		return parent == -ENOENT ? 0 : parent;
	r = fs_remove_tree(parent, id, &u->err);
	if (r < 0)
		return r;
	(void)unlinkat(bpffs, SR_BPFFS_DIR, AT_REMOVEDIR); /* unless another add-on has something there */
	(void)snprintf(path, sizeof(path), SR_RUN "/%s", id);
	run = fs_open_dir(u->rootfd, path, false, NULL);
	if (run >= 0)
		(void)unlinkat(run, "bpf", AT_REMOVEDIR); /* what systemd made to mount it on */
	return 0;
}
