/* SPDX-License-Identifier: Apache-2.0 */
/* recover: finishes or undoes what a crash interrupted. Runs at boot and before every verb that changes something. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>

#include "helper/activation.h"
#include "helper/pins.h"
#include "lib/fs.h"
#include "lib/paths.h"

/* Removes temporary names in an open directory. */
static int sweep(struct updater *u, int dirfd, const char *shown)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;

	if (!dir)
		return error_set(&u->err, -EIO, "%s: cannot be read", shown);
	while ((errno = 0, e = readdir(dir)))
		if (fs_temporary(e->d_name) && unlinkat(dirfd, e->d_name, 0) < 0)
			return error_set(&u->err, -errno, "%s/%s: cannot remove: %s", shown, e->d_name, strerror(errno));
	return errno ? error_set(&u->err, -errno, "%s: cannot be read: %s", shown, strerror(errno)) : 0;
}

/* A call that fails once, anywhere below, can look like a refusal (a user that cannot be looked up, a manifest that cannot be read): a
 * refusal counts when it is there twice. */
static int settle_believed(struct updater *u, const char *id, const struct state *s, struct how how)
{
	int r = activation_settle(u, id, s, how, false);

	return r < 0 && updater_refusal(r) == RESULT_REFUSED ? activation_settle(u, id, s, how, false) : r;
}

/* What was active and can be made so again is; else nothing is active, and whoever wants it tries again. */
static int settle(struct updater *u, const char *id, const struct journal *j)
{
	struct state s;
	struct error why;
	int r;

	r = state_read(u, id, &s);
	if (r < 0 && updater_refusal(r) == RESULT_FAILED)
		return r;
	if (r < 0)
		s = (struct state){ 0 };
	r = settle_believed(u, id, &s, (struct how){ .enable = !j->disabled, .start = j->running });
	if (r == 0 || !s.activated || updater_refusal(r) == RESULT_FAILED)
		return r; /* a full or failing disk is no reason to give up: the journal stays, and the next recover tries again */
	why = u->err;
	s.activated = false;
	(void)snprintf(s.last_error, sizeof(s.last_error), "%.255s", why.text);
	if (activation_settle(u, id, &s, (struct how){ 0 }, false) < 0)
		return -EIO;
	return state_write(u, id, &s);
}

/* 1 when there was something to do. */
static int recover_one(struct updater *u, const char *id)
{
	_cleanup_close_ int dir = payload_state_dir(u, id, false);
	struct journal j;
	char shown[256];
	int r;

	(void)snprintf(shown, sizeof(shown), SR_ADDONS "/%s", id);
	if (dir == -ENOTDIR || dir == -ENOENT)
		return 0; /* a stray file, none of ours */
	if (dir < 0)
		return dir;
	r = sweep(u, dir, shown);
	if (r < 0)
		return r;
	j = journal_read(u, id);
	if (j.verb == JOURNAL_NONE)
		return pins_make_again(u, id);
	if (j.verb == JOURNAL_REMOVE)
		return activation_forget(u, id) < 0 ? -EIO : 1;
	r = settle(u, id, &j);
	if (r == 0)
		r = journal_end(u, id);
	return r < 0 ? r : 1;
}

enum result verb_recover(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_close_ int addons = fs_open_dir(u->rootfd, SR_ADDONS, true, &u->err), fd = -1;
	_cleanup_closedir_ DIR *dir = NULL;
	struct json_object *done = out ? json_object_new_array() : NULL;
	enum result result = RESULT_DONE;
	const struct dirent *e;

	(void)id;
	(void)arg;
	if (addons < 0 && addons != -ENOENT)
		return RESULT_BROKEN;
	if (addons >= 0 && (fs_remove_tree(addons, UPDATER_STAGING, &u->err) < 0 ||
			    fs_remove_tree(addons, UPDATER_SCRATCH, &u->err) < 0 || units_sweep(u) < 0))
		result = RESULT_BROKEN;
	fd = addons < 0 ? -1 : openat(addons, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fdopendir_steal(&fd);
	if (addons >= 0 && !dir) {
		(void)error_set(&u->err, -EIO, SR_ADDONS ": cannot be read");
		result = RESULT_BROKEN;
	}
	while (dir && (errno = 0, e = readdir(dir))) {
		int r = addon_id_valid(e->d_name) ? recover_one(u, e->d_name) : 0;

		if (r < 0)
			result = RESULT_BROKEN;
		else if (r > 0 && done)
			json_object_array_add(done, json_object_new_string(e->d_name));
	}
	if (dir && errno) {
		(void)error_set(&u->err, -errno, SR_ADDONS ": cannot be read: %s", strerror(errno));
		result = RESULT_BROKEN;
	}
	if (out)
		json_object_object_add(out, "recovered", done);
	return result;
}
