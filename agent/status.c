/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "agent/addon.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

static void add_text(struct json_object *o, const char *key, const char *s)
{
	json_object_object_add(o, key, s && *s ? json_object_new_string(s) : NULL);
}

static void add_time(struct json_object *o, const char *key, int64_t t)
{
	char text[32];
	struct tm tm;
	time_t when = (time_t)t;

	gmtime_r(&when, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_object_add(o, key, json_object_new_string(text));
}

/* Why what is wanted is not active. */
static const char *obstacle(const struct addon *d)
{
	return d->facts.not_approved ? d->approval_error : d->call_error;
}

static const char *reason_text(const struct addon *d, enum drift_reason r)
{
	switch (r) {
	case DRIFT_CONFIG_REJECTED:
		return d->ipc.config_rejected ? d->ipc.error : d->assignment_error;
	case DRIFT_IPC_DISCONNECTED:
		return d->ipc.error;
	case DRIFT_ASSIGNED_NOT_ACTIVE:
	case DRIFT_UNIT_FAILED:
	case DRIFT_VERSION_MISMATCH:
	case DRIFT_KEY_REVOKED:
		return obstacle(d);
	case DRIFT_ASSIGNED_NOT_INSTALLED:
		return d->facts.pushed ? obstacle(d) : d->payload_error;
	case DRIFT_ARCH_UNSUPPORTED:
	case DRIFT_PLATFORM_UNSUPPORTED:
	case DRIFT_BASE_AGENT_TOO_OLD:
		return d->payload_error[0] ? d->payload_error : d->call_error;
	case DRIFT_BINARY_MODIFIED:
		return d->modified;
	case DRIFT_UNIT_MODIFIED:
		return d->modified_unit;
	default:
		return "";
	}
}

static const char *last_error(const struct addon *d)
{
	if (d->assignment_error[0])
		return d->assignment_error;
	if (d->verdict.state == STATE_ACTIVE && !d->verdict.drift)
		return ""; /* what went wrong before is over */
	if (d->facts.assigned && d->facts.enabled && d->payload_error[0])
		return d->payload_error;
	if (*obstacle(d))
		return obstacle(d);
	return d->facts.enabled ? d->ipc.error : "";
}

static void add_action(struct json_object *o, const struct addon *d)
{
	struct json_object *part;
	uint64_t bytes, total;

	add_text(o, "action", d->facts.call_pending ? action_name(d->action) : "");
	if (!delivery_progress(d, &bytes, &total))
		return;
	part = json_object_new_object();
	json_object_object_add(part, "bytes", json_object_new_int64((int64_t)bytes));
	json_object_object_add(part, "total", total ? json_object_new_int64((int64_t)total) : NULL);
	json_object_object_add(o, "fetch", part);
}

struct json_object *addon_status(const struct addon *d)
{
	struct json_object *o = json_object_new_object(), *part, *list;
	const struct addon_facts *f = &d->facts;

	add_text(o, "addon_id", d->id);
	add_text(o, "state", state_name(d->verdict.state));
	add_action(o, d);
	part = json_object_new_object();
	json_object_object_add(part, "enabled", json_object_new_boolean(f->assigned && f->enabled));
	json_object_object_add(part, "assigned", json_object_new_boolean(f->assigned));
	add_text(part, "assignment", d->mark);
	add_text(part, "version", f->want_version);
	add_text(part, "delivery", d->want_delivery);
	add_text(part, "source", f->assigned ? d->source : "");
	json_object_object_add(part, "overrides_pushed", json_object_new_boolean(d->overridden));
	json_object_object_add(o, "desired", part);
	list = json_object_new_array();
	if (f->installed)
		json_object_array_add(list, json_object_new_string(d->manifest.version));
	json_object_object_add(o, "installed_versions", list);
	add_text(o, "active_version", f->activated ? f->version : "");
	add_text(o, "arch", strchr(platform_name(), '/') + 1);
	add_text(o, "grant_mode", d->grant_mode);
	part = json_object_new_object();
	add_text(part, "name", d->unit.name);
	add_text(part, "active_state", f->unit.active_state);
	add_text(part, "sub_state", f->unit.sub_state);
	add_text(part, "unit_file_state", f->unit.file_state);
	json_object_object_add(part, "main_pid", json_object_new_int64(f->unit.main_pid));
	json_object_object_add(part, "n_restarts", json_object_new_int64(f->unit.n_restarts));
	json_object_object_add(o, "unit", part);
	if (*d->run.name) {
		part = json_object_new_object();
		add_text(part, "name", d->run.name);
		add_text(part, "active_state", f->run.active_state);
		add_text(part, "sub_state", f->run.sub_state);
		json_object_object_add(o, "run", part);
	}
	if (f->spools)
		json_object_object_add(o, "spool", inbox_status(&d->inbox));
	part = json_object_new_object();
	json_object_object_add(part, "connected", json_object_new_boolean(d->ipc.connected));
	add_time(part, "since", d->ipc.since_s ? d->ipc.since_s : d->changed_at);
	json_object_object_add(part, "last_ping_ms", json_object_new_int64(d->ipc.last_ping_ms));
	json_object_object_add(part, "events", json_object_new_int64((int64_t)d->ipc.events));
	json_object_object_add(part, "dropped", json_object_new_int64((int64_t)d->ipc.dropped));
	json_object_object_add(part, "sink_dropped", json_object_new_int64((int64_t)sinks_dropped(&d->agent->sinks)));
	json_object_object_add(part, "connects", json_object_new_int64((int64_t)d->ipc.reconnects));
	json_object_object_add(o, "ipc", part);
	part = json_object_new_object();
	json_object_object_add(part, "available",
			       d->ipc.capture_known ? json_object_new_boolean(d->ipc.capture_available) : NULL);
	add_text(part, "reason", d->ipc.capture_reason);
	json_object_object_add(o, "capture", part);
	list = json_object_new_array();
	for (int r = 0; r < DRIFT_REASONS; r++) {
		if (!drift_has(d->verdict.drift, (enum drift_reason)r))
			continue;
		part = json_object_new_object();
		add_text(part, "reason", drift_name((enum drift_reason)r));
		add_text(part, "detail", reason_text(d, (enum drift_reason)r));
		json_object_array_add(list, part);
	}
	json_object_object_add(o, "drift", list);
	add_text(o, "last_error", last_error(d));
	add_time(o, "changed_at", d->changed_at);
	return o;
}

void status_write(struct addon *d)
{
	_cleanup_json_ struct json_object *o = addon_status(d);
	_cleanup_close_ int dir = fs_open_dir(d->agent->rootfd, SR_STATUS, false, NULL);
	struct error err = { 0 };
	char name[80];
	size_t length;
	const char *text = json_object_to_json_string_length(
		o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	snprintf(name, sizeof(name), "%s.json", d->id);
	if (dir < 0 || !text || (d->written && !strcmp(d->written, text) && faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
		return;
	if (fs_write_atomic(dir, name, text, length, 0644, (uid_t)-1, (gid_t)-1, &err) < 0) {
		log_error("%s", err.text);
		return;
	}
	free(d->written);
	d->written = strdup(text);
}
