/* SPDX-License-Identifier: Apache-2.0 */
/* state.json: the updater's record of an add-on; journal: the transaction in progress. */
#pragma once

#include "helper/capability.h"
#include "lib/mark.h"

struct state {
	bool activated;
	bool removing;         /* its package is being removed: nothing activates it until a package is installed again */
	char label[80];        /* the payload that is or was active last: PAYLOAD_PACKAGED or a staged version; empty: none ever */
	char version[80];      /* its version */
	char previous[80];     /* label of the one before it, where rollback goes; empty: none */
	char highest[80];      /* version ever active */
	char sha256[65];       /* of its binary */
	char mark[BINARY_MARK_BYTES]; /* the same for a reader that may not open it: binary_mark() */
	enum grant_mode grant; /* how its capabilities were given */
	char last_error[256];
};

/* Reads SR_ADDONS/ID/state.json; a missing one is all zero. -EINVAL for one that is damaged. */
int state_read(struct updater *u, const char *id, struct state *out);
int state_write(struct updater *u, const char *id, const struct state *s);
void state_to_json(const struct state *s, struct json_object *out);

/* The transaction: journal_begin, changes, state_write, journal_end. The rename of state.json is the one moment at which the
 * new state holds; whoever finds a journal makes the host what state.json says (activation_settle). */
enum journal_verb { JOURNAL_NONE, JOURNAL_ACTIVATE, JOURNAL_DEACTIVATE, JOURNAL_REMOVE };

struct journal {
	enum journal_verb verb;
	bool running;  /* its service was, before the verb */
	bool disabled; /* by hand: so its units stay */
};

/* Marks that a verb has begun to change an add-on, before its first change. */
int journal_begin(struct updater *u, const char *id, const struct journal *j);
int journal_end(struct updater *u, const char *id);

/* A damaged journal is JOURNAL_ACTIVATE of something that was running: all is looked at. */
struct journal journal_read(struct updater *u, const char *id);
