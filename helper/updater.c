/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/updater.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "helper/repair.h"
#include "lib/bundle.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

#define LOCK_WAIT_S 10

/* In a chroot /run/systemd/system may be there, bound from outside: our root is then not PID 1's. */
static bool manages_this_root(const char *root)
{
	struct stat own, init;

	if (strcmp(root, "/") != 0 || sd_booted() <= 0)
		return false;
	if (stat("/", &own) < 0 || stat("/proc/1/root/.", &init) < 0)
		return true; /* a sandbox hides PID 1's root: then systemd has started us */
	return own.st_dev == init.st_dev && own.st_ino == init.st_ino;
}

int updater_open(struct updater *u, const char *root)
{
	*u = (struct updater){ .root = root, .rootfd = -1, .input = { .fd = -1 } };
	u->rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->rootfd < 0)
		return error_set(&u->err, -errno, "%s: %s", root, strerror(errno));
	u->online = manages_this_root(root);
	return 0;
}

void updater_close(struct updater *u)
{
	if (u->rootfd >= 0)
		close(u->rootfd);
	sd_bus_flush_close_unref(u->systemd);
	updater_close_bundle(u);
	*u = (struct updater){ .rootfd = -1, .input = { .fd = -1 } };
}

void updater_progress(struct updater *u, const char *id, const char *step, unsigned percent)
{
	if (u->on_progress)
		u->on_progress(u->progress_arg, id ? id : "", step, percent);
}

int updater_open_bundle(struct updater *u, const char *path, const char *signature)
{
	_cleanup_free_ char *beside = NULL;
	int r;

	updater_close_bundle(u);
	if (asprintf(&beside, "%s" BUNDLE_SIGNATURE_SUFFIX, path) < 0) {
		beside = NULL;
		return error_set(&u->err, -ENOMEM, "out of memory");
	}
	u->input.name = path;
	u->input.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (u->input.fd < 0)
		return error_set(&u->err, -errno, "%s: %s", path, strerror(errno));
	r = fs_read_file(AT_FDCWD, signature ? signature : beside, MINISIGN_MAX_BYTES, &u->input.signature, &u->input.signature_size, &u->err);
	return r;
}

void updater_close_bundle(struct updater *u)
{
	if (u->input.fd >= 0)
		close(u->input.fd);
	free(u->input.signature);
	u->input = (struct input){ .fd = -1 };
}

enum result updater_lock(struct updater *u, int *fd)
{
	static const char name[] = "updater.lock";
	int repaired = geteuid() == 0 ? repair_runtime(u) : 0;
	_cleanup_close_ int dir = repaired < 0 ? -1 : fs_make_dirs(u->rootfd, "/run/serviceradar", 0755, &u->err);
	_cleanup_close_ int lock = -1;

	*fd = -1;
	if (dir < 0)
		return RESULT_REFUSED;
	lock = openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0) {
		(void)error_set(&u->err, -errno, SR_LOCK ": %s", strerror(errno));
		return RESULT_REFUSED;
	}
	for (int i = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; i++) {
		const struct timespec pause = { .tv_nsec = 50000000 };

		if (i >= LOCK_WAIT_S * 20) {
			(void)error_set(&u->err, -EBUSY, "another agent-updater is at work; try again when it has finished");
			return RESULT_BUSY;
		}
		(void)nanosleep(&pause, NULL);
	}
	*fd = steal_fd(&lock);
	return RESULT_DONE;
}

static const char *result_name(enum result r)
{
	static const char *const names[] = { "done", "usage", "refused", "failed", "broken", "busy", "unavailable" };

	return names[r];
}

static enum result locked(struct updater *u, const struct verb *v, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_close_ int lock = -1;
	enum result r;

	if (!v->locks)
		return v->run(u, id, arg, out);
	r = updater_lock(u, &lock);
	if (r == RESULT_DONE && v->run != verb_recover && v->run != verb_base) /* which repairs what recover would trip over */
		r = verb_recover(u, NULL, NULL, NULL);
	return r == RESULT_DONE ? v->run(u, id, arg, out) : r;
}

enum result verb_run(struct updater *u, const struct verb *v, const char *id, const char *arg, struct json_object **reply)
{
	struct json_object *out = json_object_new_object();
	enum result r;

	u->err.text[0] = '\0';
	u->note[0] = '\0';
	u->reason = "";
	json_object_object_add(out, "verb", json_object_new_string(v->name));
	if (id && *id)
		json_object_object_add(out, "id", json_object_new_string(id));
	if (id && *id && !addon_id_valid(id)) {
		(void)error_set(&u->err, -EINVAL, "\"%.64s\" is no add-on id (^[a-z0-9][a-z0-9_-]*$)", id);
		r = RESULT_USAGE;
	} else {
		r = locked(u, v, id && *id ? id : NULL, arg, out);
	}
	if (r == RESULT_DONE)
		u->err.text[0] = '\0'; /* what was tried and did not matter */
	json_object_object_add(out, "result", json_object_new_string(result_name(r)));
	if (r != RESULT_DONE)
		json_object_object_add(out, "error", json_object_new_string(u->err.text));
	if (r == RESULT_REFUSED && *u->reason)
		json_object_object_add(out, "reason", json_object_new_string(u->reason));
	if (r == RESULT_DONE && *u->note)
		json_object_object_add(out, "note", json_object_new_string(u->note));
	*reply = out;
	return r;
}
