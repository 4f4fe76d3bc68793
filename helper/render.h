/* SPDX-License-Identifier: Apache-2.0 */
/* Unit files from a manifest. A unit is never carried by a payload: a signature must not be enough to run a command line
 * as root. */
#pragma once

#include "lib/manifest.h"

#define RENDER_MARK "# Rendered by agent-updater from addon.yaml."

/* The service unit, and the socket unit (NULL when the manifest has no socket). malloc'd; NULL without memory. */
char *render_service(const struct manifest *m);
char *render_socket(const struct manifest *m);
