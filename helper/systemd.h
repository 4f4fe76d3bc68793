/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager, by its D-Bus interface (org.freedesktop.systemd1(5)); systemctl is never run. */
#pragma once

#include <stdint.h>

#include "helper/updater.h"

struct unit_state {
	char active[16], sub[24], file[24]; /* ActiveState, SubState, UnitFileState */
	uint32_t main_pid, restarts;
	bool need_reload;
};

/* State of a unit; a unit that is not there is inactive with an empty `file`. */
int systemd_unit_state(struct updater *u, const char *unit, struct unit_state *out);

/* "StartUnit", "StopUnit" or "RestartUnit". With `wait` until the job is done: for Type=notify until READY, and -EIO with u->err
 * when it did not end well; without it the job is only queued. Stopping a unit that is not there is done. */
int systemd_job(struct updater *u, const char *method, const char *unit, bool wait);

/* Reads unit files again; forgets a unit's failures and restart counter. */
int systemd_reload(struct updater *u);
void systemd_reset_failed(struct updater *u, const char *unit);

/* Enables or disables units in /etc. */
int systemd_enable(struct updater *u, const char *const *units, bool on);
