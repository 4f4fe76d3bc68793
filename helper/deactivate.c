/* SPDX-License-Identifier: Apache-2.0 */
/* deactivate ID: with or without its payload, as a package's removal needs it. */
#include "helper/activation.h"

enum result verb_deactivate(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_close_ int dir = payload_state_dir(u, id, false);
	struct state state;

	(void)arg;
	if (dir < 0) { /* never activated */
		u->err.text[0] = '\0';
		(void)snprintf(u->note, sizeof(u->note), "%s: not active", id);
		return RESULT_DONE;
	}
	if (state_read(u, id, &state) < 0)
		state = (struct state){ 0 }; /* a damaged record must not keep a daemon running */
	if (journal_begin(u, id, JOURNAL_DEACTIVATE) < 0)
		return RESULT_REFUSED;
	if (activation_undo(u, id) < 0)
		return RESULT_BROKEN;
	state.activated = false;
	if (state_write(u, id, &state) < 0 || journal_end(u, id) < 0)
		return RESULT_BROKEN;
	activation_describe(u, id, out);
	return RESULT_DONE;
}
