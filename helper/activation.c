/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/activation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/fs.h"
#include "lib/paths.h"

enum result activation_prepare(struct updater *u, const char *id, struct payload *p, enum grant_mode *mode)
{
	if (payload_open(u, id, p) < 0)
		return RESULT_REFUSED;
	if (manifest_supported(&p->manifest, &u->err) < 0)
		return RESULT_REFUSED;
	return capability_preflight(u, p, mode) < 0 ? RESULT_REFUSED : RESULT_DONE;
}

static int set_current(struct updater *u, const char *id, const char *target)
{
	_cleanup_close_ int dir = payload_state_dir(u, id, target != NULL);

	if (dir < 0)
		return target ? dir : 0;
	if (target)
		return fs_symlink_atomic(dir, "current", target, &u->err);
	if (unlinkat(dir, "current", 0) < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, SR_ADDONS "/%s/current: %s", id, strerror(errno));
	return 0;
}

static bool is_current(struct updater *u, const struct payload *p)
{
	_cleanup_close_ int dir = payload_state_dir(u, p->manifest.id, false);
	char target[512];
	ssize_t n = dir < 0 ? -1 : readlinkat(dir, "current", target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return strcmp(target, p->path) == 0;
}

int activation_undo(struct updater *u, const char *id)
{
	char service[UNIT_NAME_BYTES], socket[UNIT_NAME_BYTES];
	bool changed = false;
	int r = 0;

	units_name(id, "service", service);
	units_name(id, "socket", socket);
	if (u->online) {
		r = systemd_job(u, "StopUnit", socket);
		if (r == 0)
			r = systemd_job(u, "StopUnit", service);
		if (r == 0)
			systemd_reset_failed(u, service);
	}
	if (r == 0)
		r = units_disable(u, id);
	if (r == 0)
		r = units_remove(u, id, &changed);
	if (r == 0)
		r = set_current(u, id, NULL);
	if (r == 0 && u->online)
		r = systemd_reload(u);
	return r;
}

/* Starts what is not running, restarts what runs another binary or with other capabilities than it should. */
static int start_units(struct updater *u, const struct payload *p, bool restart)
{
	char service[UNIT_NAME_BYTES], socket[UNIT_NAME_BYTES];
	struct unit_state state;
	int r;

	units_name(p->manifest.id, "service", service);
	units_name(p->manifest.id, "socket", socket);
	r = systemd_unit_state(u, service, &state);
	if (r < 0)
		return r;
	systemd_reset_failed(u, service);
	if (p->manifest.socket.path) {
		systemd_reset_failed(u, socket);
		r = systemd_job(u, "StartUnit", socket);
	}
	if (r == 0)
		r = systemd_job(u, restart && strcmp(state.active, "inactive") != 0 ? "RestartUnit" : "StartUnit", service);
	if (r == 0)
		r = systemd_unit_state(u, service, &state);
	return r < 0 ? r : capability_check_process(u, p, (pid_t)state.main_pid);
}

/* Everything but the start. */
static int install(struct updater *u, const struct payload *p, enum grant_mode *mode)
{
	bool changed = false;
	int r = capability_grant(u, p, mode);

	if (r == 0)
		r = units_install(u, p, &changed);
	if (r == 0)
		r = set_current(u, p->manifest.id, p->path);
	if (r == 0 && u->online)
		r = systemd_reload(u);
	return r < 0 ? r : units_enable(u, p->manifest.id, p->manifest.socket.path != NULL);
}

/* Runs already, of the same bytes, with what it declares: nothing to do but to see to the files. */
static bool runs_well(struct updater *u, const struct payload *p, const struct state *s)
{
	char service[UNIT_NAME_BYTES];
	struct unit_state state;
	struct error kept = u->err;
	bool well;

	if (!u->online || !s->activated || strcmp(s->sha256, p->sha256) != 0 || !is_current(u, p))
		return false;
	units_name(p->manifest.id, "service", service);
	well = systemd_unit_state(u, service, &state) == 0 && strcmp(state.active, "active") == 0 && !state.need_reload &&
	       capability_check_process(u, p, (pid_t)state.main_pid) == 0;
	u->err = kept;
	return well;
}

enum result activation_run(struct updater *u, const struct payload *p, enum grant_mode mode, bool start,
			   struct json_object *out)
{
	const char *id = p->manifest.id;
	struct state before, after = { .activated = true };
	struct error why;
	bool restart;
	int r;

	if (state_read(u, id, &before) < 0)
		return RESULT_REFUSED;
	restart = !runs_well(u, p, &before);
	r = journal_begin(u, id, JOURNAL_ACTIVATE);
	if (r < 0)
		return RESULT_REFUSED;
	r = install(u, p, &mode);
	if (r == 0 && u->online && start)
		r = start_units(u, p, restart);
	if (r == 0) {
		(void)snprintf(after.version, sizeof(after.version), "%s", p->manifest.version);
		memcpy(after.sha256, p->sha256, sizeof(after.sha256));
		after.grant = mode;
		r = state_write(u, id, &after);
	}
	if (r == 0)
		r = journal_end(u, id);
	if (r == 0) {
		activation_describe(u, id, out);
		return RESULT_DONE;
	}
	/* Back to nothing: there is no other version to go back to. */
	why = u->err;
	if (activation_undo(u, id) < 0) {
		(void)error_set(&u->err, r, "%s; and it could not be undone: run agent-updater recover", why.text);
		return RESULT_BROKEN;
	}
	after.activated = false;
	(void)snprintf(after.last_error, sizeof(after.last_error), "%.255s", why.text);
	(void)state_write(u, id, &after);
	(void)journal_end(u, id);
	u->err = why;
	return RESULT_FAILED;
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
