/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/payload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "lib/bundle.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/paths.h"

static bool read_only(int fd)
{
	struct statvfs v;

	return fstatvfs(fd, &v) == 0 && (v.f_flag & ST_RDONLY);
}

static int check_binary(struct updater *u, struct payload *p, const char *where)
{
	struct stat st;

	if (fstat(p->binary, &st) < 0)
		return error_set(&u->err, -errno, "%s: %s", where, strerror(errno));
	if (st.st_uid != 0)
		return error_set(&u->err, -EPERM, "%s: owned by uid %u; it must be root's", where, st.st_uid);
	/* A second name would keep these bytes, with the capabilities that they are given, when the first is replaced. On a mount
	 * that is read-only nothing is given, and nobody makes names: what ostree deploys is links into its store. */
	if (st.st_nlink != 1 && !read_only(p->binary))
		return error_set(&u->err, -EPERM, "%s: has %lu links; it must have one name only", where,
				 (unsigned long)st.st_nlink);
	if (st.st_mode & 022)
		return error_set(&u->err, -EPERM, "%s: mode %04o lets others write it", where, st.st_mode & 07777u);
	if (st.st_mode & (S_ISUID | S_ISGID))
		return error_set(&u->err, -EPERM, "%s: mode %04o has a setuid or setgid bit", where, st.st_mode & 07777u);
	binary_mark(&st, p->mark);
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

/* ---- what a staged version came from ---- */

static int check_file(struct updater *u, const struct payload *p, struct json_object *file)
{
	const char *name = json_text(file, "name"), *want = json_text(file, "sha256");
	char shown[512], now[65];
	_cleanup_close_ int fd = -1;
	int r;

	(void)snprintf(shown, sizeof(shown), "%s/%.128s", p->path, name);
	if (!*name || strchr(name, '/') || *name == '.')
		return error_set(&u->err, -EINVAL, "%s/" PAYLOAD_ORIGIN ": names no file: \"%.64s\"", p->path, name);
	if (strcmp(name, p->manifest.exec.binary) == 0) {
		memcpy(now, p->sha256, sizeof(now));
	} else {
		fd = fs_open_file(p->dir, name, shown, &u->err);
		if (fd < 0)
			return fd == -ENOENT ? -EINVAL : fd;
		r = fs_sha256_fd(fd, now, &u->err);
		if (r < 0)
			return r;
	}
	if (strcmp(now, want) != 0)
		return error_set(&u->err, -EPERM, "%s: was changed after it was staged: stage the bundle again", shown);
	return 0;
}

static int check_origin(struct updater *u, struct payload *p)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *files;
	struct error err;
	int r = json_read_file(p->dir, PAYLOAD_ORIGIN, &o, &err);

	if (r < 0 && updater_refusal(r) == RESULT_FAILED) {
		u->err = err;
		return r;
	}
	if (r < 0 || !json_object_object_get_ex(o, "files", &files) || !json_object_is_type(files, json_type_array))
		return error_set(&u->err, -EINVAL, "%s/" PAYLOAD_ORIGIN ": missing or damaged: stage the bundle again", p->path);
	(void)snprintf(p->bundle_sha256, sizeof(p->bundle_sha256), "%s", json_text(o, "sha256"));
	(void)snprintf(p->key_id, sizeof(p->key_id), "%s", json_text(o, "key_id"));
	r = 0;
	for (size_t i = 0; r == 0 && i < json_object_array_length(files); i++)
		r = check_file(u, p, json_object_array_get_idx(files, i));
	return r;
}

int payload_origin_write(struct updater *u, int dir, const struct bundle *b)
{
	_cleanup_json_ struct json_object *o = bundle_to_json(b);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);

	return fs_write_atomic(dir, PAYLOAD_ORIGIN, text, strlen(text), 0644, 0, 0, &u->err);
}

/* ---- opening ---- */

bool payload_label_valid(const char *label)
{
	return !*label || strcmp(label, PAYLOAD_PACKAGED) == 0 || semver_valid(label);
}

static int open_dir(struct updater *u, const char *id, const char *label, struct payload *p)
{
	bool packaged = strcmp(label, PAYLOAD_PACKAGED) == 0;
	int r = packaged ? asprintf(&p->path, SR_PACKAGED_ADDONS "/%s", id) :
			   asprintf(&p->path, SR_ADDONS "/%s/versions/%s", id, label);

	if (r < 0) {
		p->path = NULL;
		return error_set(&u->err, -ENOMEM, "out of memory");
	}
	(void)snprintf(p->label, sizeof(p->label), "%s", label);
	p->dir = fs_open_dir(u->rootfd, p->path, true, &u->err);
	if (p->dir == -ENOENT && packaged)
		return error_set(&u->err, -ENOENT, "%s: not installed: there is no %s (apt install serviceradar-%s)", id, p->path, id);
	if (p->dir == -ENOENT)
		return error_set(&u->err, -ENOENT, "%s: version %s is not staged: agent-updater stage BUNDLE", id, label);
	return p->dir < 0 ? p->dir : 0;
}

int payload_open(struct updater *u, const char *id, const char *label, struct payload *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	int r;

	*out = PAYLOAD_NONE;
	if (!*label || !payload_label_valid(label))
		return error_set(&u->err, -EINVAL, "%s: \"%.64s\" is neither a version nor \"" PAYLOAD_PACKAGED "\"", id, label);
	r = open_dir(u, id, label, &p);
	if (r == 0)
		r = manifest_read(p.dir, p.path, &p.manifest, &u->err);
	if (r < 0)
		return r == -ENOENT && p.dir >= 0 ? -EINVAL : r;
	if (strcmp(p.manifest.id, id) != 0)
		return error_set(&u->err, -EINVAL, "%s/addon.yaml: id: \"%s\" does not fit the directory", p.path, p.manifest.id);
	r = open_binary(u, &p);
	if (r == 0 && strcmp(label, PAYLOAD_PACKAGED) != 0) {
		r = check_origin(u, &p);
		if (r == 0 && strcmp(p.manifest.version, label) != 0)
			r = error_set(&u->err, -EINVAL, "%s/addon.yaml: version: \"%s\" does not fit the directory", p.path,
				      p.manifest.version);
	}
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

/* ---- staged versions ---- */

static int by_version(const void *a, const void *b)
{
	return semver_compare(*(char *const *)a, *(char *const *)b);
}

int payload_versions(struct updater *u, const char *id, struct strings *out)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int fd = -1;
	const struct dirent *e;
	char path[256];

	*out = (struct strings){ 0 };
	(void)snprintf(path, sizeof(path), SR_ADDONS "/%s/versions", id);
	fd = fs_open_dir(u->rootfd, path, true, NULL);
	dir = fdopendir_steal(&fd);
	while (dir && (e = readdir(dir))) {
		char **more;

		if (!semver_valid(e->d_name))
			continue;
		more = reallocarray(out->v, out->n + 1, sizeof(*more));
		if (more)
			out->v = more;
		if (!more || !(more[out->n] = strdup(e->d_name))) {
			payload_versions_free(out);
			return error_set(&u->err, -ENOMEM, "out of memory");
		}
		out->n++;
	}
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_version);
	return 0;
}

void payload_versions_free(struct strings *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->v[i]);
	free(v->v);
	*v = (struct strings){ 0 };
}
