/* SPDX-License-Identifier: Apache-2.0 */
/* One add-on: its assignment, payload, unit and connection, and what follows from them. */
#pragma once

#include "agent/agent.h"
#include "agent/ipc.h"
#include "agent/inbox.h"
#include "agent/toggle.h"
#include "agent/updater.h"
#include "agent/verdict.h"
#include "agent/watch.h"
#include "lib/assignment.h"
#include "lib/mark.h"

/* A unit that systemd is asked about. No name: there is none. */
struct unit {
	struct addon *addon;
	struct unit_facts *facts;
	char name[96], *path;
	sd_bus_slot *match_slot, *unit_slot, *type_slot;
};

struct addon {
	struct addon *next;
	struct agent *agent;
	char id[65];
	struct unit unit, run;       /* the one that is wanted: a service or a timer; the service that the timer starts */
	struct addon_facts facts;
	struct manifest manifest;
	const struct toggle *toggle; /* what the agent itself switches; NULL: a program of its own */
	struct json_object *toggled; /* the config that it is on with; owned; NULL: off */
	struct json_object *config;  /* in force; owned */
	char mark[ASSIGNMENT_MARK_BYTES], call_mark[ASSIGNMENT_MARK_BYTES]; /* of the assignment taken in last, and when the updater was asked */
	char payload_dir[512], active_dir[512], grant_mode[24], want_delivery[24];
	const char *source;          /* of the assignment: "local" or "pushed" */
	bool overridden;             /* a pushed one, too, that says something else */
	char *artifact_url, *artifact_sha256, *signature_url; /* of a bundle that is wanted */
	char fetched_sha256[65];     /* of the bundle that is in SR_BUNDLES */
	char active_sha256[65];      /* of the binary, by the updater's record */
	char active_mark[BINARY_MARK_BYTES]; /* the same for a binary that the agent may not read */
	char modified[512], modified_unit[512]; /* in which way the binary, a unit is another */
	struct digest {
		struct stat st;
		char sha256[65];
	} digests[2];                /* of the active and the wanted binary, for as long as the file stays the same */
	enum unsupported refused_unsupported; /* the updater said so about the wanted bundle */
	bool refused_key;
	enum action action;          /* that runs or ran last */
	struct fetch *fetch;         /* delivery.c */
	struct watch watches[3];     /* of the payload, of the active one, and of the updater's record */
	char assignment_error[512], payload_error[512], call_error[512], approval_error[512];
	bool seen, loaded, refused, ipc_ready, config_refused;
	struct ipc ipc;
	struct inbox inbox;
	struct backoff backoff;
	uint64_t blocked_until_us, unit_since_us;
	sd_bus_slot *call_slot;
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

/* What an action came to; `why` when it is not UPDATER_OK. */
void addon_done(struct addon *d, enum updater_result result, const char *why);

/* Keeps a message, and logs it when it is new. */
void addon_complain(char (*slot)[512], const char *text);

void addon_free(struct addon *d);

/* payload.c: reads the updater's record and the payload that is wanted (else the active, else the packaged one) into the facts.
 * Returns its config schema, owned by the caller; NULL when there is none that can be used. */
struct json_object *payload_read(struct addon *d);

/* delivery.c: fetches the wanted bundle and its signature by a child; addon_done when it has ended. */
int delivery_fetch(struct addon *d);

/* Hands what was fetched to the updater. */
int delivery_stage(struct addon *d, sd_bus_message_handler_t done);

/* How much of the bundle is here, in bytes, and how large it is; `total` 0: the server has not said it. False when none is being fetched, or
 * its signature still is. */
bool delivery_progress(const struct addon *d, uint64_t *bytes, uint64_t *total);

void delivery_cancel(struct addon *d);

/* Removes what was fetched: nobody wants it any more. While it is assigned it stays, to repair a staged version with. */
void delivery_forget(struct addon *d);

/* units.c: asks systemd about the units that the manifest has; addon_settle when it answers. Signals keep it up to date. */
void units_follow(struct addon *d);

/* The bus is gone, or the add-on. */
void units_release(struct addon *d);

/* status.c: writes SR_STATUS/<id>.json when it has changed. */
void status_write(struct addon *d);
