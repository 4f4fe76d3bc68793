/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/capability.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "helper/command.h"
#include "lib/fs.h"
#include "lib/paths.h"

#define STATOVERRIDE "/usr/bin/dpkg-statoverride"

const char *grant_mode_name(enum grant_mode m)
{
	static const char *const names[] = { "", "file+ambient", "ambient" };

	return names[m];
}

static int last_cap_of_kernel(void)
{
	_cleanup_free_ char *text = NULL;

	if (fs_read_file(AT_FDCWD, "/proc/sys/kernel/cap_last_cap", 64, &text, NULL, NULL) < 0)
		return -1;
	return (int)strtol(text, NULL, 10);
}

/* The mount point that holds an open file, for messages: the longest one of its device in /proc/self/mountinfo that is
 * a prefix of the path. */
static void mount_of(const char *path, char *out, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[4096], at[1024];
	size_t best = 0;

	(void)snprintf(out, size, "/");
	while (f && fgets(line, sizeof(line), f)) {
		size_t n;

		if (sscanf(line, "%*d %*d %*s %*s %1023s", at) != 1)
			continue;
		n = strlen(at);
		if (n >= best && strncmp(path, at, n) == 0 && (path[n] == '/' || path[n] == '\0')) {
			best = n;
			(void)snprintf(out, size, "%s", at);
		}
	}
}

static int check_bounds(struct updater *u, const struct manifest *m)
{
	struct caps_process init;
	int last = last_cap_of_kernel();
	caps_mask known = last < 0 || last >= 63 ? ~(caps_mask)0 : ((caps_mask)2 << last) - 1;
	caps_mask missing = m->requires.os_capabilities & ~known;
	char text[256];

	if (missing)
		return error_set(&u->err, -EPERM, "%s: this kernel does not know %s: a newer kernel is needed", m->id,
				 caps_format(missing, text, sizeof(text)));
	if (!u->online)
		return 0;
	if (caps_of_process(1, &init, &u->err) < 0)
		return -EPERM;
	missing = m->requires.os_capabilities & ~init.bounding;
	if (missing)
		return error_set(&u->err, -EPERM, "%s: %s is not in the bounding set of PID 1: this container or boot does not give it away",
				 m->id, caps_format(missing, text, sizeof(text)));
	return 0;
}

struct ownership {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* A group of the updater's root, by name or "#number". */
static int group_below(struct updater *u, const char *name, gid_t *gid)
{
	_cleanup_close_ int fd = openat(u->rootfd, "etc/group", O_RDONLY | O_CLOEXEC);
	_cleanup_fclose_ FILE *f = fdopen_steal(&fd, "r");
	const struct group *g;
	unsigned number;

	if (sscanf(name, "#%u", &number) == 1) {
		*gid = number;
		return 0;
	}
	while (f && (g = fgetgrent(f))) {
		if (strcmp(g->gr_name, name) == 0) {
			*gid = g->gr_gid;
			return 0;
		}
	}
	return -ENOENT;
}

/* What the administrator set with dpkg-statoverride(1) stands: 1 when there is such an entry, which prints as
 * "user group mode path"; 0 when there is none or no dpkg; -EPERM for one that would give the capabilities away. */
static int statoverride(struct updater *u, const char *path, struct ownership *o)
{
	const char *const argv[] = { STATOVERRIDE, "--root", u->root, "--list", path, NULL };
	char line[1024], user[64], group[64], at[512];
	unsigned mode;

	if (command_run(argv, line, sizeof(line)) != 0 ||
	    sscanf(line, "%63s %63s %o %511s", user, group, &mode, at) != 4 || strcmp(at, path) != 0)
		return 0;
	if ((strcmp(user, "root") != 0 && strcmp(user, "#0") != 0) || (mode & 07022))
		return error_set(&u->err, -EPERM,
				 "%s: dpkg-statoverride says %s %s %04o; a file with capabilities must be root's and writable by nobody else: dpkg-statoverride --remove %s",
				 path, user, group, mode, path);
	if (group_below(u, group, &o->gid) < 0)
		return error_set(&u->err, -EPERM, "%s: dpkg-statoverride names the group %s, which is not there", path, group);
	o->mode = mode;
	return 1;
}

static int wanted_ownership(struct updater *u, const struct payload *p, struct ownership *o)
{
	char path[512];
	int r;

	*o = (struct ownership){ .mode = 0750 };
	(void)snprintf(path, sizeof(path), "%s/%s", p->path, p->manifest.exec.binary);
	r = statoverride(u, path, o);
	if (r != 0)
		return r < 0 ? r : 0;
	if (strcmp(manifest_user(&p->manifest), "root") == 0)
		return 0;
	return manifest_lookup_user(&p->manifest, u->root, NULL, &o->gid, &u->err);
}

int capability_preflight(struct updater *u, const struct payload *p, enum grant_mode *mode)
{
	struct ownership owner;
	struct statvfs fs;
	caps_mask mask;
	bool effective;
	char mount[1024];
	int r = check_bounds(u, &p->manifest);

	*mode = GRANT_NONE;
	if (r == 0)
		r = wanted_ownership(u, p, &owner);
	if (r < 0)
		return r;
	if (fstatvfs(p->binary, &fs) < 0)
		return error_set(&u->err, -errno, "%s: %s", p->path, strerror(errno));
	if (fs.f_flag & ST_NOEXEC) {
		mount_of(p->path, mount, sizeof(mount));
		return error_set(&u->err, -EPERM,
				 "%s: %s is mounted noexec, nothing can be started from there: remount it with exec (mount -o remount,exec %s)",
				 p->path, mount, mount);
	}
	if (!p->manifest.requires.os_capabilities)
		return 0;
	r = caps_get_file(p->binary, &mask, &effective, NULL);
	if (r < 0 && r != -EOPNOTSUPP) /* a call that failed says nothing of the file system */
		return error_set(&u->err, r, "%s/%s: cannot read its capabilities: %s", p->path, p->manifest.exec.binary, strerror(-r));
	*mode = r < 0 || (fs.f_flag & ST_NOSUID) ? GRANT_AMBIENT : GRANT_FILE_AND_AMBIENT;
	return 0;
}

static int set_ownership(struct updater *u, const struct payload *p, const struct ownership *o)
{
	struct stat st;

	if (fstat(p->binary, &st) < 0)
		return error_set(&u->err, -errno, "%s: %s", p->path, strerror(errno));
	if ((st.st_uid != o->uid || st.st_gid != o->gid) && fchown(p->binary, o->uid, o->gid) < 0)
		return error_set(&u->err, -errno, "%s: cannot set the owner of the binary: %s", p->path, strerror(errno));
	if ((st.st_mode & 07777) != o->mode && fchmod(p->binary, o->mode) < 0)
		return error_set(&u->err, -errno, "%s: cannot set the mode of the binary: %s", p->path, strerror(errno));
	return 0;
}

int capability_grant(struct updater *u, const struct payload *p, enum grant_mode *mode)
{
	caps_mask now, want = p->manifest.requires.os_capabilities;
	struct ownership o;
	bool effective;
	int r = wanted_ownership(u, p, &o);

	if (r < 0 || *mode == GRANT_NONE)
		return r;
	r = set_ownership(u, p, &o);
	if (r == 0 && *mode == GRANT_FILE_AND_AMBIENT) {
		r = caps_get_file(p->binary, &now, &effective, &u->err);
		if (r == 0 && (now != want || !effective))
			r = caps_set_file(p->binary, want, &u->err);
	}
	if (r == -EROFS || r == -EOPNOTSUPP) { /* the unit's ambient set alone has to do */
		*mode = GRANT_AMBIENT;
		u->err.text[0] = '\0';
		return 0;
	}
	if (r == 0 && fsync(p->binary) < 0)
		return error_set(&u->err, -errno, "%s: cannot sync: %s", p->path, strerror(errno));
	return r;
}

int capability_revoke(struct updater *u, const struct payload *p)
{
	const struct ownership packaged = { .mode = 0755 };
	struct ownership o;
	caps_mask now;
	bool effective;
	int r = caps_get_file(p->binary, &now, &effective, NULL);
	char path[512];

	if (r == 0 && now)
		r = caps_set_file(p->binary, 0, &u->err);
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	(void)snprintf(path, sizeof(path), "%s/%s", p->path, p->manifest.exec.binary);
	o = packaged;
	return statoverride(u, path, &o) < 0 ? -EPERM : set_ownership(u, p, &o);
}

int capability_check_process(struct updater *u, const struct payload *p, pid_t pid)
{
	struct caps_process now;
	caps_mask missing;
	char text[256];

	if (pid <= 0)
		return error_set(&u->err, -ESRCH, "%s: the unit has no main process", p->manifest.id);
	if (caps_of_process(pid, &now, &u->err) < 0)
		return -ESRCH;
	missing = p->manifest.requires.os_capabilities & ~now.permitted;
	if (missing)
		return error_set(&u->err, -EPERM, "%s: the running process (pid %d) does not have %s", p->manifest.id, (int)pid,
				 caps_format(missing, text, sizeof(text)));
	return 0;
}
