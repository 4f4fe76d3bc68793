/* SPDX-License-Identifier: Apache-2.0 */
/* SR_AGENT_STATE/assignments.json: the last assignments that applied, an object by id. What is assigned survives an agent
 * that is started while its file is broken. */
#pragma once

#include "agent/agent.h"

/* The assignment of an add-on that applied last, or NULL; owned by the store. */
struct json_object *last_good_get(struct agent *a, const char *id);

/* Remembers (NULL: forgets) one; written at once when it is new. Not being able to write is logged. */
void last_good_put(struct agent *a, const char *id, struct json_object *assignment);
