/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that activate, rollback, deactivate, reconcile and recover share. */
#pragma once

#include "helper/capability.h"
#include "helper/state.h"
#include "helper/units.h"

/* Opens the payload with this label and checks that it can run here, that its key still counts and that its capabilities can be
 * given: nothing is changed. */
enum result activation_prepare(struct updater *u, const char *id, const char *label, struct payload *p, enum grant_mode *mode);

/* Makes a prepared payload current, and as `how` says enabled and running. When anything fails the payload that was active before is
 * current and running again; none, when none was. */
struct how {
	bool enable, start;
};
enum result activation_run(struct updater *u, const struct payload *p, enum grant_mode mode, struct how how,
			   struct json_object *out);

/* Whether the service runs, and something else than this payload: before it was replaced, or without its capabilities. */
bool activation_stale(struct updater *u, const struct payload *p, const struct state *s);

/* Makes the host what state.json says: that payload current, its units rendered, as `how` says enabled and started; or nothing
 * current and no unit. What is staged stays. Idempotent. `wait` false only queues the start, for when systemd is busy with a boot
 * that waits for us. */
int activation_settle(struct updater *u, const char *id, const struct state *s, struct how how, bool wait);

/* Removes staged versions beyond the active one, the previous one and `keep` (may be NULL), until two are left. */
int activation_collect(struct updater *u, const char *id, const struct state *s, const char *keep);

/* Removes the add-on's directory in SR_ADDONS: staged versions first, the journal that says so last. */
int activation_forget(struct updater *u, const char *id);

/* The label of the payload that is active, else PAYLOAD_PACKAGED. */
void activation_label(struct updater *u, const char *id, char out[80]);

/* Adds state and the unit's facts. */
void activation_describe(struct updater *u, const char *id, struct json_object *out);
