/* SPDX-License-Identifier: Apache-2.0 */
/* The steps that activate, deactivate, reconcile and recover share. */
#pragma once

#include "helper/capability.h"
#include "helper/state.h"
#include "helper/units.h"

/* Opens the payload and checks that it can run here and that its capabilities can be given: nothing is changed. */
enum result activation_prepare(struct updater *u, const char *id, struct payload *p, enum grant_mode *mode);

/* Makes a prepared payload current, enabled and running. `start` false: all but starting. On failure everything is as if
 * the add-on had never been activated. */
enum result activation_run(struct updater *u, const struct payload *p, enum grant_mode mode, bool start,
			   struct json_object *out);

/* Stops, disables, removes what was rendered and `current`. Idempotent; works without the payload. */
int activation_undo(struct updater *u, const char *id);

/* Adds state and the unit's facts. */
void activation_describe(struct updater *u, const char *id, struct json_object *out);
