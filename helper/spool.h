/* SPDX-License-Identifier: Apache-2.0 */
/* The directory in which an add-on on a timer leaves files for the agent (docs/addon.md, "Spool"). */
#pragma once

#include "helper/updater.h"
#include "lib/manifest.h"

/* Makes SR_SPOOL/ID, or repairs its owner and mode: the add-on's user, the agent's group, 0770. Nothing for a manifest without one.
 * -EPERM with u->err: the user is not there, something else has the name. */
int spool_make(struct updater *u, const struct manifest *m);

/* Removes it with all that is in it. */
int spool_remove(struct updater *u, const char *id);
