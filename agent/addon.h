/* SPDX-License-Identifier: Apache-2.0 */
/* One add-on: its assignment, payload, unit and connection, and what follows from them. */
#pragma once

#include "agent/agent.h"
#include "agent/ipc.h"
#include "agent/verdict.h"
#include "lib/assignment.h"

struct addon {
	struct addon *next;
	struct agent *agent;
	char id[65], unit[96], *unit_path;
	struct addon_facts facts;
	struct manifest manifest;
	struct json_object *config;  /* in force; owned */
	char mark[ASSIGNMENT_MARK_BYTES]; /* of the assignment that was taken in last */
	char payload_dir[512], grant_mode[24], want_delivery[24];
	sd_event_source *watches[2]; /* of the payload and of the updater's record */
	char assignment_error[512], payload_error[512], call_error[512];
	bool seen, loaded, refused, ipc_ready, config_refused;
	struct ipc ipc;
	struct backoff backoff;
	uint64_t blocked_until_us, unit_since_us;
	sd_bus_slot *call_slot, *match_slot, *unit_slot, *service_slot;
	sd_event_source *timer;
	struct verdict verdict;
	int64_t changed_at;
	char *written;               /* the status file's content */
};

struct addon *addon_get(struct agent *a, const char *id, bool make);

/* Reads assignment, payload and record again, then addon_settle. */
void addon_refresh(struct addon *d);

/* Draws the conclusions: state, status file, connection, call to the updater. */
void addon_settle(struct addon *d);

/* The status object of docs/addon.md; the caller owns it. */
struct json_object *addon_status(const struct addon *d);

void addon_free(struct addon *d);

/* units.c: asks systemd about the unit; addon_settle when it answers. Signals keep it up to date. */
void units_watch(struct addon *d);
void units_refresh(struct addon *d);

/* status.c: writes SR_STATUS/<id>.json when it has changed. */
void status_write(struct addon *d);
