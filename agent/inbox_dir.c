/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/inbox_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/paths.h"

static int open_own(int parent, const char *id, const char *name, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, SR_SPOOL "/%s/%s: cannot be made: %s", id, name, strerror(errno));
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, SR_SPOOL "/%s/%s: %s", id, name, strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return error_set(err, -EPERM, SR_SPOOL "/%s/%s: owned by uid %u, mode %04o; it must be the agent's alone: remove it", id, name,
				 st.st_uid, st.st_mode & 07777u);
	return steal_fd(&fd);
}

int inbox_dir_open(int rootfd, const char *id, uid_t owner, struct inbox_dir *out, struct error *err)
{
	struct inbox_dir d = { -1, -1, -1, -1, owner };
	struct stat st;
	char path[160];
	int r = 0;

	(void)snprintf(path, sizeof(path), SR_SPOOL "/%s", id);
	d.fd = fs_open_dir(rootfd, path, false, err);
	if (d.fd < 0)
		return d.fd;
	if (fstat(d.fd, &st) < 0)
		r = error_set(err, -errno, "%s: %s", path, strerror(errno));
	else if (st.st_uid != owner || (st.st_mode & 02))
		r = error_set(err, -EPERM, "%s: owned by uid %u, mode %04o; it must be the add-on's (uid %u), and writable by no others", path,
			      st.st_uid, st.st_mode & 07777u, owner);
	if (r == 0)
		r = d.taken = open_own(d.fd, id, "taken", err);
	if (r >= 0)
		r = d.ingested = open_own(d.fd, id, "ingested", err);
	if (r >= 0)
		r = d.quarantine = open_own(d.fd, id, "quarantine", err);
	if (r < 0)
		inbox_dir_close(&d);
	*out = d;
	return r < 0 ? r : 0;
}

void inbox_dir_close(struct inbox_dir *d)
{
	int *const fds[] = { &d->fd, &d->taken, &d->ingested, &d->quarantine };

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

#define ENTRIES_MAX 4096 /* of one look; the rest comes with the next */

struct entry {
	char name[INBOX_NAME_BYTES];
	struct timespec changed;
	off_t size;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* A rename is a change of the entry. */
static int by_change(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->changed.tv_sec != y->changed.tv_sec)
		return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
	if (x->changed.tv_nsec != y->changed.tv_nsec)
		return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1;
	return by_name(a, b);
}

static int add(struct entry **v, size_t *n, size_t *room, const char *name, const struct stat *st)
{
	if (*n == *room) {
		size_t more = *room ? *room * 2 : 16;
		struct entry *bigger = reallocarray(*v, more, sizeof(**v));

		if (!bigger)
			return -ENOMEM;
		*v = bigger;
		*room = more;
	}
	(*v)[*n] = (struct entry){ .changed = st->st_ctim, .size = st->st_size };
	(void)snprintf((*v)[*n].name, sizeof((*v)[*n].name), "%s", name);
	(*n)++;
	return 0;
}

static int collect(int fd, struct entry **out, size_t *n)
{
	_cleanup_close_ int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&again);
	_cleanup_free_ struct entry *v = NULL;
	const struct dirent *e;
	size_t room = 0;
	struct stat st;
	int r = 0;

	*out = NULL;
	*n = 0;
	if (!dir)
		return -errno;
	while (r == 0 && *n < ENTRIES_MAX && (e = readdir(dir)))
		if (e->d_name[0] != '.' && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
			r = add(&v, n, &room, e->d_name, &st);
	if (r == 0)
		*out = steal_ptr(&v);
	return r;
}

int inbox_dir_list(int fd, struct inbox_names *out)
{
	_cleanup_free_ struct entry *v = NULL;
	size_t n;
	int r = collect(fd, &v, &n);

	*out = (struct inbox_names){ NULL, 0 };
	if (r < 0 || n == 0)
		return r;
	qsort(v, n, sizeof(*v), by_name);
	out->v = calloc(n, sizeof(*out->v));
	if (!out->v)
		return -ENOMEM;
	for (; out->n < n; out->n++)
		memcpy(out->v[out->n], v[out->n].name, INBOX_NAME_BYTES);
	return 0;
}

int inbox_dir_move(int from, int to, const char *name, struct error *err)
{
	if (renameat(from, name, to, name) < 0)
		return error_set(err, -errno, "%s: cannot be moved: %s", name, strerror(errno));
	return 0;
}

unsigned inbox_dir_prune(int fd, unsigned files, uint64_t bytes)
{
	_cleanup_free_ struct entry *v = NULL;
	unsigned removed = 0;
	uint64_t total = 0;
	size_t n;

	if (collect(fd, &v, &n) < 0 || n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		total += (uint64_t)v[i].size;
	qsort(v, n, sizeof(*v), by_change);
	for (size_t i = 0; i < n && (n - i > files || total > bytes); i++) {
		total -= (uint64_t)v[i].size;
		removed += unlinkat(fd, v[i].name, 0) == 0;
	}
	return removed;
}
