/* SPDX-License-Identifier: Apache-2.0 */
/* Unit files from a manifest. A unit is never carried by a payload: a signature must not be enough to run a command line
 * as root. */
#pragma once

#include "lib/manifest.h"

#define RENDER_MARK "# Rendered by agent-updater from addon.yaml."

/* The text of the "service", "socket" or "timer" unit; empty when the add-on has none. malloc'd; NULL without memory. */
char *render_unit(const struct manifest *m, const char *suffix);
