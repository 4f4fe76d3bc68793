/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/hostcheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/caps.h"
#include "lib/json.h"
#include "netprobe/attribute.h"
#include "netprobe/tap.h"
#include "netprobe/privilege.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"

const char *hostcheck_kernel(void)
{
	static struct utsname name;

	if (!*name.release && uname(&name) < 0)
		return "";
	return name.release;
}

static int check_kernel(struct error *err)
{
	unsigned int major = 0, minor = 0;

	if (sscanf(hostcheck_kernel(), "%u.%u", &major, &minor) != 2)
		return error_set(err, -ENOTSUP, "kernel: release \"%s\" cannot be read", hostcheck_kernel());
	if (major < 5 || (major == 5 && minor < 12))
		return error_set(err, -ENOTSUP, "kernel: %s is older than 5.12, the first whose tracing programs can keep data with a socket",
				 hostcheck_kernel());
	return 0;
}

static int check_btf(struct error *err)
{
	if (access(BTF_PATH, R_OK) == 0)
		return 0;
	return error_set(err, -ENOTSUP, "btf: %s: %s: a kernel built with CONFIG_DEBUG_INFO_BTF is needed", BTF_PATH,
			 strerror(errno));
}

static int check_caps(struct error *err)
{
	struct caps_process own;
	caps_mask missing;
	char text[128];
	int r = caps_of_process(getpid(), &own, err);

	if (r < 0)
		return r;
	missing = privilege_wanted() & ~own.permitted;
	if (!missing)
		return 0;
	return error_set(err, -ENOTSUP, "capabilities: %s not permitted: activate the add-on with agent-updater, which grants them",
			 caps_format(missing, text, sizeof(text)));
}

static int (*const checks[])(struct error *) = { check_kernel, check_btf, check_caps };
static const char *const names[] = { "kernel", "btf", "capabilities" };
#define N_CHECKS (sizeof(checks) / sizeof(checks[0]))

int hostcheck(struct error *err)
{
	for (size_t i = 0; i < N_CHECKS; i++) {
		int r = checks[i](err);

		if (r < 0)
			return -ENOTSUP;
	}
	return 0;
}

static void ignore_event(const struct event *event, void *userdata)
{
	(void)event;
	(void)userdata;
}

static void say(struct json_object *list, const char *name, bool ok, const char *detail)
{
	struct json_object *entry;

	if (!list) {
		printf("%-4s %-32s %s\n", ok ? "ok" : "FAIL", name, detail);
		return;
	}
	entry = json_object_new_object();
	json_object_object_add(entry, "check", json_object_new_string(name));
	json_object_object_add(entry, "ok", json_object_new_boolean(ok));
	json_object_object_add(entry, "detail", json_object_new_string(detail));
	json_object_array_add(list, entry);
}

/* Each program is really loaded and attached for a moment. */
static bool print_programs(struct json_object *list)
{
	struct attribution *a = NULL;
	const char *name, *state;
	struct error err = { .text = "" };

	if (attribution_open(&a, NULL, ignore_event, NULL, &err) < 0) {
		say(list, "programs", false, err.text);
		return false;
	}
	for (unsigned i = 0; attribution_program(a, i, &name, &state); i++)
		say(list, name, true, state); /* each can be done without: something stands in, or --check fails above */
	attribution_close(a);
	return true;
}

static void ignore_packet(const struct tap_packet *packet, void *userdata)
{
	(void)packet;
	(void)userdata;
}

static enum tap_answer ignore_flow(const struct tap_flow *flow, enum tap_why why, void *userdata)
{
	(void)flow;
	(void)why;
	(void)userdata;
	return TAP_KEEP;
}

/* Which tap would be taken, and its programs. */
static bool print_tap(struct json_object *list)
{
	const struct tap_options options = { .budget = 1, .packet = ignore_packet, .flow = ignore_flow };
	const char *name, *state;
	struct error err = { .text = "" };
	struct tap *tap;

	if (tap_open(&tap, &options, &err) < 0) {
		say(list, "tap", false, err.text);
		return false;
	}
	say(list, "tap", true, tap_kind_name(tap_kind(tap)));
	for (unsigned i = 0; tap_program(tap, i, &name, &state); i++)
		say(list, name, true, state);
	tap_close(tap);
	return true;
}

bool hostcheck_print(bool json)
{
	_cleanup_json_ struct json_object *object = json ? json_object_new_object() : NULL;
	struct json_object *list = json ? json_object_new_array() : NULL;
	bool all = true;

	for (size_t i = 0; i < N_CHECKS; i++) {
		struct error err = { .text = "" };
		bool ok = checks[i](&err) == 0;
		const char *detail = err.text + (ok ? 0 : strlen(names[i]) + 2);

		if (ok)
			detail = i == 0 ? hostcheck_kernel() : (i == 1 ? BTF_PATH : "cap_net_raw,cap_bpf,cap_perfmon");
		say(list, names[i], ok, detail);
		all = all && ok;
	}
	/* Without the conditions above they are not tried: the errors would be of no use. */
	all = all && print_programs(list);
	all = all && print_tap(list);
	if (json) {
		json_object_object_add(object, "ok", json_object_new_boolean(all));
		json_object_object_add(object, "checks", list);
		puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	}
	return all;
}
