/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/paths.h"

static int read_object(struct updater *u, const char *id, const char *name, struct json_object **out)
{
	_cleanup_close_ int dir = payload_state_dir(u, id, false);
	struct error err;
	int r;

	if (dir < 0)
		return dir;
	r = json_read_file(dir, name, out, &err);
	if (r < 0 && r != -ENOENT)
		return error_set(&u->err, r, SR_ADDONS "/%s/%s", id, err.text);
	return r;
}

int state_read(struct updater *u, const char *id, struct state *out)
{
	_cleanup_json_ struct json_object *o = NULL;
	int r = read_object(u, id, "state.json", &o);

	*out = (struct state){ 0 };
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	out->activated = json_flag(o, "activated");
	out->removing = json_flag(o, "removing");
	(void)snprintf(out->label, sizeof(out->label), "%s", json_text(o, "active"));
	(void)snprintf(out->version, sizeof(out->version), "%s", json_text(o, "active_version"));
	(void)snprintf(out->previous, sizeof(out->previous), "%s", json_text(o, "previous"));
	(void)snprintf(out->highest, sizeof(out->highest), "%s", json_text(o, "highest_version"));
	if (!payload_label_valid(out->label) || !payload_label_valid(out->previous) || (*out->highest && !semver_valid(out->highest)) ||
	    (out->activated && !*out->label)) {
		*out = (struct state){ 0 };
		return error_set(&u->err, -EINVAL, SR_ADDONS "/%s/state.json: active, previous or highest_version is no version", id);
	}
	(void)snprintf(out->sha256, sizeof(out->sha256), "%s", json_text(o, "binary_sha256"));
	(void)snprintf(out->mark, sizeof(out->mark), "%s", json_text(o, "binary_mark"));
	(void)snprintf(out->last_error, sizeof(out->last_error), "%s", json_text(o, "last_error"));
	for (enum grant_mode m = GRANT_NONE; m <= GRANT_AMBIENT; m++)
		if (strcmp(json_text(o, "grant_mode"), grant_mode_name(m)) == 0)
			out->grant = m;
	return 0;
}

void state_to_json(const struct state *s, struct json_object *out)
{
	json_object_object_add(out, "activated", json_object_new_boolean(s->activated));
	if (s->removing)
		json_object_object_add(out, "removing", json_object_new_boolean(true));
	json_object_object_add(out, "active", json_object_new_string(s->label));
	json_object_object_add(out, "active_version", json_object_new_string(s->version));
	json_object_object_add(out, "previous", json_object_new_string(s->previous));
	json_object_object_add(out, "highest_version", json_object_new_string(s->highest));
	json_object_object_add(out, "binary_sha256", json_object_new_string(s->sha256));
	json_object_object_add(out, "binary_mark", json_object_new_string(s->mark));
	json_object_object_add(out, "grant_mode", json_object_new_string(grant_mode_name(s->grant)));
	json_object_object_add(out, "last_error", json_object_new_string(s->last_error));
}

static int write_object(struct updater *u, const char *id, const char *name, mode_t mode, struct json_object *o)
{
	_cleanup_close_ int dir = payload_state_dir(u, id, true);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);

	return dir < 0 ? dir : fs_write_atomic(dir, name, text, strlen(text), mode, (uid_t)-1, (gid_t)-1, &u->err);
}

int state_write(struct updater *u, const char *id, const struct state *s)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	time_t now = time(NULL);
	struct tm tm;
	char text[32];

	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	json_object_object_add(o, "id", json_object_new_string(id));
	state_to_json(s, o);
	json_object_object_add(o, "changed_at", json_object_new_string(text));
	return write_object(u, id, "state.json", 0644, o);
}

static const char *const journal_names[] = { "", "activate", "deactivate", "remove" };

int journal_begin(struct updater *u, const char *id, const struct journal *j)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	int r;

	json_object_object_add(o, "verb", json_object_new_string(journal_names[j->verb]));
	json_object_object_add(o, "running", json_object_new_boolean(j->running));
	if (j->disabled)
		json_object_object_add(o, "disabled", json_object_new_boolean(true));
	r = write_object(u, id, "journal", 0600, o);
	if (r < 0) { /* it may be there, only not for certain */
		struct error why = u->err;

		(void)journal_end(u, id);
		u->err = why;
	}
	return r;
}

int journal_end(struct updater *u, const char *id)
{
	_cleanup_close_ int dir = payload_state_dir(u, id, false);

	if (dir < 0)
		return dir;
	if (unlinkat(dir, "journal", 0) < 0 && errno != ENOENT)
		return error_set(&u->err, -errno, SR_ADDONS "/%s/journal: %s", id, strerror(errno));
	if (fsync(dir) < 0)
		return error_set(&u->err, -errno, SR_ADDONS "/%s: cannot sync: %s", id, strerror(errno));
	return 0;
}

struct journal journal_read(struct updater *u, const char *id)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct journal j = { JOURNAL_ACTIVATE, true, false };
	struct json_object *v;
	const char *verb;
	int r = read_object(u, id, "journal", &o);

	if (r == -ENOENT)
		return (struct journal){ JOURNAL_NONE, false, false };
	if (r < 0)
		return j;
	verb = json_text(o, "verb");
	for (enum journal_verb i = JOURNAL_ACTIVATE; i <= JOURNAL_REMOVE; i++)
		if (strcmp(verb, journal_names[i]) == 0)
			j.verb = i;
	j.running = !json_object_object_get_ex(o, "running", &v) || json_object_get_boolean(v);
	j.disabled = json_flag(o, "disabled");
	return j;
}
