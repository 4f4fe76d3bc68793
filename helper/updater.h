/* SPDX-License-Identifier: Apache-2.0 */
/* What every verb works with. */
#pragma once

#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "lib/error.h"

/* Exit status of the program; the bus has an error name for each (helper/bus.c). */
enum result {
	RESULT_DONE = 0,
	RESULT_USAGE = 1,
	RESULT_REFUSED = 2,     /* by policy; nothing was changed */
	RESULT_FAILED = 3,      /* and rolled back */
	RESULT_BROKEN = 4,      /* could not be rolled back */
	RESULT_BUSY = 5,
	RESULT_UNAVAILABLE = 6, /* no systemd or no bus to do it with */
};

/* Names in SR_ADDONS that are no add-on's: what is being staged or thrown away. Whatever has one of them is removed by recover. */
#define UPDATER_STAGING ".staging"
#define UPDATER_SCRATCH ".scratch"

/* The bundle that verify and stage are given. */
struct input {
	int fd; /* -1: none */
	const char *name; /* for messages */
	char *signature;
	size_t signature_size;
};

#define REASON_KEY_REVOKED "signature_key_revoked"

struct updater {
	const char *root; /* "/" or what --root says */
	int rootfd;
	bool online;       /* systemd runs here and manages this root */
	bool start_denied; /* policy-rc.d forbids starting services: units are enabled and started at the next boot */
	sd_bus *systemd;   /* opened when first needed */
	struct input input;
	bool allow_downgrade;
	void (*on_progress)(void *arg, const char *id, const char *step, unsigned percent); /* may be NULL */
	void *progress_arg;
	const char *reason; /* drift reason that a refusal amounts to (docs/addon.md, "Status"); "" when none */
	struct error err;  /* the one error line */
	char note[256];    /* what a person should know though all went well */
};

/* Opens the root and finds out whether systemd runs. -errno with err set. */
int updater_open(struct updater *u, const char *root);
void updater_close(struct updater *u);

/* Says how far a long verb is. `id` NULL while it is not known yet. */
void updater_progress(struct updater *u, const char *id, const char *step, unsigned percent);

/* Whether a failure is the caller's (a file or name that policy refuses) and not the host's (a full disk). */
static inline enum result updater_refusal(int code)
{
	switch (code) {
	case -ENOSPC:
	case -EDQUOT:
	case -EIO:
	case -EROFS:
	case -ENOMEM:
	case -EINTR:
		return RESULT_FAILED;
	default:
		return RESULT_REFUSED;
	}
}

/* Opens a bundle and reads BUNDLE.minisig, or `signature` when not NULL, into u->input. The caller's rights decide. */
int updater_open_bundle(struct updater *u, const char *path, const char *signature);
void updater_close_bundle(struct updater *u);

/* Takes the lock that only one verb holds, waiting at most ten seconds. RESULT_DONE or RESULT_BUSY. */
enum result updater_lock(struct updater *u, int *fd);

/* One verb: `arg` is what follows the id on the command line or NULL; facts for --json and the bus go to `out`. */
typedef enum result verb_fn(struct updater *u, const char *id, const char *arg, struct json_object *out);

verb_fn verb_verify, verb_stage, verb_grant, verb_revoke, verb_activate, verb_rollback, verb_deactivate, verb_reconcile, verb_recover,
	verb_status, verb_remove, verb_base;

enum id_use { ID_NONE, ID_OPTIONAL, ID_REQUIRED, ID_BUNDLE };

struct verb {
	const char *name, *arguments, *summary;
	const char *bus_method;
	verb_fn *run;
	enum id_use id;
	bool takes_arg, locks, root_only; /* takes_arg with ID_NONE: a word follows the verb itself */
};

extern const struct verb verbs[];

/* Runs a verb with everything around it: id check, lock, recovery of what was interrupted before. *reply is the JSON
 * object that --json prints and the bus returns; owned by the caller. */
enum result verb_run(struct updater *u, const struct verb *v, const char *id, const char *arg, struct json_object **reply);

/* Serves the bus until idle. */
enum result bus_serve(struct updater *u);
