/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an assignment and waiting for what follows from it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "agent/srctl/progress.h"
#include "agent/srctl/srctl.h"
#include "lib/assignment.h"
#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"
#include "lib/schema.h"

#define WAIT_US   30000000u /* and for as long again whenever more of a bundle has been fetched */
#define REDRAW_MS 250

static int build(struct srctl *s, const char *id, bool enable, int dir, struct json_object **out, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL, *schema = NULL, *config = NULL;
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_close_ int payload = -1;
	struct json_object *list;
	char path[256];
	int r;

	snprintf(path, sizeof(path), "%s.json", id);
	r = json_read_file(dir, path, &o, enable ? NULL : err);
	if (!enable) {
		if (r < 0)
			return r;
		json_object_object_add(o, "enabled", json_object_new_boolean(false));
		*out = steal_ptr(&o);
		return 0;
	}
	snprintf(path, sizeof(path), SR_PACKAGED_ADDONS "/%s", id);
	payload = fs_open_dir(s->rootfd, path, false, err);
	r = payload < 0 ? payload : manifest_read(payload, path, &m, err);
	if (r == 0)
		r = json_read_file(payload, m.config_schema, &schema, err);
	if (r == 0 && s->config)
		r = json_read_file(AT_FDCWD, s->config, &config, err);
	if (r < 0)
		return r;
	if (!config && o && json_object_object_get_ex(o, "config", &config))
		json_object_get(config);
	if (!config)
		config = json_object_new_object();
	schema_apply_defaults(schema, config);
	r = schema_validate(schema, config, s->config ? s->config : "config", "", err);
	if (r < 0)
		return r;
	if (!o)
		o = json_object_new_object();
	list = json_object_new_array();
	for (size_t i = 0; i < m.capabilities.n; i++)
		json_object_array_add(list, json_object_new_string(m.capabilities.v[i]));
	json_object_object_add(o, "addon_id", json_object_new_string(id));
	json_object_object_add(o, "enabled", json_object_new_boolean(true));
	json_object_object_add(o, "delivery",
			       json_object_new_string(delivery_name(m.delivery == DELIVERY_COMPILED_IN ? DELIVERY_COMPILED_IN : DELIVERY_OS_PACKAGE)));
	json_object_object_add(o, "approved_capabilities", list);
	json_object_object_add(o, "config", json_object_get(config));
	*out = steal_ptr(&o);
	return 0;
}

/* What the agent says that it does, and how much of a bundle it has fetched. */
struct work {
	struct progress progress;
	char what[128];
	uint64_t from, most; /* bytes: when this was said first; at any time */
};

/* True when more has been fetched than ever before. */
static bool follow(const struct srctl *s, struct work *w, const char *id, struct json_object *status)
{
	const char *doing = *text_at(status, "action") ? text_at(status, "action") : text_at(status, "state");
	struct progress_at at = { .what = w->what, .bytes = *text_at(status, "fetch.bytes") };
	bool more;
	char what[128], text[32];

	at.done = strtoull(text_at(status, "fetch.bytes"), NULL, 10);
	at.total = strtoull(text_at(status, "fetch.total"), NULL, 10);
	(void)snprintf(what, sizeof(what), "%s: %s", id, printable(doing, text, sizeof(text)));
	if (strcmp(what, w->what) != 0) {
		progress_clear(&w->progress);
		progress_begin(&w->progress, s->json || !*doing);
		memcpy(w->what, what, sizeof(what));
		w->from = at.done;
	}
	at.from = w->from;
	if (progress_due(&w->progress))
		progress_draw(&w->progress, &at);
	more = at.done > w->most;
	w->most = more ? at.done : w->most;
	return more;
}

static void print_failure(const char *id, const char *state, const char *want, const char *error)
{
	char is[32], why[512];

	fprintf(stderr, "srctl: %s is %s, not %s: %s (srctl addon status %s says more)\n", id,
		*state ? printable(state, is, sizeof(is)) : "without a status", want,
		*error ? printable(error, why, sizeof(why)) : "is serviceradar-agent running?", id);
}

/* Until the agent has taken the assignment in and is in the state `want`. */
static int wait_for(struct srctl *s, const char *id, const char *want, const char *mark)
{
	_cleanup_close_ int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	_cleanup_close_ int dir = fs_open_dir(s->rootfd, SR_STATUS, false, NULL);
	uint64_t end = clock_us() + WAIT_US;
	struct work w = { .what = "" };
	char name[64], events[4096];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", dir);
	if (notify >= 0 && dir >= 0)
		inotify_add_watch(notify, name, IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE | IN_DELETE);
	for (;;) {
		_cleanup_json_ struct json_object *o = read_status(s, id);
		struct pollfd p = { .fd = notify, .events = POLLIN };
		const char *state = text_at(o, "state");
		bool taken_in = !strcmp(text_at(o, "desired.assignment"), mark);

		if (follow(s, &w, id, o))
			end = clock_us() + WAIT_US;
		if (taken_in && !strcmp(state, want)) {
			progress_clear(&w.progress);
			printf("%s is %s.\n", id, want);
			return EXIT_DONE;
		}
		if ((taken_in && (!strcmp(state, "failed") || !strcmp(state, "unsupported"))) || clock_us() >= end) {
			progress_clear(&w.progress);
			print_failure(id, state, want, text_at(o, "last_error"));
			return *state ? EXIT_FAILED : EXIT_NO_AGENT;
		}
		if (poll(&p, 1, REDRAW_MS) > 0 && read(notify, events, sizeof(events)) < 0 && errno != EAGAIN) {
			progress_clear(&w.progress);
			return EXIT_FAILED;
		}
	}
}

int put_assignment(struct srctl *s, const char *id, struct json_object *o, const char *state)
{
	_cleanup_close_ int dir = -1;
	struct error err = { 0 };
	char mark[ASSIGNMENT_MARK_BYTES], name[80];
	struct stat st;
	const char *text;
	gid_t gid = (gid_t)-1;

	snprintf(name, sizeof(name), "%s.json", id);
	dir = fs_make_dirs(s->rootfd, SR_ASSIGNMENTS, 0755, &err);
	fs_lookup_user(s->root, SR_USER, NULL, &gid);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (dir < 0 || fs_write_atomic(dir, name, text, strlen(text), 0640, 0, gid, &err) < 0) {
		fprintf(stderr, "srctl: %s\n", err.text);
		return EXIT_FAILED;
	}
	if (s->no_wait)
		return EXIT_DONE;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		fprintf(stderr, "srctl: " SR_ASSIGNMENTS "/%s: %s\n", name, strerror(errno));
		return EXIT_FAILED;
	}
	assignment_mark(&st, mark);
	return wait_for(s, id, state, mark);
}

bool needs_root(const char *id)
{
	if (geteuid() == 0)
		return false;
	fprintf(stderr, "srctl: " SR_ASSIGNMENTS "/%s.json: only root may write it: use sudo\n", id);
	return true;
}

int assign_and_wait(struct srctl *s, const char *id, bool enable)
{
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_close_ int dir = -1;
	struct error err = { 0 };

	if (enable && !addon_installed(s, id)) {
		fprintf(stderr, "srctl: %s: no such add-on is installed; apt install serviceradar-%s. Installed:\n", id, id);
		verb_addon_list(s, NULL);
		return EXIT_NOT_DONE;
	}
	if (needs_root(id))
		return EXIT_NOT_DONE;
	dir = fs_make_dirs(s->rootfd, SR_ASSIGNMENTS, 0755, &err);
	if (dir < 0 || build(s, id, enable, dir, &o, &err) < 0) {
		fprintf(stderr, "srctl: %s\n", err.text);
		return EXIT_NOT_DONE;
	}
	return put_assignment(s, id, o, enable ? "active" : "disabled");
}

int verb_addon_enable(struct srctl *s, const char *id)
{
	return assign_and_wait(s, id, true);
}

int verb_addon_disable(struct srctl *s, const char *id)
{
	return assign_and_wait(s, id, false);
}
