/* SPDX-License-Identifier: Apache-2.0 */
/* Debian's policy-rc.d(8): during a package operation the local policy may forbid starting and stopping services. */
#pragma once

#include "helper/updater.h"

/* Whether a script of a Debian package runs us. */
bool policy_dpkg(void);

/* Whether the policy forbids `action` ("start", "stop", …) for the service of `id`: its answer 101. Only asked when a maintainer
 * script calls, and on the running system. */
bool policy_denies(struct updater *u, const char *id, const char *action);
