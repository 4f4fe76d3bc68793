/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/fs.h"
#include "lib/paths.h"

static int check_binary(struct updater *u, const struct payload *p, const char *where)
{
	struct stat st;

	if (fstat(p->binary, &st) < 0)
		return error_set(&u->err, -errno, "%s: %s", where, strerror(errno));
	if (st.st_uid != 0)
		return error_set(&u->err, -EPERM, "%s: owned by uid %u; it must be root's", where, st.st_uid);
	if (st.st_nlink != 1)
		return error_set(&u->err, -EPERM, "%s: has %lu links; it must have one name only", where,
				 (unsigned long)st.st_nlink);
	if (st.st_mode & 022)
		return error_set(&u->err, -EPERM, "%s: mode %04o lets others write it", where, st.st_mode & 07777u);
	if (st.st_mode & (S_ISUID | S_ISGID))
		return error_set(&u->err, -EPERM, "%s: mode %04o has a setuid or setgid bit", where, st.st_mode & 07777u);
	return 0;
}

static int open_binary(struct updater *u, struct payload *p)
{
	_cleanup_free_ char *where = NULL;
	int r;

	if (asprintf(&where, "%s/%s", p->path, p->manifest.exec.binary) < 0) {
		where = NULL;
		return error_set(&u->err, -ENOMEM, "out of memory");
	}
	p->binary = fs_open_file(p->dir, p->manifest.exec.binary, where, &u->err);
	if (p->binary < 0)
		return p->binary == -ENOENT ? -EINVAL : p->binary; /* a payload without its binary is not "not installed" */
	r = check_binary(u, p, where);
	return r < 0 ? r : fs_sha256_fd(p->binary, p->sha256, &u->err);
}

int payload_open(struct updater *u, const char *id, struct payload *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	int r;

	*out = PAYLOAD_NONE;
	if (asprintf(&p.path, SR_PACKAGED_ADDONS "/%s", id) < 0) {
		p.path = NULL;
		return error_set(&u->err, -ENOMEM, "out of memory");
	}
	p.dir = fs_open_dir(u->rootfd, p.path, true, &u->err);
	if (p.dir == -ENOENT)
		return error_set(&u->err, -ENOENT, "%s: not installed: there is no %s (apt install serviceradar-%s)", id, p.path, id);
	if (p.dir < 0)
		return p.dir;
	r = manifest_read(p.dir, p.path, &p.manifest, &u->err);
	if (r < 0)
		return r == -ENOENT ? -EINVAL : r;
	if (strcmp(p.manifest.id, id) != 0)
		return error_set(&u->err, -EINVAL, "%s/addon.yaml: id: \"%s\" does not fit the directory", p.path, p.manifest.id);
	r = open_binary(u, &p);
	if (r < 0)
		return r;
	*out = p;
	p = PAYLOAD_NONE;
	return 0;
}

void payload_close(struct payload *p)
{
	free(p->path);
	if (p->dir >= 0)
		close(p->dir);
	if (p->binary >= 0)
		close(p->binary);
	manifest_free(&p->manifest);
	*p = PAYLOAD_NONE;
}

int payload_state_dir(struct updater *u, const char *id, bool make)
{
	char path[256];

	(void)snprintf(path, sizeof(path), SR_ADDONS "/%s", id);
	return make ? fs_make_dirs(u->rootfd, path, 0755, &u->err) : fs_open_dir(u->rootfd, path, true, &u->err);
}
