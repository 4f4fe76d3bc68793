/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "agent/last_good.h"
#include "agent/updater.h"
#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "lib/protojson.h"
#include "lib/schema.h"

#define GRACE_US 5000000u
#define RETRY_US 5000000u /* the first attempt again; sooner when the interval is short */

void addon_complain(char (*slot)[512], const char *text)
{
	if (!strncmp(*slot, text, sizeof(*slot) - 1))
		return;
	snprintf(*slot, sizeof(*slot), "%s", text);
	if (*text)
		log_error("%s", text);
}

struct addon *addon_get(struct agent *a, const char *id, bool make)
{
	struct addon *d;

	for (d = a->addons; d; d = d->next)
		if (!strcmp(d->id, id))
			return d;
	if (!make || !addon_id_valid(id))
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->agent = a;
	snprintf(d->id, sizeof(d->id), "%s", id);
	d->backoff = (struct backoff){ .min_us = a->interval_us / 12 < RETRY_US ? a->interval_us / 12 : RETRY_US, .max_us = a->interval_us };
	d->ipc.fd = -1;
	d->ipc.last_ping_ms = -1;
	d->changed_at = time(NULL);
	d->next = a->addons;
	a->addons = d;
	return d;
}

static int push_config(struct addon *d, const struct assignment *a, struct json_object *schema, struct error *err)
{
	_cleanup_json_ struct json_object *config = NULL;
	ProtobufCMessage *message = NULL;
	char where[160];
	int r;

	if (a->config && json_object_deep_copy(a->config, &config, NULL) < 0)
		return -ENOMEM;
	if (!config)
		config = json_object_new_object();
	snprintf(where, sizeof(where), SR_ASSIGNMENTS "/%s.json", d->id);
	schema_apply_defaults(schema, config);
	r = schema_validate(schema, config, where, "/config", err);
	if (r == 0)
		r = assignment_approves(a, &d->manifest, err);
	if (r < 0)
		return r;
	if (d->toggle) {
		json_object_put(d->config);
		d->config = steal_ptr(&config);
		return 0;
	}
	if (!d->manifest.socket.path)
		return 0;
	r = protojson_to_message(config, &np_config_descriptor, &message, err);
	if (r < 0)
		return r;
	if (d->config && json_object_equal(d->config, config)) {
		protobuf_c_message_free_unpacked(message, NULL);
		return 0;
	}
	if (d->config)
		json_object_put(d->config);
	d->config = steal_ptr(&config);
	ipc_set_config(&d->ipc, (NpConfig *)message);
	return 0;
}

static void on_ipc_change(void *userdata)
{
	addon_settle(userdata);
}

/* To those who listen at the agent's socket. */
static void tell(struct addon *d, const char *type, const ProtobufCMessage *m)
{
	struct protojson_line line;
	const char *text;
	size_t length;

	if (!control_listens(d->agent->control))
		return;
	text = protojson_line(&line, m, type, &length);
	if (text)
		control_event(d->agent->control, text, length);
	protojson_line_free(&line);
}

static void on_ipc_event(void *userdata, const NpFlowEvent *e)
{
	struct addon *d = userdata;

	sinks_event(&d->agent->sinks, e);
	tell(d, "flow_attribution_event", &e->base);
	flows_add(d->agent->flows, e);
}

static void on_ipc_message(void *userdata, const char *type, const ProtobufCMessage *m)
{
	struct addon *d = userdata;

	sinks_message(&d->agent->sinks, type, m);
	tell(d, type, m);
	recent_message(d->agent->recent, type, m);
}

static void on_ipc_batch_end(void *userdata)
{
	struct addon *d = userdata;

	sinks_flush(&d->agent->sinks);
	control_flows(d->agent->control);
}

static void prepare_ipc(struct addon *d)
{
	if (d->ipc_ready || !d->manifest.socket.path)
		return;
	ipc_init(&d->ipc, d->agent->event, d->agent->rootfd, d->manifest.socket.path);
	d->ipc.on_change = on_ipc_change;
	d->ipc.on_event = on_ipc_event;
	d->ipc.on_message = on_ipc_message;
	d->ipc.on_batch_end = on_ipc_batch_end;
	d->ipc.userdata = d;
	d->ipc_ready = true;
}

/* One source of assignments, and the text for the last known good. */
static int read_from(struct addon *d, const char *path, struct assignment *a, struct json_object **raw, char *mark, struct error *err)
{
	_cleanup_close_ int dir = fs_open_dir(d->agent->rootfd, path, false, NULL);
	struct stat st;
	char name[80];
	int r;

	if (dir < 0)
		return -ENOENT;
	snprintf(name, sizeof(name), "%s.json", d->id);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		assignment_mark(&st, mark);
	r = assignment_read(dir, path, d->id, a, err);
	if (r == 0)
		(void)json_read_file(dir, name, raw, NULL);
	return r;
}

/* What is set on this host wins over what was pushed; that there are two which differ is said in the status. */
static int read_assignment(struct addon *d, struct assignment *a, struct json_object **raw, char *mark, struct error *err)
{
	_cleanup_json_ struct json_object *other = NULL;
	_cleanup_assignment_ struct assignment pushed = { 0 };
	char ignored[ASSIGNMENT_MARK_BYTES] = "";
	struct error none;
	int r = read_from(d, SR_ASSIGNMENTS, a, raw, mark, err);

	d->overridden = false;
	d->source = "local";
	if (r != -ENOENT) {
		d->overridden = read_from(d, SR_PUSHED, &pushed, &other, ignored, &none) == 0 && *raw && other &&
				!json_object_equal(*raw, other);
		return r;
	}
	d->source = "pushed";
	return read_from(d, SR_PUSHED, a, raw, mark, err);
}

/* After a start with an assignment that is not valid: what applied before is in force. Nothing known: nothing is done. */
static void fall_back(struct addon *d, struct json_object *schema)
{
	_cleanup_assignment_ struct assignment good = { 0 };
	struct json_object *known = last_good_get(d->agent, d->id);
	struct error err;

	if (!known || assignment_parse(known, "the last known good assignment", &good, NULL) < 0) {
		d->refused = true;
		return;
	}
	d->facts.assigned = true;
	d->facts.enabled = good.enabled;
	if (good.enabled && schema)
		(void)push_config(d, &good, schema, &err);
}

static void set_text(char **slot, const char *text)
{
	free(*slot);
	*slot = text ? strdup(text) : NULL;
}

/* Keeps what a valid assignment asks for; NULL when there is none. */
static void take_wanted(struct addon *d, const struct assignment *a)
{
	struct addon_facts *f = &d->facts;

	f->pushed = a && a->delivery == DELIVERY_PUSHED_ARTIFACT;
	snprintf(f->want_version, sizeof(f->want_version), "%s", a && a->version ? a->version : "");
	snprintf(d->want_delivery, sizeof(d->want_delivery), "%s", a ? delivery_name(a->delivery) : "");
	set_text(&d->artifact_url, a ? a->artifact.url : NULL);
	set_text(&d->artifact_sha256, a ? a->artifact.sha256 : NULL);
	set_text(&d->signature_url, a ? a->artifact.signature_url : NULL);
	f->fetched = f->pushed && d->artifact_sha256 && strcmp(d->fetched_sha256, d->artifact_sha256) == 0;
}

void addon_refresh(struct addon *d)
{
	_cleanup_assignment_ struct assignment a = { 0 };
	_cleanup_json_ struct json_object *raw = NULL, *schema = NULL;
	char mark[ASSIGNMENT_MARK_BYTES] = "";
	struct error err = { 0 };
	int r = read_assignment(d, &a, &raw, mark, &err);

	if (r == 0 || r == -ENOENT) {
		d->facts.assigned = r == 0;
		d->facts.enabled = r == 0 && a.enabled;
		take_wanted(d, r == 0 ? &a : NULL);
	}
	if (r == -ENOENT)
		err.text[0] = '\0';
	schema = payload_read(d);
	prepare_ipc(d);
	if (r == 0 && a.enabled && schema)
		r = push_config(d, &a, schema, &err);
	d->config_refused = r < 0 && r != -ENOENT; /* the one before it, if any, stays in force */
	addon_complain(&d->assignment_error, r < 0 && r != -ENOENT ? err.text : "");
	if (strcmp(mark, d->mark) != 0) {
		d->facts.explicit_request = d->loaded; /* not what was there before this agent */
		d->refused = d->facts.call_failed = d->facts.start_failed = false;
		d->refused_unsupported = SUPPORTED;
		d->blocked_until_us = 0;
		addon_complain(&d->call_error, "");
		backoff_reset(&d->backoff);
		snprintf(d->mark, sizeof(d->mark), "%s", mark);
	}
	if (r == -ENOENT || (r == 0 && raw))
		last_good_put(d->agent, d->id, r == 0 ? raw : NULL);
	if (r == -ENOENT)
		delivery_forget(d);
	else if (!d->config)
		fall_back(d, schema);
	d->loaded = true;
	if (!d->toggle)
		units_follow(d);
	addon_settle(d);
}

void addon_done(struct addon *d, enum updater_result result, const char *why)
{
	bool staging = d->action == ACTION_FETCH || d->action == ACTION_STAGE;

	d->facts.call_pending = false;
	if (strcmp(d->call_mark, d->mark) != 0) { /* the answer to what is wanted no more: nothing follows from it */
		addon_refresh(d);
		return;
	}
	d->facts.call_failed = result != UPDATER_OK && result != UPDATER_BUSY;
	d->facts.start_failed = result == UPDATER_FAILED && !staging;
	if (result == UPDATER_OK) {
		addon_complain(&d->call_error, "");
		if (!staging)
			backoff_reset(&d->backoff);
		d->blocked_until_us = clock_us() + (staging ? 0 : d->backoff.min_us); /* the unit's own news comes first */
	} else {
		addon_complain(&d->call_error, why);
		d->fetched_sha256[0] = '\0'; /* what was refused may have been replaced where it came from */
		/* What was refused may be repaired by hand: asked again once in a reconcile interval. */
		d->blocked_until_us = clock_us() + (result == UPDATER_BUSY    ? d->backoff.min_us / 5 :
						  result == UPDATER_REFUSED ? d->agent->interval_us :
									      backoff_next(&d->backoff));
	}
	addon_refresh(d);
}

/* "….Error.Refused.arch_unsupported": a refusal that has a name in the status. */
static void take_reason(struct addon *d, const char *error_name)
{
	const char *reason = strrchr(error_name, '.');

	d->refused_unsupported = SUPPORTED;
	d->refused_key = false;
	if (!reason || updater_classify(error_name) != UPDATER_REFUSED)
		return;
	for (enum unsupported u = UNSUPPORTED_ARCH; u <= UNSUPPORTED_OTHER; u++)
		if (strcmp(reason + 1, unsupported_name(u)) == 0)
			d->refused_unsupported = u;
	d->refused_key = strcmp(reason + 1, drift_name(DRIFT_KEY_REVOKED)) == 0;
}

static int on_call_done(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct addon *d = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);

	(void)e;
	d->call_slot = sd_bus_slot_unref(d->call_slot);
	take_reason(d, error ? error->name : "");
	addon_done(d, error ? updater_classify(error->name) : UPDATER_OK, error && error->message ? error->message : "");
	return 0;
}

static int start_call(struct addon *d, enum action action)
{
	switch (action) {
	case ACTION_FETCH:
		return delivery_fetch(d);
	case ACTION_STAGE:
		return delivery_stage(d, on_call_done);
	case ACTION_ACTIVATE:
		return updater_activate(d->agent->bus, d->id, d->facts.pushed ? d->facts.want_version : "packaged", &d->call_slot,
					on_call_done, d);
	default:
		return updater_deactivate(d->agent->bus, d->id, &d->call_slot, on_call_done, d);
	}
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	addon_settle(userdata);
	return 0;
}

static void wake_at(struct addon *d, uint64_t at_us)
{
	if (!d->timer && sd_event_add_time(d->agent->event, &d->timer, CLOCK_MONOTONIC, at_us, 100000, on_retry, d) < 0)
		return;
	sd_event_source_set_time(d->timer, at_us);
	sd_event_source_set_enabled(d->timer, SD_EVENT_ONESHOT);
}

static void act(struct addon *d)
{
	enum action action;
	int r;

	d->facts.call_blocked = !d->agent->bus || d->refused || clock_us() < d->blocked_until_us;
	action = verdict_action(&d->facts);
	if (d->facts.call_blocked && !d->refused && d->blocked_until_us > clock_us())
		wake_at(d, d->blocked_until_us);
	if (action == ACTION_NONE) {
		/* Runs as it was asked to: what an administrator does next is not against this request. */
		if (verdict_up(&d->facts) && !d->facts.call_pending && !d->facts.call_blocked && !d->facts.asked)
			d->facts.explicit_request = false;
		return;
	}
	log_event(LOG_LEVEL_INFO, action_name(action), "addon", d->id, "version", d->facts.want_version, NULL);
	d->action = action;
	memcpy(d->call_mark, d->mark, sizeof(d->call_mark));
	r = start_call(d, action);
	if (r < 0) {
		addon_complain(&d->call_error, strerror(-r));
		d->blocked_until_us = clock_us() + backoff_next(&d->backoff);
		return;
	}
	d->facts.call_pending = true;
	d->facts.was_up = verdict_up(&d->facts);
	if (action == ACTION_ACTIVATE || action == ACTION_DEACTIVATE)
		d->facts.explicit_request = false;
}

/* Brings what is inside the agent in line with the assignment: at once, nobody else is asked. */
static void switch_toggle(struct addon *d)
{
	struct addon_facts *f = &d->facts;
	bool wanted = f->assigned && f->enabled && f->unsupported == SUPPORTED;
	struct error err = { .text = "" };

	if (wanted && d->config && (!d->toggled || !json_object_equal(d->toggled, d->config))) {
		if (d->toggle->on(d->agent, d->config, &err) == 0) {
			json_object_put(d->toggled);
			d->toggled = json_object_get(d->config);
		}
		addon_complain(&d->call_error, err.text);
	} else if (!wanted) {
		if (f->assigned)
			d->toggle->off(d->agent);
		else
			d->toggle->unassigned(d->agent);
		json_object_put(d->toggled);
		d->toggled = NULL;
	}
	f->toggle_on = d->toggled != NULL;
}

void addon_settle(struct addon *d)
{
	struct addon_facts *f = &d->facts;
	struct verdict before = d->verdict;
	struct caps_process caps;
	char drift[512];

	if (d->refused_unsupported != SUPPORTED && f->enabled)
		f->unsupported = d->refused_unsupported;
	f->connected = d->ipc.connected;
	f->config_acked = d->ipc.config_acked;
	f->config_invalid = d->ipc.config_rejected || d->config_refused;
	f->capture_unavailable = d->ipc.capture_known && !d->ipc.capture_available;
	if (d->toggle)
		switch_toggle(d);
	if (strcmp(f->unit.active_state, "active") != 0 && f->unit.known)
		d->unit_since_us = 0;
	else if (!d->unit_since_us)
		d->unit_since_us = clock_us();
	f->connect_grace = (d->ipc.reconnects == 0 || f->call_pending) && clock_us() < d->unit_since_us + GRACE_US;
	if (f->connect_grace && f->has_socket && !f->connected && f->enabled)
		wake_at(d, d->unit_since_us + GRACE_US);
	if (f->unit.main_pid && f->unit.known && f->installed && f->enabled &&
	    caps_of_process((pid_t)f->unit.main_pid, &caps, NULL) == 0 && d->ipc.connected &&
	    (caps.permitted & d->manifest.requires.os_capabilities) != d->manifest.requires.os_capabilities)
		f->capability_missing = true;
	act(d);
	d->verdict = verdict_of(f);
	if (before.state != d->verdict.state || before.drift != d->verdict.drift) {
		d->changed_at = time(NULL);
		log_event(LOG_LEVEL_INFO, "state changed", "addon", d->id, "state", state_name(d->verdict.state), "drift",
			  drift_list(d->verdict.drift, drift, sizeof(drift)), NULL);
	}
	status_write(d);
	inbox_follow(d, verdict_ingests(f));
	if (d->ipc_ready && d->ipc.wanted != verdict_attach(f))
		ipc_want(&d->ipc, verdict_attach(f));
}

void addon_free(struct addon *d)
{
	if (d->ipc_ready)
		ipc_free(&d->ipc);
	sd_bus_slot_unref(d->call_slot);
	units_release(d);
	free(d->unit.path);
	free(d->run.path);
	inbox_free(&d->inbox);
	sd_event_source_unref(d->timer);
	for (int i = 0; i < 3; i++)
		watch_end(&d->watches[i]);
	delivery_cancel(d);
	manifest_free(&d->manifest);
	free(d->artifact_url);
	free(d->artifact_sha256);
	free(d->signature_url);
	json_object_put(d->config);
	json_object_put(d->toggled);
	free(d->written);
	free(d);
}
