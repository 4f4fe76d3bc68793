/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <systemd/sd-bus.h>

#include "agent/srctl/srctl.h"
#include "lib/fs.h"
#include "lib/json.h"
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

int verb_doctor(struct srctl *s, const char *unused)
{
	_cleanup_json_ struct json_object *list = json_object_new_array(), *netprobe = read_status(s, "netprobe");
	struct report r = { .s = s, .list = list };
	struct utsname u;
	struct statvfs v;
	unsigned major = 0, minor = 0;
	int fd;

	(void)unused;
	uname(&u);
	if (sscanf(u.release, "%u.%u", &major, &minor) != 2)
		major = 0;
	say(&r, major > 5 || (major == 5 && minor >= 8) ? GOOD : BAD, "kernel 5.8 or later", "boot a newer kernel");
	say(&r, access("/sys/kernel/btf/vmlinux", R_OK) == 0 ? GOOD : BAD, "kernel type information (BTF)",
	    "/sys/kernel/btf/vmlinux is missing: use a kernel with CONFIG_DEBUG_INFO_BTF=y");
	say(&r, fs_lookup_user(s->root, SR_USER, NULL, NULL) == 0 ? GOOD : BAD, "user serviceradar exists",
	    "systemd-sysusers");
	if (fstatvfs(s->rootfd, &v) == 0 && statvfs("/var/lib", &v) == 0) {
		say(&r, v.f_flag & ST_NOEXEC ? BAD : GOOD, "/var/lib allows programs", "mounted noexec: remount it exec");
		say(&r, v.f_flag & ST_NOSUID ? WARN : GOOD, "/var/lib allows file capabilities",
		    "mounted nosuid: ambient capabilities are used instead");
	}
	check_bus(&r);
	fd = agent_request(s, "{\"request\":\"status\"}\n");
	say(&r, fd >= 0 ? GOOD : BAD, "the agent's socket answers", "see above");
	if (fd >= 0)
		close(fd);
	say(&r, addon_installed(s, "netprobe") ? GOOD : WARN, "netprobe is installed", "apt install serviceradar-netprobe");
	say(&r, netprobe && !strcmp(text_at(netprobe, "state"), "active") ? GOOD : WARN, "netprobe is active",
	    "srctl addon enable netprobe; srctl addon status netprobe");
	if (s->json)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	return r.failed ? 1 : EXIT_DONE;
}
