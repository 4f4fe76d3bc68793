/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "agent/last_good.h"
#include "agent/updater.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "lib/protojson.h"
#include "lib/schema.h"

#define GRACE_US     5000000u
#define RECONCILE_US 60000000u

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Keeps a message, and logs it when it is new. */
static void complain(char (*slot)[512], const char *text)
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
	snprintf(d->unit, sizeof(d->unit), SR_UNIT_PREFIX "%s.service", id);
	d->backoff = (struct backoff){ .min_us = 5000000, .max_us = RECONCILE_US };
	d->ipc.fd = -1;
	d->ipc.last_ping_ms = -1;
	d->changed_at = time(NULL);
	d->next = a->addons;
	a->addons = d;
	return d;
}

/* The directory of the payload: what `current` names, else the packaged one. */
static int open_payload(struct addon *d)
{
	_cleanup_close_ int base = -1;
	char path[256], target[400];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), SR_ADDONS "/%s", d->id);
	base = fs_open_dir(d->agent->rootfd, path, false, NULL);
	n = base >= 0 ? readlinkat(base, "current", target, sizeof(target) - 1) : -1;
	if (n > 0) {
		target[n] = '\0';
		if (*target == '/')
			snprintf(d->payload_dir, sizeof(d->payload_dir), "%s", target);
		else
			snprintf(d->payload_dir, sizeof(d->payload_dir), "%s/%.200s", path, target);
		fd = fs_open_dir(d->agent->rootfd, d->payload_dir, false, NULL);
		if (fd >= 0)
			return fd;
	}
	snprintf(d->payload_dir, sizeof(d->payload_dir), SR_PACKAGED_ADDONS "/%s", d->id);
	return fs_open_dir(d->agent->rootfd, d->payload_dir, false, NULL);
}

static enum unsupported why_unsupported(const struct manifest *m)
{
	const char *here = platform_name(), *slash = strchr(here, '/');
	bool listed = m->requires.platforms.n == 0, same_os = false;
	const char *least = m->requires.base_agent;

	for (size_t i = 0; i < m->requires.platforms.n; i++) {
		listed |= !strcmp(m->requires.platforms.v[i], here);
		same_os |= !strncmp(m->requires.platforms.v[i], here, (size_t)(slash - here) + 1);
	}
	if (!listed)
		return same_os ? UNSUPPORTED_ARCH : UNSUPPORTED_PLATFORM;
	least += least ? strspn(least, ">= ") : 0;
	if (least && semver_valid(least) && semver_compare(SR_VERSION, least) < 0)
		return UNSUPPORTED_AGENT;
	return UNSUPPORTED_OTHER;
}

static struct json_object *read_payload(struct addon *d)
{
	_cleanup_close_ int dir = open_payload(d), binary = -1;
	_cleanup_json_ struct json_object *schema = NULL;
	struct error err = { 0 };
	caps_mask mask = 0;
	bool effective;
	int r;

	manifest_free(&d->manifest);
	memset(&d->manifest, 0, sizeof(d->manifest));
	d->facts.installed = d->facts.capability_missing = false;
	d->facts.unsupported = SUPPORTED;
	if (dir < 0) {
		snprintf(err.text, sizeof(err.text),
			 SR_ASSIGNMENTS "/%s.json: addon_id: \"%s\" is not installed; apt install serviceradar-%s", d->id,
			 d->id, d->id);
		if (d->facts.assigned && d->facts.enabled)
			complain(&d->payload_error, err.text);
		return NULL;
	}
	r = manifest_read(dir, d->payload_dir, &d->manifest, &err);
	if (r == 0)
		r = json_read_file(dir, d->manifest.config_schema, &schema, &err);
	if (r == 0)
		r = schema_check(schema, d->manifest.config_schema, &err);
	if (r < 0) {
		complain(&d->payload_error, err.text);
		return NULL;
	}
	d->facts.installed = true;
	if (manifest_supported(&d->manifest, &err) < 0)
		d->facts.unsupported = why_unsupported(&d->manifest);
	complain(&d->payload_error, d->facts.unsupported != SUPPORTED ? err.text : "");
	snprintf(d->facts.version, sizeof(d->facts.version), "%s", d->manifest.version);
	d->facts.has_socket = d->manifest.socket.path != NULL;
	if (d->facts.activated && !strcmp(d->grant_mode, "file+ambient")) {
		binary = fs_open_file(dir, d->manifest.exec.binary, d->manifest.exec.binary, NULL);
		if (binary >= 0 && caps_get_file(binary, &mask, &effective, NULL) == 0)
			d->facts.capability_missing = (mask & d->manifest.requires.os_capabilities) !=
						      d->manifest.requires.os_capabilities;
	}
	return steal_ptr(&schema);
}

static void read_record(struct addon *d)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *v;
	char path[160];

	d->facts.activated = false;
	d->grant_mode[0] = '\0';
	snprintf(path, sizeof(path), SR_ADDONS "/%s/state.json", d->id);
	if (json_read_file(d->agent->rootfd, path + 1, &o, NULL) < 0)
		return;
	if (json_object_object_get_ex(o, "activated", &v))
		d->facts.activated = json_object_get_boolean(v);
	if (json_object_object_get_ex(o, "grant_mode", &v) && json_object_get_string(v))
		snprintf(d->grant_mode, sizeof(d->grant_mode), "%s", json_object_get_string(v));
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
	if (r < 0 || !d->manifest.socket.path)
		return r;
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

static void on_ipc_event(void *userdata, const NpFlowEvent *e)
{
	struct addon *d = userdata;

	sink_event(&d->agent->sink, e);
	flows_add(d->agent->flows, e);
}

static void on_ipc_batch_end(void *userdata)
{
	struct addon *d = userdata;

	sink_flush(&d->agent->sink);
	control_flows(d->agent->control);
}

static void prepare_ipc(struct addon *d)
{
	if (d->ipc_ready || !d->manifest.socket.path)
		return;
	ipc_init(&d->ipc, d->agent->event, d->agent->rootfd, d->manifest.socket.path);
	d->ipc.on_change = on_ipc_change;
	d->ipc.on_event = on_ipc_event;
	d->ipc.on_batch_end = on_ipc_batch_end;
	d->ipc.userdata = d;
	d->ipc_ready = true;
}

/* Reads the assignment, and keeps its text for the last known good. */
static int read_assignment(struct addon *d, int dir, struct assignment *a, struct json_object **raw, struct error *err)
{
	char name[80], where[160];
	int r;

	if (dir < 0)
		return -ENOENT;
	r = assignment_read(dir, SR_ASSIGNMENTS, d->id, a, err);
	snprintf(name, sizeof(name), "%s.json", d->id);
	snprintf(where, sizeof(where), SR_ASSIGNMENTS "/%s", name);
	if (r == 0)
		(void)json_read_file(dir, name, raw, NULL);
	if (r == 0 && a->enabled && a->delivery == DELIVERY_PUSHED_ARTIFACT)
		r = error_set(err, -ENOTSUP, "%s: delivery: \"pushed-artifact\" is not supported by this build", where);
	return r;
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

void addon_refresh(struct addon *d)
{
	_cleanup_assignment_ struct assignment a = { 0 };
	_cleanup_json_ struct json_object *raw = NULL;
	_cleanup_close_ int dir = fs_open_dir(d->agent->rootfd, SR_ASSIGNMENTS, false, NULL);
	_cleanup_json_ struct json_object *schema = NULL;
	struct error err = { 0 };
	char name[80], mark[ASSIGNMENT_MARK_BYTES] = "";
	struct stat st;
	int r;

	snprintf(name, sizeof(name), "%s.json", d->id);
	if (dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		assignment_mark(&st, mark);
	r = read_assignment(d, dir, &a, &raw, &err);
	read_record(d);
	if (r == 0) {
		d->facts.assigned = true;
		d->facts.enabled = a.enabled;
	} else if (r == -ENOENT) {
		d->facts.assigned = d->facts.enabled = false;
		err.text[0] = '\0';
	}
	schema = read_payload(d);
	prepare_ipc(d);
	if (r == 0 && a.enabled && schema)
		r = push_config(d, &a, schema, &err);
	d->config_refused = r < 0 && r != -ENOENT && r != -ENOTSUP; /* the one before it, if any, stays in force */
	if (r == 0 || r == -ENOENT) {
		snprintf(d->facts.want_version, sizeof(d->facts.want_version), "%s", a.version ? a.version : "");
		snprintf(d->want_delivery, sizeof(d->want_delivery), "%s", r == 0 ? delivery_name(a.delivery) : "");
	}
	if (r == -ENOTSUP)
		d->facts.unsupported = UNSUPPORTED_OTHER, d->facts.assigned = d->facts.enabled = true;
	complain(&d->assignment_error, r < 0 && r != -ENOENT ? err.text : "");
	if (strcmp(mark, d->mark) != 0) {
		d->facts.explicit_request = d->loaded; /* not what was there before this agent */
		d->refused = d->facts.call_failed = d->facts.start_failed = false;
		d->blocked_until_us = 0;
		complain(&d->call_error, "");
		backoff_reset(&d->backoff);
		snprintf(d->mark, sizeof(d->mark), "%s", mark);
	}
	if (r == -ENOENT || (r == 0 && raw))
		last_good_put(d->agent, d->id, r == 0 ? raw : NULL);
	else if (r != -ENOTSUP && !d->config)
		fall_back(d, schema);
	d->loaded = true;
	units_watch(d);
	units_refresh(d);
	addon_settle(d);
}

static int on_call_done(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct addon *d = userdata;
	const sd_bus_error *error = sd_bus_message_get_error(m);
	enum updater_result result = error ? updater_classify(error->name) : UPDATER_OK;

	(void)e;
	d->call_slot = sd_bus_slot_unref(d->call_slot);
	d->facts.call_pending = false;
	d->facts.call_failed = result != UPDATER_OK && result != UPDATER_BUSY;
	d->facts.start_failed = result == UPDATER_FAILED;
	if (result == UPDATER_OK) {
		complain(&d->call_error, "");
		backoff_reset(&d->backoff);
		d->blocked_until_us = now_us() + 5000000; /* the unit's own news comes first */
	} else {
		complain(&d->call_error, error->message ? error->message : error->name);
		/* What was refused may be repaired by hand: asked again once in a reconcile interval. */
		d->blocked_until_us = now_us() + (result == UPDATER_BUSY    ? 1000000 :
						  result == UPDATER_REFUSED ? RECONCILE_US :
									      backoff_next(&d->backoff));
	}
	addon_refresh(d);
	return 0;
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

	d->facts.call_blocked = !d->agent->bus || d->refused || now_us() < d->blocked_until_us;
	action = verdict_action(&d->facts);
	if (d->facts.call_blocked && !d->refused && d->blocked_until_us > now_us())
		wake_at(d, d->blocked_until_us);
	if (action == ACTION_NONE)
		return;
	log_event(LOG_LEVEL_INFO, action == ACTION_ACTIVATE ? "activating" : "deactivating", "addon", d->id, NULL);
	if (action == ACTION_ACTIVATE)
		r = updater_activate(d->agent->bus, d->id, &d->call_slot, on_call_done, d);
	else
		r = updater_deactivate(d->agent->bus, d->id, &d->call_slot, on_call_done, d);
	if (r < 0) {
		complain(&d->call_error, strerror(-r));
		d->blocked_until_us = now_us() + backoff_next(&d->backoff);
		return;
	}
	d->facts.call_pending = true;
	d->facts.explicit_request = false;
}

void addon_settle(struct addon *d)
{
	struct addon_facts *f = &d->facts;
	struct verdict before = d->verdict;
	struct caps_process caps;

	f->connected = d->ipc.connected;
	f->config_acked = d->ipc.config_acked;
	f->config_invalid = d->ipc.config_rejected || d->config_refused;
	f->capture_unavailable = d->ipc.capture_known && !d->ipc.capture_available;
	if (strcmp(f->unit.active_state, "active") != 0 && f->unit.known)
		d->unit_since_us = 0;
	else if (!d->unit_since_us)
		d->unit_since_us = now_us();
	f->connect_grace = d->ipc.reconnects == 0 && now_us() < d->unit_since_us + GRACE_US;
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
		log_event(LOG_LEVEL_INFO, "state changed", "addon", d->id, "state", state_name(d->verdict.state), NULL);
	}
	status_write(d);
	if (d->ipc_ready && d->ipc.wanted != verdict_attach(f))
		ipc_want(&d->ipc, verdict_attach(f));
}

void addon_free(struct addon *d)
{
	if (d->ipc_ready)
		ipc_free(&d->ipc);
	sd_bus_slot_unref(d->call_slot);
	sd_bus_slot_unref(d->match_slot);
	sd_bus_slot_unref(d->unit_slot);
	sd_bus_slot_unref(d->service_slot);
	sd_event_source_unref(d->timer);
	for (int i = 0; i < 2; i++)
		sd_event_source_unref(d->watches[i]);
	manifest_free(&d->manifest);
	if (d->config)
		json_object_put(d->config);
	free(d->unit_path);
	free(d->written);
	free(d);
}
