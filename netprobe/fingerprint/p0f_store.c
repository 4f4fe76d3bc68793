/* SPDX-License-Identifier: Apache-2.0 */
/* The database of a daemon: read anew when one of its files is another one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "netprobe/fingerprint/fingerprint.h"

/* What tells one state of a file from another; all 0 when it is not there. */
struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct p0f_store {
	char *paths[P0F_FILES_MAX + 1]; /* ends with NULL */
	struct stamp stamps[P0F_FILES_MAX];
	struct p0f_db *db;
};

static struct stamp stamp_of(const char *path)
{
	struct stamp s;
	struct stat st;

	memset(&s, 0, sizeof(s));
	if (stat(path, &st) < 0)
		return s;
	s.device = st.st_dev;
	s.inode = st.st_ino;
	s.size = st.st_size;
	s.modified = st.st_mtim;
	s.changed = st.st_ctim;
	return s;
}

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->modified.tv_sec == b->modified.tv_sec && a->modified.tv_nsec == b->modified.tv_nsec &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

int p0f_store_refresh(struct p0f_store *s, struct error *err)
{
	struct p0f_db *db = NULL;
	bool changed = false;
	int r;

	/* Stamped before they are read: what changes meanwhile is seen the next time. */
	for (size_t i = 0; s->paths[i]; i++) {
		struct stamp now = stamp_of(s->paths[i]);

		changed |= !same(&now, &s->stamps[i]);
		s->stamps[i] = now;
	}
	if (!changed)
		return 0;
	r = p0f_db_read((const char *const *)s->paths, &db, err);
	if (r < 0 && r != -ENOENT)
		return r;
	p0f_db_free(s->db);
	s->db = db;
	return 1;
}

int p0f_store_new(const char *const *paths, struct p0f_store **out, struct error *err)
{
	static const char *const usual[] = { P0F_DEFAULT_PATH, NULL };
	struct p0f_store *s = calloc(1, sizeof(*s));
	int r = 0;

	*out = NULL;
	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	if (!paths || !paths[0])
		paths = usual;
	for (size_t i = 0; r == 0 && paths[i]; i++) {
		if (i == P0F_FILES_MAX)
			r = error_set(err, -E2BIG, "%s: more than %u fingerprint files", paths[i], P0F_FILES_MAX);
		else if (!(s->paths[i] = strdup(paths[i])))
			r = -ENOMEM;
	}
	if (r == -ENOMEM)
		r = error_set(err, r, "out of memory");
	if (r < 0) {
		p0f_store_free(s);
		return r;
	}
	*out = s;
	r = p0f_store_refresh(s, err);
	return r < 0 ? r : 0;
}

void p0f_store_free(struct p0f_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->paths[i]; i++)
		free(s->paths[i]);
	p0f_db_free(s->db);
	free(s);
}

const struct p0f_db *p0f_store_db(const struct p0f_store *s)
{
	return s->db;
}
