/* SPDX-License-Identifier: Apache-2.0 */
/* deactivate ID [removing]: with or without its payload. A package that is about to be removed says `removing`: the agent,
 * which still sees the assignment, cannot start the add-on again before its files are gone. */
#include <errno.h>
#include <string.h>

#include "helper/activation.h"

/* The new record may be there, only not for certain: the one before again. Without it the journal stays, for recover. */
static enum result take_back(struct updater *u, const char *id, const struct state *before)
{
	struct error why = u->err;
	bool back = state_write(u, id, before) == 0 && journal_end(u, id) == 0;

	u->err = why;
	return back ? RESULT_FAILED : RESULT_BROKEN;
}

enum result verb_deactivate(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	const struct journal journal = { JOURNAL_DEACTIVATE, false, false };
	_cleanup_close_ int dir = payload_state_dir(u, id, false);
	bool removing = arg && strcmp(arg, "removing") == 0;
	struct state state, before;
	int r;

	if (arg && *arg && !removing) {
		(void)error_set(&u->err, -EINVAL, "%.64s: only \"removing\" may follow the id", arg);
		return RESULT_USAGE;
	}
	if (dir < 0 && dir != -ENOENT)
		return RESULT_REFUSED;
	if (dir < 0) { /* never activated */
		u->err.text[0] = '\0';
		(void)snprintf(u->note, sizeof(u->note), "%s: not active", id);
		return RESULT_DONE;
	}
	r = state_read(u, id, &state);
	if (r < 0 && updater_refusal(r) == RESULT_FAILED)
		return RESULT_FAILED;
	if (r < 0)
		state = (struct state){ 0 }; /* a damaged record must not keep a daemon running */
	before = state;
	state.activated = false;
	state.removing = removing;
	state.last_error[0] = '\0';
	if (journal_begin(u, id, &journal) < 0)
		return RESULT_REFUSED;
	if (state_write(u, id, &state) < 0)
		return take_back(u, id, &before);
	if (activation_settle(u, id, &state, (struct how){ 0 }, true) < 0 || journal_end(u, id) < 0)
		return RESULT_BROKEN;
	activation_describe(u, id, out);
	return RESULT_DONE;
}
