/* SPDX-License-Identifier: Apache-2.0 */
/* state.json: the updater's record of an add-on; journal: the transaction in progress. */
#pragma once

#include "helper/capability.h"

struct state {
	bool activated;
	bool removing;         /* its package is being removed: nothing activates it until a package is installed again */
	char version[80];      /* of what is or was active last */
	char sha256[65];       /* of its binary */
	enum grant_mode grant; /* how its capabilities were given */
	char last_error[256];
};

/* Reads SR_ADDONS/ID/state.json; a missing one is all zero. -EINVAL for one that is damaged. */
int state_read(struct updater *u, const char *id, struct state *out);
int state_write(struct updater *u, const char *id, const struct state *s);
void state_to_json(const struct state *s, struct json_object *out);

enum journal_verb { JOURNAL_NONE, JOURNAL_ACTIVATE, JOURNAL_DEACTIVATE };

/* Marks that a verb has begun to change an add-on, before its first change. */
int journal_begin(struct updater *u, const char *id, enum journal_verb verb);
int journal_end(struct updater *u, const char *id);
enum journal_verb journal_read(struct updater *u, const char *id);
