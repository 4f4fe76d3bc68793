/* SPDX-License-Identifier: Apache-2.0 */
/* remove ID, for purge: units, capabilities, staged versions and state are gone afterwards. */
#include <errno.h>
#include <string.h>

#include "helper/activation.h"
#include "helper/spool.h"

enum result verb_remove(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	const struct journal journal = { JOURNAL_REMOVE, false, false };
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	enum result r = verb_deactivate(u, id, arg, out);
	_cleanup_close_ int dir = -1;
	int opened;

	if (r != RESULT_DONE)
		return r;
	u->note[0] = '\0';
	opened = payload_open(u, id, PAYLOAD_PACKAGED, &p);
	if (opened < 0 && updater_refusal(opened) == RESULT_FAILED)
		return RESULT_FAILED;
	if (opened == 0 && capability_revoke(u, &p) < 0)
		return RESULT_FAILED;
	u->err.text[0] = '\0';
	if (spool_remove(u, id) < 0)
		return RESULT_FAILED;
	dir = payload_state_dir(u, id, false);
	if (dir >= 0 && journal_begin(u, id, &journal) < 0)
		return RESULT_FAILED;
	return activation_forget(u, id) < 0 ? RESULT_FAILED : RESULT_DONE;
}
