/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "helper/pins.h"
#include "helper/spool.h"
#include "lib/fs.h"
#include "lib/keyring.h"
#include "lib/paths.h"

#define KEEP_VERSIONS 2 /* staged ones, beside what the package installed */

static int check_key(struct updater *u, const struct payload *p)
{
	_cleanup_keyring_ struct keyring keys = { 0 };
	uint8_t id[8];
	int r;

	if (strcmp(p->label, PAYLOAD_PACKAGED) == 0)
		return 0;
	r = keyring_load(u->rootfd, &keys, &u->err);
	if (r < 0)
		return r;
	if (minisign_id_parse(p->key_id, id) < 0)
		return error_set(&u->err, -EINVAL, "%s/" PAYLOAD_ORIGIN ": key_id \"%s\" is none", p->path, p->key_id);
	if (!keyring_revoked(&keys, id))
		return 0;
	u->reason = REASON_KEY_REVOKED;
	return error_set(&u->err, -EKEYREVOKED, "%s %s: signed by the key %s, which is revoked: " SR_KEYS_OPERATOR "/revoked", p->manifest.id,
			 p->label, p->key_id);
}

enum result activation_prepare(struct updater *u, const char *id, const char *label, struct payload *p, enum grant_mode *mode)
{
	enum unsupported unsupported;

	if (payload_open(u, id, label, p) < 0)
		return RESULT_REFUSED;
	unsupported = manifest_unsupported(&p->manifest, false, &u->err);
	u->reason = unsupported_name(unsupported);
	if (unsupported != SUPPORTED || check_key(u, p) < 0)
		return RESULT_REFUSED;
	return capability_preflight(u, p, mode) < 0 ? RESULT_REFUSED : RESULT_DONE;
}

/* ---- links ---- */

static int set_link(struct updater *u, const char *id, const char *name, const char *target)
{
	_cleanup_close_ int dir = payload_state_dir(u, id, target != NULL);

	if (dir < 0)
		return target || dir != -ENOENT ? dir : 0;
	if (target)
		return fs_symlink_atomic(dir, name, target, &u->err);
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, SR_ADDONS "/%s/%s: %s", id, name, strerror(errno));
	return 0;
}

/* A link to the payload with this label; staged versions by a path relative to the link. */
static int link_to(struct updater *u, const char *id, const char *name, const char *label)
{
	char target[512];

	if (!*label)
		return set_link(u, id, name, NULL);
	if (strcmp(label, PAYLOAD_PACKAGED) == 0)
		(void)snprintf(target, sizeof(target), SR_PACKAGED_ADDONS "/%s", id);
	else
		(void)snprintf(target, sizeof(target), "versions/%s", label);
	return set_link(u, id, name, target);
}

static bool is_current(struct updater *u, const struct payload *p)
{
	_cleanup_close_ int dir = payload_state_dir(u, p->manifest.id, false);
	bool packaged = strcmp(p->label, PAYLOAD_PACKAGED) == 0;
	char target[512];
	ssize_t n = dir < 0 ? -1 : readlinkat(dir, "current", target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return packaged ? strcmp(target, p->path) == 0 :
			  strncmp(target, "versions/", 9) == 0 && strcmp(target + 9, p->label) == 0;
}

/* ---- stopping ---- */

static int stop_units(struct updater *u, const char *id)
{
	char name[UNIT_NAME_BYTES];
	int r = 0;

	for (size_t i = 1; r == 0 && i <= UNIT_KINDS; i++) { /* from the end: what starts the service is stopped before it */
		units_name(id, unit_suffix[UNIT_KINDS - i], name);
		r = systemd_job(u, "StopUnit", name, true);
		if (r == 0)
			systemd_reset_failed(u, name);
	}
	return r;
}

static int undo(struct updater *u, const char *id, const struct state *s)
{
	bool changed = false;
	int r = u->online ? stop_units(u, id) : 0;

	if (r == 0)
		r = pins_remove(u, id);
	if (r == 0)
		r = units_disable(u, id);
	if (r == 0)
		r = units_remove(u, id, &changed);
	if (r == 0)
		r = link_to(u, id, "current", "");
	if (r == 0)
		r = link_to(u, id, "previous", s->previous);
	if (r == 0 && u->online)
		r = systemd_reload(u);
	return r;
}

/* ---- starting ---- */

/* A process that serves for a moment and then dies has not started: nothing may have restarted within the settle time. */
static int watch(struct updater *u, const struct payload *p, const char *service)
{
	const struct timespec pause = { .tv_nsec = 50000000 };
	struct unit_state first, now;
	int r = systemd_unit_state(u, service, &first);

	for (unsigned ms = 0; r == 0 && ms < p->manifest.exec.settle_ms; ms += 50) {
		(void)nanosleep(&pause, NULL);
		r = systemd_unit_state(u, service, &now);
		if (r == 0 && (strcmp(now.active, "active") != 0 || now.main_pid != first.main_pid))
			return error_set(&u->err, -EIO, "%s: did not stay up for %u ms after its start (journalctl -u %s says why)", service,
					 p->manifest.exec.settle_ms, service);
	}
	return r;
}

/* Restarted when the service is: a socket unit that was masked while it listened has lost its descriptor, and nothing says so. */
static int start_socket(struct updater *u, const struct payload *p, bool restart)
{
	char name[UNIT_NAME_BYTES];

	if (!p->manifest.socket.path)
		return 0;
	units_name(p->manifest.id, unit_suffix[UNIT_SOCKET], name);
	systemd_reset_failed(u, name);
	return systemd_job(u, restart ? "RestartUnit" : "StartUnit", name, true);
}

/* The unit that is wanted: the service, or the timer that starts it. */
static void main_unit(const struct payload *p, char name[UNIT_NAME_BYTES])
{
	bool timer = p->manifest.supervision == SUPERVISION_SYSTEMD_TIMER;

	units_name(p->manifest.id, unit_suffix[timer ? UNIT_TIMER : UNIT_SERVICE], name);
}

/* Starts what is not running, restarts what runs another binary or with other capabilities than it should. */
static int start_units(struct updater *u, const struct payload *p, bool restart)
{
	char name[UNIT_NAME_BYTES];
	struct unit_state state;
	int r;

	if (!manifest_has_unit(&p->manifest))
		return 0;
	main_unit(p, name);
	r = systemd_unit_state(u, name, &state);
	if (r < 0)
		return r;
	systemd_reset_failed(u, name);
	updater_progress(u, p->manifest.id, "starting", 60);
	if (restart && strcmp(state.active, "inactive") != 0)
		r = systemd_job(u, "StopUnit", name, true); /* or the socket's restart would be one of the service, too */
	if (r == 0)
		r = start_socket(u, p, restart);
	if (r == 0)
		r = systemd_job(u, "StartUnit", name, true);
	if (r < 0 || p->manifest.supervision == SUPERVISION_SYSTEMD_TIMER)
		return r;
	updater_progress(u, p->manifest.id, "checking the process", 80);
	r = systemd_unit_state(u, name, &state);
	if (r == 0)
		r = capability_check_process(u, p, (pid_t)state.main_pid);
	return r < 0 || !restart ? r : watch(u, p, name);
}

/* Files, links and units of a payload. */
static int install(struct updater *u, const struct payload *p, enum grant_mode *mode, const char *previous, bool enable)
{
	const char *id = p->manifest.id;
	bool changed = false;
	int r = capability_grant(u, p, mode);

	if (r == 0)
		r = spool_make(u, &p->manifest);
	if (r == 0)
		r = pins_make(u, &p->manifest);
	if (r == 0)
		r = units_install(u, p, &changed);
	if (r == 0)
		r = link_to(u, id, "previous", previous);
	if (r == 0)
		r = link_to(u, id, "current", p->label);
	if (r == 0 && u->online)
		r = systemd_reload(u);
	return r < 0 || !enable ? r : units_enable(u, p);
}

/* Runs already, of the same bytes, with what it declares: nothing to do but to see to the files. */
static bool runs_well(struct updater *u, const struct payload *p, const struct state *s)
{
	char name[UNIT_NAME_BYTES];
	struct unit_state state;
	struct error kept = u->err;
	bool well;

	if (!u->online || !s->activated || strcmp(s->sha256, p->sha256) != 0 || !is_current(u, p))
		return false;
	if (!manifest_has_unit(&p->manifest))
		return true;
	main_unit(p, name);
	well = systemd_unit_state(u, name, &state) == 0 && strcmp(state.active, "active") == 0 && !state.need_reload &&
	       (p->manifest.supervision == SUPERVISION_SYSTEMD_TIMER ||
		capability_check_process(u, p, (pid_t)state.main_pid) == 0);
	u->err = kept;
	return well;
}

/* ---- back to what state.json says ---- */

static int settle_active(struct updater *u, const char *id, const struct state *s, struct how how, bool wait)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	char name[UNIT_NAME_BYTES];
	enum grant_mode mode = s->grant;
	int r = payload_open(u, id, s->label, &p);

	if (r == 0 && u->online)
		r = stop_units(u, id);
	if (r == 0)
		r = install(u, &p, &mode, s->previous, how.enable);
	if (r < 0 || !u->online || !how.start)
		return r;
	if (wait)
		return start_units(u, &p, false);
	if (!manifest_has_unit(&p.manifest))
		return 0;
	main_unit(&p, name);
	return systemd_job(u, "StartUnit", name, false);
}

int activation_settle(struct updater *u, const char *id, const struct state *s, struct how how, bool wait)
{
	return s->activated ? settle_active(u, id, s, how, wait) : undo(u, id, s);
}

/* ---- the transaction ---- */

static struct state successor(const struct state *before, const struct payload *p, enum grant_mode mode)
{
	struct state after = { .activated = true, .grant = mode };

	(void)snprintf(after.label, sizeof(after.label), "%s", p->label);
	(void)snprintf(after.version, sizeof(after.version), "%s", p->manifest.version);
	(void)snprintf(after.previous, sizeof(after.previous), "%s",
		       *before->label && strcmp(before->label, p->label) != 0 ? before->label : before->previous);
	(void)snprintf(after.highest, sizeof(after.highest), "%s",
		       *before->highest && semver_compare(before->highest, p->manifest.version) > 0 ? before->highest :
												    p->manifest.version);
	memcpy(after.sha256, p->sha256, sizeof(after.sha256));
	memcpy(after.mark, p->mark, sizeof(after.mark));
	return after;
}

/* The payload that was active before is current and running again. A package that was replaced in place has no payload to go back
 * to, nor has one that does not start any more: then nothing is active, and whoever wants it tries again. */
static enum result fail(struct updater *u, const struct payload *p, struct state *before, struct how how)
{
	const char *id = p->manifest.id;
	struct error why = u->err, second = { .text = "" };
	enum result result = RESULT_FAILED;

	updater_progress(u, id, "going back", 90);
	(void)snprintf(before->last_error, sizeof(before->last_error), "%.255s", why.text);
	if (activation_settle(u, id, before, how, true) < 0) {
		if (strcmp(before->label, p->label) != 0) {
			result = RESULT_BROKEN;
			second = u->err;
		}
		before->activated = false;
		if (activation_settle(u, id, before, (struct how){ 0 }, true) < 0) {
			result = RESULT_BROKEN; /* the journal stays, for recover */
			second = u->err;
		}
	}
	if ((result == RESULT_FAILED || !before->activated) && state_write(u, id, before) == 0 && result == RESULT_FAILED)
		(void)journal_end(u, id);
	u->err = why;
	if (result == RESULT_BROKEN)
		(void)error_set(&u->err, 0, "%.220s; and it could not be undone: %.180s: run agent-updater recover", why.text, second.text);
	return result;
}

static bool is_running(struct updater *u, const struct payload *p)
{
	char name[UNIT_NAME_BYTES];
	struct unit_state state;

	main_unit(p, name);
	return u->online && manifest_has_unit(&p->manifest) && systemd_unit_state(u, name, &state) == 0 && strcmp(state.active, "inactive") != 0;
}

bool activation_stale(struct updater *u, const struct payload *p, const struct state *s)
{
	return is_running(u, p) && !runs_well(u, p, s);
}

enum result activation_run(struct updater *u, const struct payload *p, enum grant_mode mode, struct how how,
			   struct json_object *out)
{
	const char *id = p->manifest.id;
	struct journal journal = { JOURNAL_ACTIVATE, is_running(u, p), !how.enable };
	struct state before, after;
	bool restart;
	int r;

	if (state_read(u, id, &before) < 0)
		return RESULT_REFUSED;
	restart = !runs_well(u, p, &before);
	r = journal_begin(u, id, &journal);
	if (r < 0)
		return RESULT_REFUSED; /* nothing was changed yet */
	after = successor(&before, p, mode);
	r = install(u, p, &after.grant, after.previous, how.enable);
	if (r == 0 && u->online && how.start)
		r = start_units(u, p, restart);
	if (r == 0)
		r = state_write(u, id, &after);
	if (r == 0)
		r = journal_end(u, id);
	if (r < 0)
		return fail(u, p, &before, (struct how){ .enable = !journal.disabled, .start = journal.running });
	(void)activation_collect(u, id, &after, NULL); /* a version too many does no harm; the next one tries again */
	activation_describe(u, id, out);
	return RESULT_DONE;
}

static bool needed(const struct state *s, const char *version, const char *keep)
{
	return strcmp(s->label, version) == 0 || strcmp(s->previous, version) == 0 || (keep && strcmp(keep, version) == 0);
}

/* Under a name that is no version's first: a directory that is half gone is never taken for one. */
static int discard(struct updater *u, const char *id, const char *version)
{
	_cleanup_close_ int addons = fs_open_dir(u->rootfd, SR_ADDONS, true, &u->err), versions = -1;
	char path[256];

	(void)snprintf(path, sizeof(path), SR_ADDONS "/%s/versions", id);
	versions = addons < 0 ? -1 : fs_open_dir(u->rootfd, path, true, &u->err);
	if (versions < 0)
		return -EIO;
	if (renameat(versions, version, addons, UPDATER_SCRATCH) < 0)
		return error_set(&u->err, -errno, "%s/%s: cannot move away: %s", path, version, strerror(errno));
	return fs_remove_tree(addons, UPDATER_SCRATCH, &u->err);
}

int activation_collect(struct updater *u, const char *id, const struct state *s, const char *keep)
{
	_cleanup_(payload_versions_free) struct strings versions = { 0 };
	int r = payload_versions(u, id, &versions);
	size_t left = versions.n;

	for (size_t i = 0; r == 0 && i < versions.n && left > KEEP_VERSIONS; i++) {
		if (needed(s, versions.v[i], keep))
			continue;
		r = discard(u, id, versions.v[i]);
		left--;
	}
	return r;
}

static int forget_files(struct updater *u, int dirfd, const char *id)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;
	int r = dir ? fs_remove_tree(dirfd, "versions", &u->err) : -EIO;

	while (r == 0 && (errno = 0, e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, "journal") != 0)
			r = fs_remove_tree(dirfd, e->d_name, &u->err);
	if (r == 0 && errno)
		r = error_set(&u->err, -errno, SR_ADDONS "/%s: cannot be read: %s", id, strerror(errno));
	if (r == 0 && unlinkat(dirfd, "journal", 0) < 0 && errno != ENOENT)
		r = error_set(&u->err, -errno, SR_ADDONS "/%s/journal: %s", id, strerror(errno));
	return r;
}

int activation_forget(struct updater *u, const char *id)
{
	_cleanup_close_ int parent = fs_open_dir(u->rootfd, SR_ADDONS, true, NULL), dir = -1;
	int r;

	dir = payload_state_dir(u, id, false);
	if (dir == -ENOENT)
		return 0;
	if (parent < 0 || dir < 0)
		return error_set(&u->err, -EIO, SR_ADDONS "/%s: cannot be opened", id);
	r = forget_files(u, dir, id);
	if (r == 0 && unlinkat(parent, id, AT_REMOVEDIR) < 0)
		r = error_set(&u->err, -errno, SR_ADDONS "/%s: %s", id, strerror(errno));
	return r;
}

void activation_label(struct updater *u, const char *id, char out[80])
{
	struct state s;

	(void)snprintf(out, 80, "%s", state_read(u, id, &s) == 0 && s.activated ? s.label : PAYLOAD_PACKAGED);
}

static void describe_process(struct json_object *out, pid_t pid)
{
	struct caps_process caps;
	struct json_object *o;
	char text[256];

	if (pid <= 0 || caps_of_process(pid, &caps, NULL) < 0)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "pid", json_object_new_int(pid));
	json_object_object_add(o, "uid", json_object_new_int64(caps.uid));
	json_object_object_add(o, "permitted", json_object_new_string(caps_format(caps.permitted, text, sizeof(text))));
	json_object_object_add(o, "effective", json_object_new_string(caps_format(caps.effective, text, sizeof(text))));
	json_object_object_add(o, "no_new_privs", json_object_new_boolean(caps.no_new_privs));
	json_object_object_add(out, "process", o);
}

void activation_describe(struct updater *u, const char *id, struct json_object *out)
{
	char service[UNIT_NAME_BYTES];
	struct unit_state unit;
	struct state state;
	struct json_object *o;

	if (state_read(u, id, &state) == 0)
		state_to_json(&state, out);
	units_name(id, "service", service);
	if (!u->online || systemd_unit_state(u, service, &unit) < 0)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "name", json_object_new_string(service));
	json_object_object_add(o, "active_state", json_object_new_string(unit.active));
	json_object_object_add(o, "sub_state", json_object_new_string(unit.sub));
	json_object_object_add(o, "unit_file_state", json_object_new_string(unit.file));
	json_object_object_add(o, "main_pid", json_object_new_int64(unit.main_pid));
	json_object_object_add(o, "n_restarts", json_object_new_int64(unit.restarts));
	json_object_object_add(out, "unit", o);
	describe_process(out, (pid_t)unit.main_pid);
}
