/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/units.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/render.h"
#include "lib/fs.h"
#include "lib/paths.h"

#define UNIT_MAX_BYTES 65536

static const char *const suffixes[] = { "service", "socket" };
static const char *const wants[] = { "multi-user.target.wants", "sockets.target.wants" };

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

bool units_enabled(struct updater *u, const char *id)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, SR_UNITS_RENDERED "/multi-user.target.wants", true, NULL);
	char name[UNIT_NAME_BYTES];
	struct stat st;

	units_name(id, "service", name);
	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The text of a unit file, or NULL when there is none. */
static char *read_unit(struct updater *u, const char *dir_path, const char *name)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, dir_path, true, NULL);
	char *text = NULL;

	if (dir < 0 || fs_read_file(dir, name, UNIT_MAX_BYTES, &text, NULL, NULL) < 0)
		return NULL;
	return text;
}

static bool ours(const char *text)
{
	return strncmp(text, RENDER_MARK, strlen(RENDER_MARK)) == 0;
}

/* Removes a rendered file; a file that an administrator wrote there stays. */
static int remove_rendered(struct updater *u, const char *name, bool *changed)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, SR_UNITS_RENDERED, true, NULL);
	_cleanup_free_ char *now = read_unit(u, SR_UNITS_RENDERED, name);

	if (dir < 0 || !now || !ours(now))
		return 0;
	if (unlinkat(dir, name, 0) < 0)
		return error_set(&u->err, -errno, SR_UNITS_RENDERED "/%s: %s", name, strerror(errno));
	*changed = true;
	return 0;
}

static int install(struct updater *u, const char *name, const char *text, bool *changed)
{
	_cleanup_free_ char *packaged = read_unit(u, SR_UNITS_PACKAGED, name);
	_cleanup_free_ char *now = read_unit(u, SR_UNITS_RENDERED, name);
	_cleanup_close_ int dir = -1;

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
	_cleanup_free_ char *service = render_service(&p->manifest), *socket = render_socket(&p->manifest);
	char name[UNIT_NAME_BYTES];
	int r;

	if (!service || (p->manifest.socket.path && !socket))
		return error_set(&u->err, -ENOMEM, "out of memory");
	units_name(p->manifest.id, "service", name);
	r = install(u, name, service, changed);
	units_name(p->manifest.id, "socket", name);
	return r < 0 ? r : install(u, name, socket, changed);
}

int units_remove(struct updater *u, const char *id, bool *changed)
{
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		char name[UNIT_NAME_BYTES];

		units_name(id, suffixes[i], name);
		r = remove_rendered(u, name, changed);
	}
	return r;
}

/* What `systemctl --root enable` does for WantedBy=: a link in the target's .wants directory. */
static int link_by_hand(struct updater *u, const char *name, const char *wanted_by, bool on)
{
	_cleanup_free_ char *rendered = read_unit(u, SR_UNITS_RENDERED, name);
	_cleanup_close_ int dir = -1;
	char path[160], target[192];

	(void)snprintf(path, sizeof(path), SR_UNITS_RENDERED "/%s", wanted_by);
	dir = on ? fs_make_dirs(u->rootfd, path, 0755, &u->err) : fs_open_dir(u->rootfd, path, true, NULL);
	if (dir < 0)
		return on ? dir : 0;
	(void)snprintf(target, sizeof(target), "%s/%s", rendered ? SR_UNITS_RENDERED : SR_UNITS_PACKAGED, name);
	if (on)
		return fs_symlink_atomic(dir, name, target, &u->err);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, "%s/%s: %s", path, name, strerror(errno));
	return 0;
}

static int enable_by_hand(struct updater *u, const char *id, size_t n, bool on)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		char name[UNIT_NAME_BYTES];

		units_name(id, suffixes[i], name);
		r = link_by_hand(u, name, wants[i], on);
	}
	return r;
}

int units_enable(struct updater *u, const char *id, bool socket)
{
	char service_name[UNIT_NAME_BYTES], socket_name[UNIT_NAME_BYTES];
	const char *names[] = { service_name, socket ? socket_name : NULL, NULL };

	if (!u->online)
		return enable_by_hand(u, id, socket ? 2 : 1, true);
	units_name(id, "service", service_name);
	units_name(id, "socket", socket_name);
	return systemd_enable(u, names, true);
}

int units_disable(struct updater *u, const char *id)
{
	char service_name[UNIT_NAME_BYTES], socket_name[UNIT_NAME_BYTES];
	const char *names[] = { service_name, socket_name, NULL };
	int r = 0;

	units_name(id, "service", service_name);
	units_name(id, "socket", socket_name);
	if (u->online)
		r = systemd_enable(u, names, false);
	/* systemd does not find the links of unit files that are gone. */
	return r < 0 && r != -ENOENT ? r : enable_by_hand(u, id, 2, false);
}
