/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER     "org.freedesktop.systemd1.Manager"
#define PATH        "/org/freedesktop/systemd1"
#define JOB_SECONDS 660 /* more than a manifest's start_timeout_s and TimeoutStopSec */

struct job {
	char path[128];
	char result[32]; /* empty until the job is removed */
	struct {
		char path[128], result[32];
	} early[8]; /* jobs removed before StartUnit's answer told us which is ours */
	unsigned n_early;
};

/* The manager's private socket, as systemctl of root uses it: it works while the bus is restarted. */
static int connect_systemd(struct updater *u)
{
	sd_bus *bus = NULL;
	int r;

	if (u->systemd)
		return 0;
	r = sd_bus_new(&bus);
	if (r >= 0)
		r = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
	if (r >= 0)
		r = sd_bus_start(bus);
	if (r < 0) {
		sd_bus_unref(bus);
		bus = NULL;
		r = sd_bus_open_system(&bus);
	}
	if (r < 0)
		return error_set(&u->err, -ENOTCONN, "cannot reach systemd: %s", strerror(-r));
	u->systemd = bus;
	return 0;
}

static int call(struct updater *u, sd_bus_message **reply, const char *path, const char *interface, const char *member,
		const char *types, ...)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	va_list ap;
	int r = connect_systemd(u);

	if (r < 0)
		return r;
	r = sd_bus_message_new_method_call(u->systemd, &m, DESTINATION, path, interface, member);
	if (r >= 0 && types) {
		va_start(ap, types);
		r = sd_bus_message_appendv(m, types, ap);
		va_end(ap);
	}
	if (r >= 0)
		r = sd_bus_call(u->systemd, m, (uint64_t)JOB_SECONDS * 1000000, &error, reply);
	if (r < 0)
		(void)error_set(&u->err, r, "systemd: %s: %s", member, error.message ? error.message : strerror(-r));
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}

static int get_property(struct updater *u, const char *path, const char *interface, const char *name, char type, void *out,
			size_t size)
{
	sd_bus_message *reply = NULL;
	const char *s;
	char signature[2] = { type, '\0' };
	int r = call(u, &reply, path, "org.freedesktop.DBus.Properties", "Get", "ss", interface, name);

	if (r >= 0)
		r = sd_bus_message_enter_container(reply, 'v', signature);
	if (r >= 0 && type == 's') {
		r = sd_bus_message_read_basic(reply, 's', &s);
		if (r >= 0)
			(void)snprintf(out, size, "%s", s);
	} else if (r >= 0) {
		r = sd_bus_message_read_basic(reply, type, out);
	}
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

int systemd_unit_state(struct updater *u, const char *unit, struct unit_state *out)
{
	sd_bus_message *reply = NULL;
	const char *path = NULL;
	int need_reload = 0, r;

	*out = (struct unit_state){ .active = "inactive" };
	r = call(u, &reply, PATH, MANAGER, "LoadUnit", "s", unit);
	if (r >= 0)
		r = sd_bus_message_read_basic(reply, 'o', &path);
	if (r >= 0)
		r = get_property(u, path, DESTINATION ".Unit", "ActiveState", 's', out->active, sizeof(out->active));
	if (r >= 0)
		r = get_property(u, path, DESTINATION ".Unit", "SubState", 's', out->sub, sizeof(out->sub));
	if (r >= 0)
		r = get_property(u, path, DESTINATION ".Unit", "UnitFileState", 's', out->file, sizeof(out->file));
	if (r >= 0)
		r = get_property(u, path, DESTINATION ".Unit", "NeedDaemonReload", 'b', &need_reload, sizeof(need_reload));
	if (r >= 0 && strstr(unit, ".service")) {
		r = get_property(u, path, DESTINATION ".Service", "MainPID", 'u', &out->main_pid, sizeof(out->main_pid));
		if (r >= 0)
			r = get_property(u, path, DESTINATION ".Service", "NRestarts", 'u', &out->restarts, sizeof(out->restarts));
	}
	out->need_reload = need_reload;
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct job *job = userdata;
	const char *path, *unit, *result;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(m, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (*job->path) {
		if (strcmp(job->path, path) == 0)
			(void)snprintf(job->result, sizeof(job->result), "%s", result);
	} else if (job->n_early < 8) {
		(void)snprintf(job->early[job->n_early].path, sizeof(job->path), "%s", path);
		(void)snprintf(job->early[job->n_early++].result, sizeof(job->result), "%s", result);
	}
	return 0;
}

static int wait_for(struct updater *u, struct job *job, const char *what, const char *unit)
{
	time_t deadline = time(NULL) + JOB_SECONDS;

	for (unsigned i = 0; i < job->n_early; i++)
		if (strcmp(job->early[i].path, job->path) == 0)
			(void)snprintf(job->result, sizeof(job->result), "%s", job->early[i].result);
	while (!*job->result) {
		int r = sd_bus_process(u->systemd, NULL);

		if (r == 0)
			r = sd_bus_wait(u->systemd, 1000000);
		if (r < 0)
			return error_set(&u->err, r, "systemd: %s %s: %s", what, unit, strerror(-r));
		if (time(NULL) > deadline)
			return error_set(&u->err, -ETIMEDOUT, "systemd: %s %s: not done after %d s", what, unit, JOB_SECONDS);
	}
	if (strcmp(job->result, "done") != 0)
		return error_set(&u->err, -EIO, "%s: did not %s: %s (journalctl -u %s says why)", unit,
				 strcmp(what, "StopUnit") == 0 ? "stop" : "start", job->result, unit);
	return 0;
}

int systemd_job(struct updater *u, const char *method, const char *unit, bool wait)
{
	sd_bus_message *reply = NULL;
	sd_bus_slot *slot = NULL;
	struct job job = { .path = "" };
	const char *path;
	int r = connect_systemd(u);

	if (r < 0)
		return r;
	r = sd_bus_match_signal(u->systemd, &slot, NULL, PATH, MANAGER, "JobRemoved", on_job_removed, &job);
	if (r < 0)
		return error_set(&u->err, r, "systemd: %s", strerror(-r));
	(void)call(u, NULL, PATH, MANAGER, "Subscribe", NULL);
	r = call(u, &reply, PATH, MANAGER, method, "ss", unit, "replace");
	if (r == -ENOENT && strcmp(method, "StopUnit") == 0) {
		sd_bus_slot_unref(slot);
		return 0;
	}
	if (r >= 0)
		r = sd_bus_message_read_basic(reply, 'o', &path);
	if (r >= 0 && wait) {
		(void)snprintf(job.path, sizeof(job.path), "%s", path);
		r = wait_for(u, &job, method, unit);
	}
	sd_bus_slot_unref(slot);
	sd_bus_message_unref(reply);
	return r < 0 ? r : 0;
}

int systemd_reload(struct updater *u)
{
	return call(u, NULL, PATH, MANAGER, "Reload", NULL);
}

void systemd_reset_failed(struct updater *u, const char *unit)
{
	struct error kept = u->err;

	(void)call(u, NULL, PATH, MANAGER, "ResetFailedUnit", "s", unit);
	u->err = kept;
}

int systemd_enable(struct updater *u, const char *const *units, bool on)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int r = connect_systemd(u);

	if (r < 0)
		return r;
	r = sd_bus_message_new_method_call(u->systemd, &m, DESTINATION, PATH, MANAGER,
					   on ? "EnableUnitFiles" : "DisableUnitFiles");
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)(uintptr_t)units);
	if (r >= 0)
		r = on ? sd_bus_message_append(m, "bb", 0, 0) : sd_bus_message_append(m, "b", 0);
	if (r >= 0)
		r = sd_bus_call(u->systemd, m, 0, &error, NULL);
	if (r < 0)
		(void)error_set(&u->err, r, "systemd: cannot %s %s: %s", on ? "enable" : "disable", units[0],
				error.message ? error.message : strerror(-r));
	sd_bus_message_unref(m);
	sd_bus_error_free(&error);
	return r < 0 ? r : 0;
}
