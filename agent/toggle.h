/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent itself can do and an assignment switches on or off: add-ons with supervision config-toggle. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>

#include "agent/agent.h"
#include "lib/error.h"

struct toggle {
	const char *id;
	/* Switches it on, or over to another config, which has been checked against the add-on's schema and has its defaults. 0, or
	 * a negative errno with the reason, and what was before goes on. */
	int (*on)(struct agent *a, struct json_object *config, struct error *err);
	void (*off)(struct agent *a);
	/* As it is without an assignment. */
	void (*unassigned)(struct agent *a);
};

/* NULL: this agent has nothing of that id. */
const struct toggle *toggle_find(const char *id);
