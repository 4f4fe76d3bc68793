/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/policy.h"

#include <stdlib.h>
#include <string.h>

#include "helper/command.h"
#include "helper/units.h"
#include "lib/paths.h"

#define POLICY "/usr/sbin/policy-rc.d"
#define DENIED 101

bool policy_dpkg(void)
{
	return getenv("DPKG_MAINTSCRIPT_PACKAGE") != NULL;
}

bool policy_denies(struct updater *u, const char *id, const char *action)
{
	char name[UNIT_NAME_BYTES];
	const char *const argv[] = { POLICY, name, action, NULL };

	if (!policy_dpkg() || strcmp(u->root, "/") != 0)
		return false;
	(void)snprintf(name, sizeof(name), SR_UNIT_PREFIX "%s", id);
	return command_run(argv, NULL, 0) == DENIED;
}
