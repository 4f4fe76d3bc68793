/* SPDX-License-Identifier: Apache-2.0 */
/* An add-on's unit files: written when the packaged ones are not the same bytes, enabled, disabled, removed; with a
 * running systemd by its bus, without one by hand. */
#pragma once

#include "helper/payload.h"
#include "helper/systemd.h"

#define UNIT_NAME_BYTES 96

enum unit_kind { UNIT_SERVICE, UNIT_SOCKET, UNIT_TIMER, UNIT_KINDS };
extern const char *const unit_suffix[UNIT_KINDS];

/* "serviceradar-ID.service" / ".socket" / ".timer" */
void units_name(const char *id, const char *suffix, char out[UNIT_NAME_BYTES]);

/* Whether /etc or /run masks the unit: the administrator's word, which stands. */
bool units_masked(struct updater *u, const char *id);

/* Whether the service, or the timer that starts it, is enabled, by hand or by systemd: a link in *.wants. */
bool units_enabled(struct updater *u, const char *id);

/* Makes the unit files what the manifest says. *changed when something was written or removed. */
int units_install(struct updater *u, const struct payload *p, bool *changed);

/* Enables the units that the payload has and disables others of an earlier one; or disables all, whatever there is. */
int units_enable(struct updater *u, const struct payload *p);
int units_disable(struct updater *u, const char *id);

/* Enables or disables the service alone; a masked one is left alone. */
int units_set_enabled(struct updater *u, const char *id, bool on);

/* Removes what units_install wrote. */
int units_remove(struct updater *u, const char *id, bool *changed);

/* Removes temporary names that a crash left beside unit files. */
int units_sweep(struct updater *u);
