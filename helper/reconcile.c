/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile ID: what package scripts call. Brings the host to its assignment, and leaves alone what an administrator
 * decided: a masked unit, one disabled or stopped by hand. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "helper/activation.h"
#include "helper/policy.h"
#include "helper/sidecar.h"
#include "lib/assignment.h"
#include "lib/fs.h"
#include "lib/paths.h"

static enum result note(struct updater *u, const char *id, const char *what)
{
	(void)snprintf(u->note, sizeof(u->note), "%s: %s", id, what);
	return RESULT_DONE;
}

/* 1 and the assignment, 0 when there is none, negative (err set) when it is not valid. */
static int read_assignment(struct updater *u, const char *id, struct assignment *a)
{
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, SR_ASSIGNMENTS, false, NULL);
	int r;

	if (dir < 0)
		return 0;
	r = assignment_read(dir, SR_ASSIGNMENTS, id, a, &u->err);
	return r == -ENOENT ? 0 : (r < 0 ? r : 1);
}

/* Stopped by hand while enabled: it stays stopped through an upgrade. */
static bool stopped_by_hand(struct updater *u, const char *id, const struct state *s)
{
	char service[UNIT_NAME_BYTES];
	struct unit_state unit;

	units_name(id, "service", service);
	return u->online && s->activated && systemd_unit_state(u, service, &unit) == 0 && strcmp(unit.active, "inactive") == 0;
}

static bool agent_runs(struct updater *u)
{
	struct unit_state unit;

	return u->online && systemd_unit_state(u, SR_UNIT_PREFIX "agent.service", &unit) == 0 && strcmp(unit.active, "active") == 0;
}

/* `a` NULL: activated without an assignment, by hand. `taken`: it was just made of the single package's configuration, in which the
 * add-on was the agent's child: it is up when the agent is. */
static enum result bring_up(struct updater *u, const char *id, const char *label, const struct assignment *a, const struct state *s,
			    bool taken, struct json_object *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	enum grant_mode mode;
	enum result r;
	bool start, agent = !taken || agent_runs(u);

	if (units_masked(u, id))
		return note(u, id, "assigned, but its unit is masked; left alone");
	r = activation_prepare(u, id, label, &p, &mode);
	if (r != RESULT_DONE)
		return r;
	if (a && assignment_approves(a, &p.manifest, &u->err) < 0)
		return RESULT_REFUSED;
	if (s->activated && !units_enabled(u, id)) {
		start = !u->start_denied && activation_stale(u, &p, s);
		r = activation_run(u, &p, mode, (struct how){ .start = start }, out);
		return r == RESULT_DONE ? note(u, id, "assigned, but its unit was disabled by hand; left disabled") : r;
	}
	start = agent && !u->start_denied && !stopped_by_hand(u, id, s);
	r = activation_run(u, &p, mode, (struct how){ .enable = true, .start = start }, out);
	if (r != RESULT_DONE)
		return r;
	if (!u->online)
		return note(u, id, "no systemd is running here; the unit starts at the next boot");
	if (u->start_denied)
		return note(u, id, "policy-rc.d forbids starting services; the unit starts at the next boot");
	if (taken && !agent)
		return note(u, id, "its configuration was taken over; serviceradar-agent.service is stopped, and so is this");
	if (!start)
		return note(u, id, "was stopped by hand; left stopped");
	return taken ? note(u, id, "its configuration was taken over: " SR_ASSIGNMENTS) : RESULT_DONE;
}

/* A configuration of the single package becomes the assignment: 1 when there was one, and it is in `a`. */
static int take_over(struct updater *u, const char *id, struct assignment *a)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	int r;

	if (payload_open(u, id, PAYLOAD_PACKAGED, &p) < 0)
		return 0;
	r = sidecar_take_over(u, &p);
	return r <= 0 ? r : read_assignment(u, id, a);
}

static enum result unassigned(struct updater *u, const char *id, const struct state *s, struct json_object *out)
{
	_cleanup_assignment_ struct assignment a = { 0 };
	int taken = take_over(u, id, &a);

	if (taken < 0)
		return RESULT_REFUSED;
	if (!taken)
		return note(u, id, "no assignment; dormant until: srctl addon enable");
	if (!a.enabled)
		return note(u, id, "its configuration was taken over; it was off, and is dormant");
	if (!agent_runs(u) && (units_masked(u, "agent") || !units_enabled(u, "agent")))
		return note(u, id, "its configuration was taken over; it comes up with serviceradar-agent.service");
	return bring_up(u, id, PAYLOAD_PACKAGED, &a, s, true, out);
}

enum result verb_reconcile(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_assignment_ struct assignment a = { 0 };
	struct state state;
	int assigned;

	(void)arg;
	u->start_denied = policy_denies(u, id, "start");
	if (state_read(u, id, &state) < 0)
		return RESULT_REFUSED;
	if (state.removing) { /* a package is installed again */
		state.removing = false;
		if (state_write(u, id, &state) < 0)
			return RESULT_REFUSED;
	}
	assigned = read_assignment(u, id, &a);
	if (assigned < 0)
		return RESULT_REFUSED;
	if (assigned && !a.enabled)
		return state.activated ? verb_deactivate(u, id, NULL, out) : note(u, id, "assigned as disabled; dormant");
	if (!assigned && !state.activated)
		return unassigned(u, id, &state, out);
	if (assigned && a.delivery == DELIVERY_OS_PACKAGE)
		return bring_up(u, id, PAYLOAD_PACKAGED, &a, &state, false, out);
	if (!state.activated)
		return note(u, id, "assigned to come as a bundle: the agent fetches it");
	return bring_up(u, id, state.label, assigned ? &a : NULL, &state, false, out);
}
