/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <systemd/sd-bus.h>

#include "agent/srctl/srctl.h"
#include "lib/caps.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

enum grade { GOOD, WARN, BAD };

struct report {
	struct srctl *s;
	struct json_object *list;
	bool failed;
};

static void say(struct report *r, enum grade g, const char *what, const char *todo)
{
	static const char *const names[] = { "ok", "warn", "fail" }, *const colors[] = { "\033[32m", "\033[33m", "\033[31m" };
	struct json_object *o;

	r->failed |= g == BAD;
	if (!r->s->json) {
		printf("%s%-5s%s %s%s%s\n", color(r->s, colors[g]), names[g], color(r->s, "\033[0m"), what,
		       g == GOOD ? "" : ": ", g == GOOD ? "" : todo);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "check", json_object_new_string(what));
	json_object_object_add(o, "result", json_object_new_string(names[g]));
	json_object_object_add(o, "advice", g == GOOD ? NULL : json_object_new_string(todo));
	json_object_array_add(r->list, o);
}

static void check_bus(struct report *r)
{
	sd_bus_error e = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	sd_bus *bus = NULL;
	char *state = NULL;
	int rc;

	if (sd_bus_open_system(&bus) < 0) {
		say(r, BAD, "system bus", "not reachable: is dbus running?");
		return;
	}
	sd_bus_set_method_call_timeout(bus, 10000000);
	rc = sd_bus_get_property_string(bus, "org.freedesktop.systemd1",
					"/org/freedesktop/systemd1/unit/serviceradar_2dagent_2eservice",
					"org.freedesktop.systemd1.Unit", "ActiveState", NULL, &state);
	say(r, rc >= 0 && !strcmp(state, "active") ? GOOD : BAD, "serviceradar-agent.service is active",
	    "systemctl enable --now serviceradar-agent");
	rc = sd_bus_call_method(bus, SR_BUS_NAME, SR_BUS_PATH, SR_BUS_NAME, "Status", &e, &reply, "s", "");
	if (rc < 0 && sd_bus_error_has_name(&e, SD_BUS_ERROR_ACCESS_DENIED))
		say(r, WARN, "bus policy lets this user ask agent-updater", "run srctl doctor as root to check it");
	else
		say(r, rc >= 0 ? GOOD : BAD, "agent-updater answers on the bus",
		    "reinstall serviceradar-agent, then systemctl reload dbus");
	sd_bus_error_free(&e);
	sd_bus_message_unref(reply);
	free(state);
	sd_bus_flush_close_unref(bus);
}

/* Where the payload is and whether its capabilities can reach the process. True for one that is inside the agent: there is nothing to
 * look at. */
static bool check_payload(struct report *r, const char *id, bool active, const char *grant_mode)
{
	_cleanup_close_ int dir = -1, binary = -1;
	_cleanup_manifest_ struct manifest m = { 0 };
	char path[256], what[384], todo[512];
	struct error err = { .text = "" };
	struct statvfs fs;
	caps_mask mask = 0;
	bool effective = false;

	snprintf(path, sizeof(path), SR_PACKAGED_ADDONS "/%.64s", id);
	dir = fs_open_dir(r->s->rootfd, path, false, &err);
	if (dir < 0 || manifest_read(dir, path, &m, &err) < 0 || manifest_unsupported(&m, true, &err) != SUPPORTED) {
		snprintf(what, sizeof(what), "%.64s: its payload fits this host", id);
		say(r, BAD, what, err.text);
		return false;
	}
	if (m.supervision == SUPERVISION_CONFIG_TOGGLE)
		return true;
	if (fstatvfs(dir, &fs) == 0) {
		snprintf(what, sizeof(what), "%.64s: %s allows programs", id, path);
		snprintf(todo, sizeof(todo), "mounted noexec: mount -o remount,exec the file system of %s", path);
		say(r, fs.f_flag & ST_NOEXEC ? BAD : GOOD, what, todo);
		snprintf(what, sizeof(what), "%.64s: %s allows file capabilities", id, path);
		say(r, fs.f_flag & ST_NOSUID ? WARN : GOOD, what, "mounted nosuid: ambient capabilities alone are used");
	}
	if (!active || strcmp(grant_mode, "file+ambient") != 0)
		return false;
	binary = fs_open_file(dir, m.exec.binary, path, NULL);
	if (binary < 0)
		return false; /* only root and the service's group may look */
	snprintf(what, sizeof(what), "%.64s: its binary has the capabilities that it declares", id);
	snprintf(todo, sizeof(todo), "agent-updater grant %.64s, then systemctl restart " SR_UNIT_PREFIX "%.64s", id, id);
	say(r, caps_get_file(binary, &mask, &effective, NULL) == 0 && mask == m.requires.os_capabilities ? GOOD : BAD, what, todo);
	return false;
}

/* False when there is nothing to say of it. */
static bool check_addon(struct report *r, const char *id)
{
	_cleanup_json_ struct json_object *status = read_status(r->s, id);
	const char *state = status ? text_at(status, "state") : "";
	bool enabled = status && strcmp(text_at(status, "desired.enabled"), "true") == 0;
	bool up = strcmp(state, "active") == 0 || strcmp(state, "degraded") == 0;
	char what[384], todo[512];

	if (check_payload(r, id, up, status ? text_at(status, "grant_mode") : "") && !enabled)
		return false;
	snprintf(what, sizeof(what), "%.64s is active", id);
	if (enabled)
		snprintf(todo, sizeof(todo), "%.32s: srctl addon status %.64s says why", *state ? state : "no status", id);
	else
		snprintf(todo, sizeof(todo), "not assigned: srctl addon enable %.64s", id);
	say(r, strcmp(state, "active") == 0 ? GOOD : (enabled ? BAD : WARN), what, todo);
	return true;
}

/* What was a part of the single package, and whose own package is not here. */
static void check_sidecars(struct report *r)
{
	_cleanup_close_ int fd = fs_open_dir(r->s->rootfd, SR_SIDECARS, false, NULL);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;

	while (dir && (e = readdir(dir))) {
		_cleanup_close_ int payload = -1;
		size_t n = strlen(e->d_name);
		char id[65], path[256], what[384], todo[512];

		if (n <= 5 || n - 5 >= sizeof(id) || strcmp(e->d_name + n - 5, ".json") != 0)
			continue;
		snprintf(id, sizeof(id), "%.*s", (int)(n - 5), e->d_name);
		snprintf(path, sizeof(path), SR_PACKAGED_ADDONS "/%s", id);
		payload = addon_id_valid(id) ? fs_open_dir(r->s->rootfd, path, false, NULL) : -1;
		if (payload >= 0 || !addon_id_valid(id))
			continue;
		snprintf(what, sizeof(what), "%s, which was a part of serviceradar-agent before, is installed", id);
		snprintf(todo, sizeof(todo), "install serviceradar-%s: it takes " SR_SIDECARS "/%s.json over; or remove that file", id, id);
		say(r, WARN, what, todo);
	}
}

static void check_addons(struct report *r)
{
	_cleanup_close_ int fd = fs_open_dir(r->s->rootfd, SR_PACKAGED_ADDONS, false, NULL);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;
	unsigned n = 0;

	while (dir && (e = readdir(dir))) {
		n += addon_id_valid(e->d_name) && check_addon(r, e->d_name);
	}
	if (n == 0)
		say(r, WARN, "an add-on is installed", "none is: install serviceradar-netprobe with apt or dnf");
}

struct sink_check {
	struct report *report;
	struct json_object *directories; /* of the sinks' queues, as keys */
};

static void check_sink(struct json_object *o, void *userdata)
{
	struct sink_check *c = userdata;
	char name[64], error[256], what[384], todo[512];
	char *slash;

	printable(text_at(o, "name"), name, sizeof(name));
	(void)snprintf(what, sizeof(what), "sink %s takes events", name);
	(void)snprintf(todo, sizeof(todo), "%s; %s bytes wait", printable(text_at(o, "error"), error, sizeof(error)), text_at(o, "waiting_bytes"));
	say(c->report, json_object_get_boolean(json_object_object_get(o, "connected")) ? GOOD : WARN, what, todo);
	slash = strchr(name, '/');
	if (slash)
		*slash = '-';
	json_object_object_add(c->directories, name, NULL);
}

/* Whether events arrive, and queues that no sink has. Only root may look at these. */
static void check_sinks(struct report *r)
{
	_cleanup_json_ struct json_object *directories = json_object_new_object();
	struct sink_check c = { r, directories };
	_cleanup_close_ int fd = -1;
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *e;

	if (agent_stream(r->s, "{\"request\":\"sinks\"}\n", "sink", check_sink, &c) != EXIT_DONE)
		return;
	fd = fs_open_dir(r->s->rootfd, SR_SINKS, false, NULL);
	dir = fdopendir_steal(&fd);
	while (dir && (e = readdir(dir))) {
		char what[384], todo[512], name[64];

		if (e->d_name[0] == '.' || json_object_object_get_ex(directories, e->d_name, NULL))
			continue;
		(void)snprintf(what, sizeof(what), "queue %s belongs to a sink", printable(e->d_name, name, sizeof(name)));
		(void)snprintf(todo, sizeof(todo), "no settings name it: its events stay until some do; rm -r " SR_SINKS "/%s if nobody wants them", name);
		say(r, WARN, what, todo);
	}
}

int verb_doctor(struct srctl *s, const char *unused)
{
	_cleanup_json_ struct json_object *list = json_object_new_array();
	struct report r = { .s = s, .list = list };
	struct utsname u;
	unsigned major = 0, minor = 0;
	int fd;

	(void)unused;
	uname(&u);
	if (sscanf(u.release, "%u.%u", &major, &minor) != 2)
		major = 0;
	say(&r, major > 5 || (major == 5 && minor >= 12) ? GOOD : BAD, "kernel 5.12 or later", "boot a newer kernel");
	say(&r, access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? GOOD : BAD, "kernel type information (BTF)",
	    "/sys/kernel/btf/vmlinux is missing: use a kernel with CONFIG_DEBUG_INFO_BTF=y");
	say(&r, fs_lookup_user(s->root, SR_USER, NULL, NULL) == 0 ? GOOD : BAD, "user serviceradar exists",
	    "systemd-sysusers");
	check_bus(&r);
	fd = agent_request(s, "{\"request\":\"status\"}\n");
	say(&r, fd >= 0 ? GOOD : BAD, "the agent's socket answers", "see above");
	if (fd >= 0) {
		close(fd);
		check_sinks(&r);
	}
	check_addons(&r);
	check_sidecars(&r);
	if (s->json)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	return r.failed ? 1 : EXIT_DONE;
}
