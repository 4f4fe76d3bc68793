/* SPDX-License-Identifier: Apache-2.0 */
/* stage BUNDLE: verified, and whole as SR_ADDONS/ID/versions/VERSION or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/activation.h"
#include "helper/intake.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/paths.h"

enum there { ABSENT, SAME, DAMAGED, OTHER };

/* What is staged under this version already. DAMAGED: the same bundle once, but files of it were changed since. */
static enum there look(struct updater *u, const struct bundle *b)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	_cleanup_json_ struct json_object *origin = NULL;
	_cleanup_close_ int dir = -1;
	struct json_object *sha;
	char path[256];
	int r = payload_open(u, b->id, b->version, &p);

	if (r == -ENOENT)
		return ABSENT;
	if (r == 0)
		return strcmp(p.bundle_sha256, b->sha256) == 0 ? SAME : OTHER;
	(void)snprintf(path, sizeof(path), SR_ADDONS "/%s/versions/%s", b->id, b->version);
	dir = fs_open_dir(u->rootfd, path, true, NULL);
	if (dir < 0 || json_read_file(dir, PAYLOAD_ORIGIN, &origin, NULL) < 0 || !json_object_object_get_ex(origin, "sha256", &sha))
		return DAMAGED;
	return strcmp(json_object_get_string(sha), b->sha256) == 0 ? DAMAGED : OTHER;
}

/* One rename makes it a version. What is damaged is exchanged with it, so that there is no moment without. */
static int publish(struct updater *u, int addons, const struct bundle *b, enum there there)
{
	_cleanup_close_ int versions = -1;
	unsigned flags;
	char path[256];
	int r;

	(void)snprintf(path, sizeof(path), SR_ADDONS "/%s/versions", b->id);
	versions = fs_make_dirs(u->rootfd, path, 0755, &u->err);
	if (versions < 0)
		return versions;
	flags = there == DAMAGED ? RENAME_EXCHANGE : RENAME_NOREPLACE;
	if (renameat2(addons, UPDATER_STAGING, versions, b->version, flags) < 0)
		return error_set(&u->err, -errno, "%s/%s: cannot put in place: %s", path, b->version, strerror(errno));
	if (fsync(versions) < 0) { /* not there for certain: then not there at all */
		r = error_set(&u->err, -errno, "%s/%s: cannot put in place: %s", path, b->version, strerror(errno));
		(void)renameat2(versions, b->version, addons, UPDATER_STAGING, flags);
		return r;
	}
	if (there == DAMAGED && fs_remove_tree(addons, UPDATER_STAGING, NULL) < 0)
		(void)fs_remove_tree(addons, UPDATER_STAGING, NULL); /* what is left of it, recover removes */
	return 0;
}

static enum result unpack(struct updater *u, int addons, struct bundle *b, int copy, enum there there)
{
	_cleanup_close_ int dir = -1;
	enum result result;
	int r;

	if (mkdirat(addons, UPDATER_STAGING, 0700) < 0 ||
	    (dir = openat(addons, UPDATER_STAGING, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
		r = error_set(&u->err, -errno, SR_ADDONS "/" UPDATER_STAGING ": %s", strerror(errno));
		return updater_refusal(r);
	}
	result = intake_unpack(u, b, copy, dir);
	if (result != RESULT_DONE)
		return result;
	r = payload_origin_write(u, dir, b);
	if (r == 0 && (fchmod(dir, 0755) < 0 || fsync(dir) < 0))
		r = error_set(&u->err, -errno, SR_ADDONS "/" UPDATER_STAGING ": %s", strerror(errno));
	if (r == 0)
		r = publish(u, addons, b, there);
	return r < 0 ? RESULT_FAILED : RESULT_DONE;
}

static enum result stage(struct updater *u, struct bundle *b, int copy, enum there there)
{
	_cleanup_close_ int addons = fs_make_dirs(u->rootfd, SR_ADDONS, 0755, &u->err);
	struct error why;
	enum result r;

	if (addons < 0)
		return updater_refusal(addons);
	if (fs_remove_tree(addons, UPDATER_STAGING, &u->err) < 0)
		return RESULT_FAILED;
	r = unpack(u, addons, b, copy, there);
	if (r != RESULT_DONE) {
		why = u->err;
		(void)fs_remove_tree(addons, UPDATER_STAGING, NULL);
		u->err = why;
	}
	return r;
}

enum result verb_stage(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_bundle_ struct bundle b = { 0 };
	_cleanup_close_ int copy = -1;
	enum result r = intake_authenticate(u, &b, &copy);
	enum there there;
	struct state s;

	(void)id;
	(void)arg;
	if (r != RESULT_DONE)
		return r;
	there = look(u, &b);
	if (there == OTHER) {
		(void)error_set(&u->err, -EEXIST,
				"%s: %s %s is staged already with other content: a version is published once; give it a new number",
				u->input.name, b.id, b.version);
		return RESULT_REFUSED;
	}
	r = there == SAME ? intake_unpack(u, &b, copy, -1) : stage(u, &b, copy, there);
	if (r != RESULT_DONE)
		return r;
	if (state_read(u, b.id, &s) == 0)
		(void)activation_collect(u, b.id, &s, b.version);
	if (there == SAME)
		(void)snprintf(u->note, sizeof(u->note), "%s %s: was staged already", b.id, b.version);
	json_object_object_add(out, "bundle", bundle_to_json(&b));
	return RESULT_DONE;
}
