/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the agent share. */
#pragma once

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "agent/config.h"
#include "agent/flows.h"
#include "agent/recent.h"
#include "agent/sinks.h"

struct addon;
struct control;
struct metrics;

struct agent {
	sd_event *event;
	sd_bus *bus;          /* NULL: no system bus now */
	uint64_t interval_us; /* between two looks at everything */
	int rootfd;
	const char *root;
	struct agent_config config;
	enum log_format log_format;
	struct sinks sinks;
	struct flows *flows;
	struct recent *recent;
	struct control *control;
	struct metrics *metrics; /* NULL: not served */
	struct addon *addons; /* list */
	struct json_object *last_good; /* last_good.c; owned */
};

/* control.c: the agent's socket (docs/agent-socket.md). NULL when it cannot be opened; the reason is logged. */
struct control *control_new(struct agent *a);
/* Whether somebody listens to all events; then each goes to control_event, as a line of JSON without its end. */
bool control_listens(const struct control *c);
void control_event(struct control *c, const char *line, size_t length);
/* New flow events are in the ring. */
void control_flows(struct control *c);
void control_free(struct control *c);

/* scan.c: brings the list of add-ons in line with assignments and payloads, and lets each one decide. */
void agent_scan(struct agent *a);
