/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/verdict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const state_names[] = {
	[STATE_NOT_INSTALLED] = "not_installed", [STATE_INSTALLED] = "installed",
	[STATE_ACTIVATING] = "activating",       [STATE_ACTIVE] = "active",
	[STATE_DEGRADED] = "degraded",           [STATE_UNSUPPORTED] = "unsupported",
	[STATE_FAILED] = "failed",               [STATE_DISABLED] = "disabled",
};

static const char *const drift_names[DRIFT_REASONS] = {
	[DRIFT_ASSIGNED_NOT_INSTALLED] = "assigned_not_installed",
	[DRIFT_ASSIGNED_NOT_ACTIVE] = "assigned_not_active",
	[DRIFT_VERSION_MISMATCH] = "version_mismatch",
	[DRIFT_ARCH_UNSUPPORTED] = "arch_unsupported",
	[DRIFT_PLATFORM_UNSUPPORTED] = "platform_unsupported",
	[DRIFT_BASE_AGENT_TOO_OLD] = "base_agent_too_old",
	[DRIFT_CAPABILITY_MISSING] = "capability_missing",
	[DRIFT_UNIT_FAILED] = "unit_failed",
	[DRIFT_IPC_DISCONNECTED] = "ipc_disconnected",
	[DRIFT_CONFIG_REJECTED] = "config_rejected",
	[DRIFT_UNASSIGNED_BUT_ACTIVE] = "unassigned_but_active",
	[DRIFT_BINARY_MODIFIED] = "binary_modified",
	[DRIFT_UNIT_MODIFIED] = "unit_modified",
	[DRIFT_KEY_REVOKED] = "signature_key_revoked",
};

const char *state_name(enum addon_state s)
{
	return state_names[s];
}

const char *drift_name(enum drift_reason r)
{
	return drift_names[r];
}

const char *action_name(enum action a)
{
	static const char *const names[] = { "", "fetching", "staging", "activating", "deactivating" };

	return names[a];
}

const char *drift_list(unsigned drift, char *out, size_t size)
{
	size_t n = 0;

	*out = '\0';
	for (int r = 0; r < DRIFT_REASONS && n < size; r++)
		if (drift_has(drift, (enum drift_reason)r))
			n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", drift_names[r]);
	return out;
}

int drift_parse(const char *name)
{
	for (int i = 0; i < DRIFT_REASONS; i++)
		if (!strcmp(drift_names[i], name))
			return i;
	return -EINVAL;
}

static bool active_state_is(const struct unit_facts *u, const char *s)
{
	return u->known && !strcmp(u->active_state, s);
}

static bool unit_running(const struct unit_facts *u)
{
	return active_state_is(u, "active") || active_state_is(u, "reloading");
}

static bool unit_inactive(const struct unit_facts *u)
{
	return active_state_is(u, "inactive") || active_state_is(u, "failed");
}

static bool unit_starting(const struct unit_facts *u)
{
	return active_state_is(u, "activating");
}

static bool unit_masked(const struct addon_facts *f)
{
	return f->masked || (f->unit.known && !strncmp(f->unit.file_state, "masked", 6));
}

static unsigned bit(enum drift_reason r)
{
	return 1u << r;
}

static struct verdict not_wanted(const struct addon_facts *f)
{
	struct verdict v = { .state = f->assigned ? STATE_DISABLED : STATE_INSTALLED };

	if (!f->installed && !f->assigned)
		v.state = STATE_NOT_INSTALLED;
	if (unit_running(&f->unit) || unit_starting(&f->unit) || (!f->unit.known && f->connected)) {
		v.state = STATE_ACTIVE;
		v.drift = bit(DRIFT_UNASSIGNED_BUT_ACTIVE);
	} else if (f->call_pending || active_state_is(&f->unit, "deactivating")) {
		v.state = STATE_ACTIVE; /* not gone yet */
	}
	return v;
}

static struct verdict unsupported(const struct addon_facts *f)
{
	struct verdict v = { .state = STATE_UNSUPPORTED };

	if (f->unsupported == UNSUPPORTED_ARCH)
		v.drift = bit(DRIFT_ARCH_UNSUPPORTED);
	else if (f->unsupported == UNSUPPORTED_PLATFORM)
		v.drift = bit(DRIFT_PLATFORM_UNSUPPORTED);
	else if (f->unsupported == UNSUPPORTED_AGENT)
		v.drift = bit(DRIFT_BASE_AGENT_TOO_OLD);
	return v;
}

/* Assigned, and nothing of it is here yet. */
static struct verdict not_there(const struct addon_facts *f)
{
	struct verdict v = { STATE_NOT_INSTALLED, bit(DRIFT_ASSIGNED_NOT_INSTALLED) };

	if (f->key_revoked)
		v.drift |= bit(DRIFT_KEY_REVOKED);
	if (f->pushed)
		v.state = f->call_failed || f->not_approved ? STATE_FAILED : STATE_ACTIVATING;
	return v;
}

/* Inside the agent: on or off, and nothing in between. */
static struct verdict of_toggle(const struct addon_facts *f)
{
	struct verdict v = { .state = STATE_ACTIVE };

	if (f->config_invalid)
		v.drift |= bit(DRIFT_CONFIG_REJECTED);
	if (!f->toggle_on)
		v.drift |= bit(DRIFT_ASSIGNED_NOT_ACTIVE);
	if (v.drift)
		v.state = f->toggle_on ? STATE_DEGRADED : STATE_FAILED;
	return v;
}

/* What is wrong whether it runs or not. */
static unsigned drift_of_payload(const struct addon_facts *f)
{
	unsigned drift = 0;

	if (f->want_version[0] && strcmp(f->want_version, f->version) != 0)
		drift |= bit(DRIFT_VERSION_MISMATCH);
	if (f->binary_modified)
		drift |= bit(DRIFT_BINARY_MODIFIED);
	if (f->unit_modified)
		drift |= bit(DRIFT_UNIT_MODIFIED);
	if (f->key_revoked)
		drift |= bit(DRIFT_KEY_REVOKED);
	if (f->config_invalid)
		drift |= bit(DRIFT_CONFIG_REJECTED);
	if (f->capability_missing)
		drift |= bit(DRIFT_CAPABILITY_MISSING);
	return drift;
}

/* Without a unit: ready for its consumer, or not. */
static struct verdict of_helper(const struct addon_facts *f)
{
	struct verdict v = { STATE_ACTIVE, drift_of_payload(f) };

	if (!f->activated)
		v = (struct verdict){ f->call_failed || f->config_invalid ? STATE_FAILED : STATE_ACTIVATING,
				      v.drift | bit(DRIFT_ASSIGNED_NOT_ACTIVE) };
	else if (v.drift)
		v.state = STATE_DEGRADED;
	else if (f->call_pending)
		v.state = STATE_ACTIVATING;
	return v;
}

/* The updater is at it once more after a start that failed: until that is well, it is as it was. A unit that comes and goes with
 * each attempt is no other state. */
static bool retrying(const struct addon_facts *f)
{
	return f->call_pending && f->start_failed && !f->was_up;
}

/* The updater is at work, whatever the unit does meanwhile. */
static struct verdict of_call(const struct addon_facts *f, unsigned drift)
{
	if (retrying(f))
		return (struct verdict){ STATE_FAILED, drift | bit(DRIFT_ASSIGNED_NOT_ACTIVE) | bit(DRIFT_UNIT_FAILED) };
	return (struct verdict){ STATE_ACTIVATING, drift | bit(DRIFT_ASSIGNED_NOT_ACTIVE) };
}

static struct verdict of_stopped(const struct addon_facts *f, unsigned drift)
{
	struct verdict v = { STATE_ACTIVATING, drift };
	bool starting = unit_starting(&f->unit);

	if (!starting)
		v.drift |= bit(DRIFT_ASSIGNED_NOT_ACTIVE);
	if (!starting || f->call_failed) {
		if (f->call_failed || f->config_invalid || active_state_is(&f->unit, "failed"))
			v.state = STATE_FAILED;
		else if (unit_masked(f) || f->activated)
			v.state = STATE_DEGRADED;
	}
	/* A daemon between two lives is as far from its agent as one that hangs. */
	if (f->activated && f->has_socket && !f->connected && starting) {
		v.drift |= bit(DRIFT_IPC_DISCONNECTED);
		v.state = STATE_DEGRADED;
	}
	return v;
}

struct verdict verdict_of(const struct addon_facts *f)
{
	struct verdict v = { .state = STATE_ACTIVE };
	bool running = unit_running(&f->unit) || (!f->unit.known && f->connected);

	if (!f->assigned || !f->enabled)
		return not_wanted(f);
	if (f->unsupported != SUPPORTED)
		return unsupported(f);
	if (!f->installed)
		return not_there(f);
	if (f->toggle)
		return of_toggle(f);
	if (f->helper)
		return of_helper(f);

	v.drift = drift_of_payload(f);
	if (f->asked && (!f->unit.known || (f->explicit_request && !running))) /* no conclusions before the answer */
		return (struct verdict){ STATE_ACTIVATING, v.drift };
	if (retrying(f) || (f->call_pending && !running))
		return of_call(f, v.drift);
	if (active_state_is(&f->unit, "failed") || active_state_is(&f->run, "failed") || (!running && f->start_failed))
		v.drift |= bit(DRIFT_UNIT_FAILED);
	if (!running)
		return of_stopped(f, v.drift);
	if (f->has_socket && !f->connected && !f->connect_grace)
		v.drift |= bit(DRIFT_IPC_DISCONNECTED);
	if (v.drift || f->capture_unavailable)
		v.state = STATE_DEGRADED;
	else if (f->call_pending || (f->has_socket && (!f->connected || !f->config_acked)))
		v.state = STATE_ACTIVATING;
	return v;
}

enum action verdict_action(const struct addon_facts *f)
{
	bool up = unit_running(&f->unit) || unit_starting(&f->unit);

	/* What systemd has not answered yet may be that an administrator disabled the unit that has just stopped. */
	if (f->call_pending || f->call_blocked || f->toggle || f->asked)
		return ACTION_NONE;
	if (!f->assigned || !f->enabled) {
		/* Started by hand and never assigned: shown as drift, not fought over. */
		if (f->activated || (f->assigned && up))
			return ACTION_DEACTIVATE;
		return ACTION_NONE;
	}
	if (f->unsupported != SUPPORTED || unit_masked(f))
		return ACTION_NONE;
	if (f->pushed && f->not_approved)
		return ACTION_NONE;
	if (f->pushed && !f->staged)
		return f->fetched ? ACTION_STAGE : ACTION_FETCH;
	if (!f->installed || f->config_invalid)
		return ACTION_NONE;
	if (f->activated && f->wanted_current && !strcmp(f->unit.file_state, "disabled") && !f->explicit_request)
		return ACTION_NONE;
	if (!f->activated || !f->wanted_current || unit_inactive(&f->unit) ||
	    (f->capability_missing && (f->explicit_request || f->pushed)) || (f->unit_modified && f->explicit_request))
		return ACTION_ACTIVATE;
	return ACTION_NONE;
}

bool verdict_up(const struct addon_facts *f)
{
	return unit_running(&f->unit);
}

bool verdict_ingests(const struct addon_facts *f)
{
	return f->spools && f->assigned && f->enabled && f->installed && f->activated && f->unsupported == SUPPORTED;
}

bool verdict_attach(const struct addon_facts *f)
{
	if (!f->assigned || !f->enabled || !f->installed || f->unsupported != SUPPORTED || !f->has_socket)
		return false;
	/* Not while it starts: a connection to the socket would start it once more, and systemd forget that it restarts. */
	return !f->unit.known || unit_running(&f->unit);
}
