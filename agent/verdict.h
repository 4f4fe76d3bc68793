/* SPDX-License-Identifier: Apache-2.0 */
/* From what is known about an add-on to its state, its drift and what to do next. Pure functions: no I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/manifest.h"

enum addon_state {
	STATE_NOT_INSTALLED, STATE_INSTALLED, STATE_ACTIVATING, STATE_ACTIVE,
	STATE_DEGRADED, STATE_UNSUPPORTED, STATE_FAILED, STATE_DISABLED,
};

enum drift_reason {
	DRIFT_ASSIGNED_NOT_INSTALLED, DRIFT_ASSIGNED_NOT_ACTIVE, DRIFT_VERSION_MISMATCH, DRIFT_ARCH_UNSUPPORTED,
	DRIFT_PLATFORM_UNSUPPORTED, DRIFT_BASE_AGENT_TOO_OLD, DRIFT_CAPABILITY_MISSING, DRIFT_UNIT_FAILED,
	DRIFT_IPC_DISCONNECTED, DRIFT_CONFIG_REJECTED, DRIFT_UNASSIGNED_BUT_ACTIVE, DRIFT_BINARY_MODIFIED, DRIFT_UNIT_MODIFIED,
	DRIFT_KEY_REVOKED,
	DRIFT_REASONS,
};

/* What systemd says about the unit. Strings are empty while `known` is false. */
struct unit_facts {
	bool known;
	char active_state[16], sub_state[24], file_state[24];
	uint32_t main_pid, n_restarts;
};

struct addon_facts {
	bool assigned, enabled;      /* there is an assignment in force; it asks for the add-on */
	bool explicit_request;       /* the assignment was written since the last call to the updater */
	bool installed;              /* a payload with a readable manifest is there */
	enum unsupported unsupported;
	char want_version[80];       /* pinned by the assignment, or empty */
	char version[80];            /* active, or what the payload says */
	bool pushed;                 /* assigned to come as a bundle */
	bool fetched;                /* … which is here, with the digest that the assignment names */
	bool staged;                 /* … and is staged by the updater, unchanged since */
	bool wanted_current;         /* what is active is the payload that the assignment names */
	bool binary_modified;        /* the active binary is not the one that was activated */
	bool unit_modified;          /* a unit file is not what the manifest renders to */
	bool not_approved;           /* the catalog or this host does not allow the wanted bundle */
	bool key_revoked;            /* the active version, or the one that is wanted, is signed by a revoked key */
	bool activated;              /* the updater's record */
	bool config_invalid;         /* the config in force breaks the schema, or the daemon refused it */
	bool call_pending;           /* the updater is at work */
	bool was_up;                 /* its unit ran when the updater was called */
	bool call_blocked;           /* back-off after a failure runs, or it refused this very assignment */
	bool call_failed;            /* the last call failed and nothing succeeded since */
	bool start_failed;           /* … because the unit did not start, or did not run as it should */
	struct unit_facts unit;      /* the service, or the timer that starts it */
	struct unit_facts run;       /* the service that a timer starts; unknown for others */
	bool asked;                  /* systemd was asked and has not answered yet: nothing is done before */
	bool masked;                 /* a link to /dev/null is in a unit's place: systemd may not have read it yet */
	bool helper;                 /* has no unit: its consumer runs it */
	bool spools;                 /* leaves files for the agent */
	bool has_socket;             /* the manifest names one */
	bool connected, config_acked;
	bool connect_grace;          /* started so recently that no connection is no fault */
	bool capability_missing;
	bool capture_unavailable;    /* the daemon says so */
	bool toggle, toggle_on;      /* inside the agent, without a unit; switched on */
};

struct verdict {
	enum addon_state state;
	unsigned drift;              /* bit per enum drift_reason */
};

enum action { ACTION_NONE, ACTION_FETCH, ACTION_STAGE, ACTION_ACTIVATE, ACTION_DEACTIVATE };

/* State and drift (docs/addon.md, "Status"). */
struct verdict verdict_of(const struct addon_facts *f);

/* What to ask of the updater now. A masked unit, and one that an administrator disabled by hand after it was
 * activated, are left alone until the assignment is written again. */
enum action verdict_action(const struct addon_facts *f);

/* Whether the unit runs. */
bool verdict_up(const struct addon_facts *f);

/* True when connecting to the add-on's socket cannot start what should not run. */
bool verdict_attach(const struct addon_facts *f);

/* True when what it has spooled is taken in: assigned, and active or about to be. */
bool verdict_ingests(const struct addon_facts *f);

const char *state_name(enum addon_state s);
const char *drift_name(enum drift_reason r);
const char *action_name(enum action a); /* "fetching"; "" for none */

/* The reasons of a set, with commas; "" for none. Returns out. */
const char *drift_list(unsigned drift, char *out, size_t size);

/* Name to value; -EINVAL for an unknown one. */
int drift_parse(const char *name);

static inline bool drift_has(unsigned drift, enum drift_reason r)
{
	return (drift >> r) & 1u;
}
