/* SPDX-License-Identifier: Apache-2.0 */
/* An add-on's unit files: written when the packaged ones are not the same bytes, enabled, disabled, removed; with a
 * running systemd by its bus, without one by hand. */
#pragma once

#include "helper/payload.h"
#include "helper/systemd.h"

#define UNIT_NAME_BYTES 96

/* "serviceradar-ID.service" / ".socket" */
void units_name(const char *id, const char *suffix, char out[UNIT_NAME_BYTES]);

/* Whether /etc or /run masks the unit: the administrator's word, which stands. */
bool units_masked(struct updater *u, const char *id);

/* Whether what is enabled by hand or by systemd is enabled: a link in *.wants. */
bool units_enabled(struct updater *u, const char *id);

/* Makes the unit files what the manifest says. *changed when something was written or removed. */
int units_install(struct updater *u, const struct payload *p, bool *changed);

/* Enables the units (of `socket`: the socket too) or disables both, whatever there is. */
int units_enable(struct updater *u, const char *id, bool socket);
int units_disable(struct updater *u, const char *id);

/* Removes what units_install wrote. */
int units_remove(struct updater *u, const char *id, bool *changed);
