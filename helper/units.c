/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/render.h"
#include "lib/fs.h"
#include "lib/paths.h"

#define UNIT_MAX_BYTES 65536

const char *const unit_suffix[UNIT_KINDS] = { "service", "socket", "timer" };
static const char *const wants[UNIT_KINDS] = { "multi-user.target.wants", "sockets.target.wants", "timers.target.wants" };

void units_name(const char *id, const char *suffix, char out[UNIT_NAME_BYTES])
{
	(void)snprintf(out, UNIT_NAME_BYTES, SR_UNIT_PREFIX "%s.%s", id, suffix);
}

static bool masked_in(struct updater *u, const char *dir_path, const char *name)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, dir_path, true, NULL);
	char target[64];
	ssize_t n = dir < 0 ? -1 : readlinkat(dir, name, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	return strcmp(target, "/dev/null") == 0;
}

bool units_masked(struct updater *u, const char *id)
{
	char name[UNIT_NAME_BYTES];

	units_name(id, "service", name);
	return masked_in(u, SR_UNITS_RENDERED, name) || masked_in(u, "/run/systemd/system", name);
}

static bool linked(struct updater *u, const char *id, enum unit_kind k)
{
	_cleanup_close_ int dir = -1;
	char name[UNIT_NAME_BYTES], path[160];
	struct stat st;

	(void)snprintf(path, sizeof(path), SR_UNITS_RENDERED "/%s", wants[k]);
	dir = fs_open_dir(u->rootfd, path, true, NULL);
	units_name(id, unit_suffix[k], name);
	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool units_enabled(struct updater *u, const char *id)
{
	return linked(u, id, UNIT_SERVICE) || linked(u, id, UNIT_TIMER);
}

/* The text of a unit file; *text is NULL when there is none, or a link that masks it. */
static int read_unit(struct updater *u, const char *dir_path, const char *name, char **text)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, dir_path, true, &u->err);
	int r = dir < 0 ? dir : fs_read_file(dir, name, UNIT_MAX_BYTES, text, NULL, &u->err);

	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static bool ours(const char *text)
{
	return strncmp(text, RENDER_MARK, strlen(RENDER_MARK)) == 0;
}

/* Removes a rendered file; a file that an administrator wrote there stays. */
static int remove_rendered(struct updater *u, const char *name, bool *changed)
{
	_cleanup_close_ int dir = -1;
	_cleanup_free_ char *now = NULL;
	int r = read_unit(u, SR_UNITS_RENDERED, name, &now);

	if (r < 0 || !now || !ours(now))
		return r;
	dir = fs_open_dir(u->rootfd, SR_UNITS_RENDERED, true, &u->err);
	if (dir < 0)
		return dir;
	if (unlinkat(dir, name, 0) < 0)
		return error_set(&u->err, -errno, SR_UNITS_RENDERED "/%s: %s", name, strerror(errno));
	*changed = true;
	return 0;
}

static int install(struct updater *u, const char *name, const char *text, bool *changed)
{
	_cleanup_free_ char *packaged = NULL, *now = NULL;
	_cleanup_close_ int dir = -1;
	int r = read_unit(u, SR_UNITS_PACKAGED, name, &packaged);

	if (r == 0)
		r = read_unit(u, SR_UNITS_RENDERED, name, &now);
	if (r < 0)
		return r;
	if (!text || (packaged && strcmp(packaged, text) == 0))
		return remove_rendered(u, name, changed);
	if (now && (strcmp(now, text) == 0 || !ours(now)))
		return 0;
	dir = fs_make_dirs(u->rootfd, SR_UNITS_RENDERED, 0755, &u->err);
	if (dir < 0)
		return dir;
	*changed = true;
	return fs_write_atomic(dir, name, text, strlen(text), 0644, (uid_t)-1, (gid_t)-1, &u->err);
}

int units_install(struct updater *u, const struct payload *p, bool *changed)
{
	int r = 0;

	for (enum unit_kind k = UNIT_SERVICE; r == 0 && k < UNIT_KINDS; k++) {
		_cleanup_free_ char *text = render_unit(&p->manifest, unit_suffix[k]);
		char name[UNIT_NAME_BYTES];

		if (!text)
			return error_set(&u->err, -ENOMEM, "out of memory");
		units_name(p->manifest.id, unit_suffix[k], name);
		r = install(u, name, *text ? text : NULL, changed);
	}
	return r;
}

int units_remove(struct updater *u, const char *id, bool *changed)
{
	int r = 0;

	for (enum unit_kind k = UNIT_SERVICE; r == 0 && k < UNIT_KINDS; k++) {
		char name[UNIT_NAME_BYTES];

		units_name(id, unit_suffix[k], name);
		r = remove_rendered(u, name, changed);
	}
	return r;
}

static int sweep(struct updater *u, const char *path)
{
	_cleanup_close_ int fd = fs_open_dir(u->rootfd, path, true, &u->err);
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *e;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir_steal(&fd);
	if (!dir)
		return error_set(&u->err, -errno, "%s: %s", path, strerror(errno));
	while ((e = readdir(dir)))
		if (strncmp(e->d_name, "." SR_UNIT_PREFIX, strlen("." SR_UNIT_PREFIX)) == 0 && fs_temporary(e->d_name) &&
		    unlinkat(dirfd(dir), e->d_name, 0) < 0)
			return error_set(&u->err, -errno, "%s/%s: cannot remove: %s", path, e->d_name, strerror(errno));
	return 0;
}

int units_sweep(struct updater *u)
{
	int r = sweep(u, SR_UNITS_RENDERED);

	for (enum unit_kind k = UNIT_SERVICE; r == 0 && k < UNIT_KINDS; k++) {
		char path[160];

		(void)snprintf(path, sizeof(path), SR_UNITS_RENDERED "/%s", wants[k]);
		r = sweep(u, path);
	}
	return r;
}

/* As systemctl does when it has removed the last link. */
static int forget_empty(struct updater *u, const char *wanted_by)
{
	_cleanup_close_ int units = fs_open_dir(u->rootfd, SR_UNITS_RENDERED, true, &u->err);

	if (units < 0)
		return units;
	if (unlinkat(units, wanted_by, AT_REMOVEDIR) < 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST && errno != EROFS)
		return error_set(&u->err, -errno, SR_UNITS_RENDERED "/%s: %s", wanted_by, strerror(errno));
	return 0;
}

/* What `systemctl --root enable` does for WantedBy=: a link in the target's .wants directory. */
static int link_by_hand(struct updater *u, const char *name, const char *wanted_by, bool on)
{
	_cleanup_free_ char *rendered = NULL;
	_cleanup_close_ int dir = -1;
	char path[160], target[192];
	struct stat st;
	int r = on ? read_unit(u, SR_UNITS_RENDERED, name, &rendered) : 0;

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), SR_UNITS_RENDERED "/%s", wanted_by);
	dir = on ? fs_make_dirs(u->rootfd, path, 0755, &u->err) : fs_open_dir(u->rootfd, path, true, &u->err);
	if (dir < 0)
		return on || dir != -ENOENT ? dir : 0;
	(void)snprintf(target, sizeof(target), "%s/%s", rendered ? SR_UNITS_RENDERED : SR_UNITS_PACKAGED, name);
	if (on)
		return fs_symlink_atomic(dir, name, target, &u->err);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) /* a read-only file system would not say so */
		return forget_empty(u, wanted_by);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, "%s/%s: %s", path, name, strerror(errno));
	return forget_empty(u, wanted_by);
}

static bool wanted(const struct payload *p, enum unit_kind k)
{
	bool timer = p->manifest.supervision == SUPERVISION_SYSTEMD_TIMER;

	if (!manifest_has_unit(&p->manifest))
		return false;
	if (k == UNIT_SOCKET)
		return p->manifest.socket.path != NULL;
	return timer == (k == UNIT_TIMER);
}

int units_enable(struct updater *u, const struct payload *p)
{
	char names[UNIT_KINDS][UNIT_NAME_BYTES];
	const char *on[UNIT_KINDS + 1] = { NULL };
	size_t n = 0;
	int r = 0;

	for (enum unit_kind k = UNIT_SERVICE; r == 0 && k < UNIT_KINDS; k++) {
		units_name(p->manifest.id, unit_suffix[k], names[k]);
		if (wanted(p, k))
			on[n++] = names[k];
		if (!wanted(p, k) || !u->online)
			r = link_by_hand(u, names[k], wants[k], wanted(p, k));
	}
	return r < 0 || !u->online || n == 0 ? r : systemd_enable(u, on, true);
}

int units_disable(struct updater *u, const char *id)
{
	char names[UNIT_KINDS][UNIT_NAME_BYTES];
	const char *all[UNIT_KINDS + 1] = { NULL };
	int r = 0;

	for (enum unit_kind k = UNIT_SERVICE; k < UNIT_KINDS; k++) {
		units_name(id, unit_suffix[k], names[k]);
		all[k] = names[k];
	}
	if (u->online)
		r = systemd_enable(u, all, false);
	if (r == -ENOENT)
		r = 0;
	/* systemd does not find the links of unit files that are gone. */
	for (enum unit_kind k = UNIT_SERVICE; r == 0 && k < UNIT_KINDS; k++)
		r = link_by_hand(u, names[k], wants[k], false);
	return r;
}

int units_set_enabled(struct updater *u, const char *id, bool on)
{
	char name[UNIT_NAME_BYTES];
	const char *const one[] = { name, NULL };

	if (units_masked(u, id))
		return 0;
	units_name(id, unit_suffix[UNIT_SERVICE], name);
	return u->online ? systemd_enable(u, one, on) : link_by_hand(u, name, wants[UNIT_SERVICE], on);
}
