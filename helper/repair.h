/* SPDX-License-Identifier: Apache-2.0 */
/* Owners that the single package left wrong: its script gave all of /var/lib/serviceradar to the service's user, and its unit
 * /run/serviceradar. The updater works below directories of root's only. */
#pragma once

#include "helper/updater.h"

/* Makes /run/serviceradar root's again. Needed before the lock that lies in it. */
int repair_runtime(struct updater *u);

/* Makes /var/lib/serviceradar and SR_ADDONS root's again. What is in SR_ADDONS and was not root's is removed: whoever owned it may
 * have written it, records and staged versions alike, and a new owner would only hide that. *found says whether SR_STATE was not
 * root's: a host of the single package. */
int repair_state(struct updater *u, bool *found);
