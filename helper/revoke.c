/* SPDX-License-Identifier: Apache-2.0 */
/* revoke ID: takes the file capabilities of the active payload, else of the packaged one away. A process that runs keeps its own. */
#include "helper/activation.h"

enum result verb_revoke(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	char label[80];

	(void)arg;
	(void)out;
	activation_label(u, id, label);
	if (payload_open(u, id, label, &p) < 0)
		return RESULT_REFUSED;
	return capability_revoke(u, &p) < 0 ? RESULT_FAILED : RESULT_DONE;
}
