/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/paths.h"

#define MODE 0770 /* the agent takes files away */

/* The owner last: once the directory is another's, root without CAP_FOWNER cannot set its mode any more. */
static int repair(struct updater *u, int parent, const char *id, uid_t uid, gid_t gid)
{
	_cleanup_close_ int fd = -1;

	if (fchownat(parent, id, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(&u->err, -errno, SR_SPOOL "/%s: cannot set its owner: %s", id, strerror(errno));
	fd = openat(parent, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(&u->err, errno == ENOTDIR || errno == ELOOP ? -EPERM : -errno, SR_SPOOL "/%s: %s", id, strerror(errno));
	if (fchmod(fd, MODE) < 0 || fchown(fd, uid, gid) < 0)
		return error_set(&u->err, -errno, SR_SPOOL "/%s: cannot set its owner and mode: %s", id, strerror(errno));
	return 0;
}

int spool_make(struct updater *u, const struct manifest *m)
{
	_cleanup_close_ int parent = -1;
	struct stat st;
	uid_t uid;
	gid_t gid;

	if (!m->spool_dir)
		return 0;
	if (manifest_lookup_user(m, u->root, &uid, NULL, &u->err) < 0)
		return -EPERM;
	if (fs_lookup_user(u->root, SR_USER, NULL, &gid) < 0)
		return error_set(&u->err, -EPERM, "%s: there is no user " SR_USER ": install serviceradar-agent", m->id);
	parent = fs_make_dirs(u->rootfd, SR_SPOOL, 0755, &u->err);
	if (parent < 0)
		return parent;
	if (mkdirat(parent, m->id, 0700) < 0 && errno != EEXIST)
		return error_set(&u->err, -errno, "%s: cannot make it: %s", m->spool_dir, strerror(errno));
	if (fstatat(parent, m->id, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(&u->err, -errno, "%s: %s", m->spool_dir, strerror(errno));
	if (S_ISDIR(st.st_mode) && (st.st_mode & 07777) == MODE && st.st_uid == uid && st.st_gid == gid)
		return 0;
	return repair(u, parent, m->id, uid, gid);
}

int spool_remove(struct updater *u, const char *id)
{
	_cleanup_close_ int parent = fs_open_dir(u->rootfd, SR_SPOOL, true, NULL);

	return parent < 0 ? 0 : fs_remove_tree(parent, id, &u->err); /* there may never have been one */
}
