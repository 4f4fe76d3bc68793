/* SPDX-License-Identifier: Apache-2.0 */
/* base install|upgrade|finish|remove: what the scripts of the agent's own package call. Between "install" or "upgrade", when the new
 * files are there and the old package's last scripts are not run yet, and "finish" the agent's state is kept in a record: those scripts
 * may disable and stop it (an RPM that is obsoleted is erased, and says so to its scripts). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "helper/policy.h"
#include "helper/repair.h"
#include "helper/sidecar.h"
#include "helper/state.h"
#include "helper/units.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/paths.h"

#define AGENT        "agent"
#define AGENT_UNIT   SR_UNIT_PREFIX AGENT ".service"
#define AGENT_BINARY "/usr/bin/serviceradar-agent"
#define UPDATER_UNIT SR_UNIT_PREFIX "updater.service"
#define RECOVER      "recover"
#define DSH_STATE    "var/lib/systemd/deb-systemd-helper-enabled/" AGENT_UNIT ".dsh-also"
#define ASIDE        ".single-package"

static int write_record(struct updater *u, struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	_cleanup_close_ int dir = fs_make_dirs(u->rootfd, SR_STATE, 0755, &u->err);

	return dir < 0 ? dir : fs_write_atomic(dir, SR_HANDOVER, text, strlen(text), 0600, 0, 0, &u->err);
}

/* NULL when there is none, or none that can be read. */
static struct json_object *read_record(struct updater *u)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, SR_STATE, true, NULL);
	struct json_object *o = NULL;

	return dir >= 0 && json_read_file(dir, SR_HANDOVER, &o, NULL) == 0 ? o : NULL;
}

static int remove_record(struct updater *u)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, SR_STATE, true, &u->err);

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	if (unlinkat(dir, SR_HANDOVER, 0) < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, SR_STATE "/" SR_HANDOVER ": cannot remove: %s", strerror(errno));
	return 0;
}

/* The single package's agent.json has keys of its own, and the agent does not start with a key that it does not know. */
static int set_config_aside(struct updater *u)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, SR_CONFIG_DIR, true, &u->err);
	const char *name = strrchr(SR_AGENT_CONFIG, '/') + 1;
	_cleanup_json_ struct json_object *o = NULL;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	if (json_read_file(dir, name, &o, NULL) == 0 && json_object_is_type(o, json_type_object) &&
	    json_object_object_length(o) == (int)json_object_object_get_ex(o, "fetch", NULL))
		return 0;
	if (renameat(dir, name, dir, "agent.json" ASIDE) < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, SR_AGENT_CONFIG ": cannot be renamed: %s", strerror(errno));
	return 0;
}

static bool running(struct updater *u)
{
	struct unit_state state;

	return u->online && systemd_unit_state(u, AGENT_UNIT, &state) == 0 && strcmp(state.active, "inactive") != 0 &&
	       strcmp(state.active, "failed") != 0;
}

/* An updater that still serves the bus is the old program: it would hold the new payloads against its own version. It is at no verb,
 * as the lock is ours. One that is about to serve is let come to it: of a start that is cancelled the bus hears nothing, and keeps
 * everybody who calls the updater waiting for it for 25 s. */
static int stop_updater(struct updater *u)
{
	struct unit_state state;

	if (!u->online)
		return 0;
	if (systemd_unit_state(u, UPDATER_UNIT, &state) == 0 && strcmp(state.active, "activating") == 0)
		(void)systemd_job(u, "StartUnit", UPDATER_UNIT, true);
	return systemd_job(u, "StopUnit", UPDATER_UNIT, true);
}

/* `upgrade`: the package manager says that there is an older version. An RPM that replaces one of another name is installed, not
 * upgraded: what the single package left is the sign then. */
static enum result begin(struct updater *u, bool upgrade)
{
	_cleanup_json_ struct json_object *o = NULL;
	bool single;
	int r = repair_state(u, &single);

	if (r == 0)
		r = stop_updater(u);
	if (r < 0)
		return RESULT_FAILED;
	o = read_record(u);
	if (o || (!upgrade && !single))
		return RESULT_DONE; /* a script that failed is run again, and the first record counts */
	o = json_object_new_object();
	json_object_object_add(o, "single_package", json_object_new_boolean(single));
	json_object_object_add(o, "enabled", json_object_new_boolean(units_enabled(u, AGENT)));
	json_object_object_add(o, "active", json_object_new_boolean(running(u)));
	if (single)
		json_object_object_add(o, "sidecars", sidecar_texts(u));
	r = write_record(u, o);
	if (r == 0 && single && policy_dpkg()) /* dpkg keeps the file, and starts the agent before "finish" */
		r = set_config_aside(u);
	return r < 0 ? RESULT_FAILED : RESULT_DONE;
}

/* Whether it runs, and not from the files of the single package. */
static bool runs_ours(struct updater *u)
{
	struct unit_state state;
	char link[64], exe[256];
	ssize_t n;

	if (!running(u) || systemd_unit_state(u, AGENT_UNIT, &state) < 0)
		return false;
	(void)snprintf(link, sizeof(link), "/proc/%u/exe", state.main_pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n < 0)
		return true; /* between two lives: systemd starts it */
	exe[n] = '\0';
	return strncmp(exe, AGENT_BINARY, strlen(AGENT_BINARY)) == 0; /* or that, replaced: then systemd is told already */
}

static int restore(struct updater *u, struct json_object *record)
{
	struct json_object *texts = NULL;
	int r = 0;

	if (json_flag(record, "single_package")) {
		(void)json_object_object_get_ex(record, "sidecars", &texts);
		r = sidecar_restore(u, texts);
		if (r == 0)
			r = set_config_aside(u);
		if (r == 0)
			r = units_set_enabled(u, RECOVER, true);
	}
	if (r == 0 && units_enabled(u, AGENT) != json_flag(record, "enabled"))
		r = units_set_enabled(u, AGENT, json_flag(record, "enabled"));
	if (r < 0 || !u->online || !json_flag(record, "active") || units_masked(u, AGENT) || policy_denies(u, AGENT, "restart"))
		return r;
	r = systemd_reload(u);
	return r < 0 || runs_ours(u) ? r : systemd_job(u, "RestartUnit", AGENT_UNIT, true);
}

/* Debian starts what is installed; RPM distributions leave that to the administrator and the next boot. */
static int start_new(struct updater *u)
{
	if (!policy_dpkg() || !u->online || !units_enabled(u, AGENT) || units_masked(u, AGENT) || policy_denies(u, AGENT, "start"))
		return 0;
	return systemd_job(u, "StartUnit", AGENT_UNIT, true);
}

static enum result finish(struct updater *u)
{
	_cleanup_json_ struct json_object *record = read_record(u);
	int r = record && !json_flag(record, "removed") ? restore(u, record) : start_new(u);
	struct error why = u->err;

	if (remove_record(u) < 0)
		return RESULT_FAILED;
	u->err = why;
	if (r < 0)
		return RESULT_FAILED;
	if (record && json_flag(record, "single_package"))
		sidecar_orphans(u, u->note, sizeof(u->note));
	return RESULT_DONE;
}

/* Add-ons that came as bundles have no package whose script would do it: without the agent they are nobody's. Those that are assigned
 * come up again with the next one. */
static int deactivate_all(struct updater *u, struct json_object *out)
{
	_cleanup_close_ int fd = fs_open_dir(u->rootfd, SR_ADDONS, true, NULL);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;
	struct state state;
	int r = 0;

	while (dir && (e = readdir(dir))) {
		if (!addon_id_valid(e->d_name) || state_read(u, e->d_name, &state) < 0 || !state.activated)
			continue;
		if (verb_deactivate(u, e->d_name, NULL, out) != RESULT_DONE)
			r = -EIO;
	}
	return r;
}

/* What is in /run: status files that nobody keeps up to date any more. Debian's purge does it there. */
static int remove_runtime(struct updater *u)
{
	_cleanup_close_ int run = fs_open_dir(u->rootfd, "/run", true, &u->err);

	return run < 0 ? run : fs_remove_tree(run, "serviceradar", &u->err);
}

/* The agent first: it would have the updater started again. */
static enum result removing(struct updater *u, struct json_object *out)
{
	static const char *const units[] = { AGENT_UNIT, SR_UNIT_PREFIX RECOVER ".service" };
	_cleanup_json_ struct json_object *o = json_object_new_object();
	bool stop = u->online && !policy_denies(u, AGENT, "stop");
	int r = 0;

	json_object_object_add(o, "removed", json_object_new_boolean(true));
	if (policy_dpkg() && write_record(u, o) < 0) /* what is installed again starts, what is upgraded need not */
		return RESULT_FAILED;
	for (size_t i = 0; r == 0 && stop && i < sizeof(units) / sizeof(units[0]); i++)
		r = systemd_job(u, "StopUnit", units[i], true);
	if (r == 0)
		r = stop_updater(u);
	if (r == 0)
		r = deactivate_all(u, out);
	if (r == 0 && u->online && !running(u))
		r = systemd_job(u, "StopUnit", "serviceradar.slice", true);
	/* Debian keeps the links that it knows of until the purge, to know what was disabled; it does not know those that the single
	 * package made of a unit that is masked. systemctl leaves those of a masked unit, too. */
	if (r == 0 && (!policy_dpkg() || faccessat(u->rootfd, DSH_STATE, F_OK, 0) < 0))
		r = units_disable(u, AGENT);
	if (r == 0 && !policy_dpkg())
		r = units_disable(u, RECOVER);
	if (r == 0 && !policy_dpkg())
		r = remove_runtime(u);
	return r < 0 ? RESULT_FAILED : RESULT_DONE;
}

enum result verb_base(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	(void)id;
	if (arg && strcmp(arg, "install") == 0)
		return begin(u, false);
	if (arg && strcmp(arg, "upgrade") == 0)
		return begin(u, true);
	if (arg && strcmp(arg, "finish") == 0)
		return finish(u);
	if (arg && strcmp(arg, "remove") == 0)
		return removing(u, out);
	(void)error_set(&u->err, -EINVAL, "%.64s: one of install, upgrade, finish, remove must follow", arg ? arg : "");
	return RESULT_USAGE;
}
