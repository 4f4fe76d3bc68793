/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/inbox.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "agent/addon.h"
#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

#define TURN_LINES 256 /* between two looks at everything else */

static void forget_file(struct inbox *s)
{
	inbox_file_close(&s->file);
	s->name[0] = '\0';
	s->resumed = 0;
}

static void forget_names(struct inbox *s)
{
	free(s->names.v);
	s->names = (struct inbox_names){ NULL, 0 };
	s->next = 0;
}

static void set_aside(struct inbox *s, const char *name, const char *why)
{
	char text[512];
	struct error err;

	snprintf(text, sizeof(text), "%.128s: set aside: %.300s", name, why);
	if (inbox_dir_move(s->dir.taken, s->dir.quarantine, name, &err) < 0)
		snprintf(text, sizeof(text), "%s", err.text);
	else
		s->quarantined++;
	addon_complain(&s->error, text);
	(void)inbox_dir_prune(s->dir.quarantine, INBOX_QUARANTINE_FILES, INBOX_QUARANTINE_BYTES);
}

/* 1: there is a file whose lines are to be handed over; 0: nothing more is there. */
static int take_next(struct inbox *s)
{
	struct error err;
	const char *name;
	int r;

	if (s->next == s->names.n) { /* first what was taken and not finished, by this agent or the one before */
		forget_names(s);
		r = inbox_dir_list(s->dir.taken, &s->names);
		s->claimed = r == 0 && s->names.n > 0;
		if (r == 0 && !s->claimed)
			r = inbox_dir_list(s->dir.fd, &s->names);
		s->waiting = s->names.n;
		if (r < 0 || s->names.n == 0)
			return r;
	}
	name = s->names.v[s->next++];
	r = s->claimed ? 0 : inbox_dir_move(s->dir.fd, s->dir.taken, name, &err);
	if (r == 0)
		r = inbox_name_valid(name) ? inbox_file_open(s->dir.taken, name, s->dir.owner, &s->file, &err) :
					     error_set(&err, -EBADMSG, "the name is none of NAME" INBOX_SUFFIX);
	if (r == -ENOENT) /* the add-on took it back */
		return 1;
	if (r == -EBADMSG) {
		set_aside(s, name, err.text);
		return 1;
	}
	if (r < 0) {
		addon_complain(&s->error, err.text);
		return r;
	}
	snprintf(s->name, sizeof(s->name), "%s", name);
	return 1;
}

static int hand_over(struct inbox *s, struct json_object *record)
{
	size_t length;
	_cleanup_json_ struct json_object *o = json_object_new_object();

	if (!o)
		return -ENOMEM;
	json_object_object_add(o, "addonId", json_object_new_string(s->addon->id));
	json_object_object_add(o, "spoolFile", json_object_new_string(s->name));
	json_object_object_add(o, "line", json_object_new_int64(s->file.line));
	json_object_object_add(o, "record", json_object_get(record));
	sinks_record(&s->addon->agent->sinks, "addon_record", o);
	if (control_listens(s->addon->agent->control)) {
		const char *text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

		if (text)
			control_event(s->addon->agent->control, text, length);
	}
	return 0;
}

/* Some lines more: 1 when there may be others, 0 at the end of the file, negative when no sink took them: they are still to come. */
static int advance(struct inbox *s)
{
	struct sinks *sinks = &s->addon->agent->sinks;
	unsigned n = 0;
	int more = 1, r = 0;

	sinks_mark(sinks);
	while (n < TURN_LINES && r == 0) {
		_cleanup_json_ struct json_object *record = NULL;

		more = inbox_file_next(&s->file, &record);
		if (more <= 0)
			break;
		if (s->file.line <= s->resumed)
			continue;
		r = hand_over(s, record);
		n += r == 0;
	}
	sinks_flush(sinks);
	if (r < 0 || more < 0)
		return -ENOMEM;
	if (sinks_refused(sinks))
		return -EAGAIN;
	s->resumed = s->file.line > s->resumed ? s->file.line : s->resumed;
	s->records += n;
	return more;
}

/* What no sink takes waits; not without a limit. */
static void limit_waiting(struct inbox *s)
{
	unsigned n = inbox_dir_prune(s->dir.fd, INBOX_WAITING_FILES, INBOX_WAITING_BYTES);
	char text[24];

	if (n == 0)
		return;
	s->deleted += n;
	forget_names(s);
	snprintf(text, sizeof(text), "%u", n);
	log_event(LOG_LEVEL_ERROR, "too much waits in the spool: the oldest files were deleted", "addon", s->addon->id, "files", text, NULL);
}

static void wait_for_sink(struct inbox *s)
{
	s->file.offset = 0; /* from the first line that no sink has */
	s->file.line = 0;
	addon_complain(&s->error, "no sink takes its records; they wait");
	limit_waiting(s);
	sd_event_source_set_time(s->retry, clock_us() + backoff_next(&s->backoff));
	sd_event_source_set_enabled(s->retry, SD_EVENT_ONESHOT);
}

static int finish(struct inbox *s)
{
	struct error err;
	int r = inbox_dir_move(s->dir.taken, s->dir.ingested, s->name, &err);

	if (r < 0) {
		addon_complain(&s->error, err.text);
		return r;
	}
	s->files++;
	if (s->waiting > 0)
		s->waiting--;
	backoff_reset(&s->backoff);
	s->error[0] = '\0';
	forget_file(s);
	(void)inbox_dir_prune(s->dir.ingested, INBOX_INGESTED_FILES, UINT64_MAX);
	return 1;
}

/* One step: 1 when there is more to do, 0 when all is done, negative when it has to be tried again later. */
static int step(struct inbox *s)
{
	int r;

	if (!*s->name)
		return take_next(s);
	r = advance(s);
	return r != 0 ? r : finish(s);
}

static int on_work(sd_event_source *source, void *userdata)
{
	struct inbox *s = userdata;
	int r = step(s);

	if (r == -EAGAIN || r == -ENOMEM)
		wait_for_sink(s);
	if (r > 0)
		return 0;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (r < 0 && r != -EAGAIN && r != -ENOMEM)
		forget_file(s);
	status_write(s->addon);
	return 0;
}

static void work(struct inbox *s)
{
	sd_event_source_set_enabled(s->work, SD_EVENT_ON);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)source;
	(void)usec;
	work(userdata);
	return 0;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *e, void *userdata)
{
	struct inbox *s = userdata;
	int on = SD_EVENT_OFF;

	(void)source;
	(void)sd_event_source_get_enabled(s->retry, &on);
	if (on == SD_EVENT_OFF && (e->len == 0 || e->name[0] != '.'))
		work(s);
	return 0;
}

static void shut(struct inbox *s)
{
	s->watch = sd_event_source_disable_unref(s->watch);
	s->work = sd_event_source_disable_unref(s->work);
	s->retry = sd_event_source_disable_unref(s->retry);
	forget_file(s);
	forget_names(s);
	if (s->open)
		inbox_dir_close(&s->dir);
	s->open = false;
	s->waiting = 0;
}

static int watch(struct inbox *s)
{
	sd_event *event = s->addon->agent->event;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", s->dir.fd);
	if (sd_event_add_time(event, &s->retry, CLOCK_MONOTONIC, 0, 100000, on_retry, s) < 0 ||
	    sd_event_source_set_enabled(s->retry, SD_EVENT_OFF) < 0 || sd_event_add_defer(event, &s->work, on_work, s) < 0 ||
	    sd_event_source_set_priority(s->work, SD_EVENT_PRIORITY_IDLE) < 0)
		return -ENOMEM;
	if (sd_event_add_inotify(event, &s->watch, path, IN_MOVED_TO | IN_CLOSE_WRITE, on_inotify, s) < 0)
		log_warning("%s: cannot be watched; it is looked at once a minute", s->addon->manifest.spool_dir);
	return 0;
}

static int start(struct inbox *s, const char *user)
{
	struct addon *d = s->addon;
	struct error err;
	uid_t owner;
	int r;

	if (fs_lookup_user(d->agent->root, user, &owner, NULL) < 0)
		r = error_set(&err, -ENOENT, "run_as: there is no user %s", user);
	else
		r = inbox_dir_open(d->agent->rootfd, d->id, owner, &s->dir, &err);
	if (r < 0) {
		addon_complain(&s->error, err.text);
		return r;
	}
	s->open = true;
	s->error[0] = '\0';
	r = watch(s);
	if (r < 0)
		shut(s);
	return r;
}

/* Whether the directory that is open is still the one that has the name. */
static bool is_there(const struct inbox *s)
{
	char path[160];
	struct stat a, b;

	snprintf(path, sizeof(path), SR_SPOOL "/%s", s->addon->id);
	return fstat(s->dir.fd, &a) == 0 && fstatat(s->addon->agent->rootfd, path + 1, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

void inbox_follow(struct addon *d, bool wanted)
{
	struct inbox *s = &d->inbox;
	int on = SD_EVENT_OFF;

	s->addon = d;
	if (s->open && (!wanted || !is_there(s)))
		shut(s);
	if (!wanted) {
		s->error[0] = '\0';
		return;
	}
	if (!s->open) {
		s->backoff = (struct backoff){ .min_us = d->backoff.min_us / 5, .max_us = d->backoff.max_us };
		(void)start(s, manifest_user(&d->manifest));
		return;
	}
	(void)sd_event_source_get_enabled(s->retry, &on);
	if (on == SD_EVENT_OFF)
		work(s);
}

struct json_object *inbox_status(const struct inbox *s)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "waiting", json_object_new_int64((int64_t)s->waiting));
	json_object_object_add(o, "files", json_object_new_int64((int64_t)s->files));
	json_object_object_add(o, "records", json_object_new_int64((int64_t)s->records));
	json_object_object_add(o, "quarantined", json_object_new_int64((int64_t)s->quarantined));
	json_object_object_add(o, "deleted", json_object_new_int64((int64_t)s->deleted));
	json_object_object_add(o, "error", *s->error ? json_object_new_string(s->error) : NULL);
	return o;
}

void inbox_free(struct inbox *s)
{
	shut(s);
}
