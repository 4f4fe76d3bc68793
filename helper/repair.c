/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/manifest.h"
#include "lib/paths.h"

/* Opens a directory whose parents are root's, and makes it root's 0755. A descriptor; -ENOENT; *found set when it was not. */
static int own(struct updater *u, const char *path, bool *found)
{
	_cleanup_close_ int fd = fs_open_dir(u->rootfd, path, false, &u->err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_set(&u->err, -errno, "%s: %s", path, strerror(errno));
	if (st.st_uid == 0)
		return steal_fd(&fd);
	if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0755) < 0)
		return error_set(&u->err, -errno, "%s: owned by uid %u, and cannot be made root's: %s", path, st.st_uid, strerror(errno));
	*found = true;
	return steal_fd(&fd);
}

int repair_runtime(struct updater *u)
{
	bool found = false;
	_cleanup_close_ int fd = own(u, "/run/serviceradar", &found);

	return fd < 0 && fd != -ENOENT ? fd : 0;
}

static int discard_foreign(struct updater *u, int addons)
{
	_cleanup_close_ int fd = openat(addons, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;
	struct stat st;
	int r = dir ? 0 : -EIO;

	while (r == 0 && (errno = 0, e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(addons, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid != 0)
			r = fs_remove_tree(addons, e->d_name, &u->err);
	}
	return r == 0 && errno ? error_set(&u->err, -errno, SR_ADDONS ": cannot be read: %s", strerror(errno)) : r;
}

int repair_state(struct updater *u, bool *found)
{
	_cleanup_close_ int state = -1, addons = -1;
	bool inner = false;

	*found = false;
	state = own(u, SR_STATE, found);
	if (state >= 0)
		addons = own(u, SR_ADDONS, &inner);
	if (state < 0 || addons < 0) {
		int r = state < 0 ? state : addons;

		return r == -ENOENT ? 0 : r;
	}
	return discard_foreign(u, addons);
}
