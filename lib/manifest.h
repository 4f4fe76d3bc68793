/* SPDX-License-Identifier: Apache-2.0 */
/* addon.yaml, the manifest of a native add-on (docs/addon.md): read strictly, every error with file, line and key. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/caps.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define MANIFEST_MAX_BYTES (64u * 1024)

enum delivery { DELIVERY_COMPILED_IN, DELIVERY_PUSHED_ARTIFACT, DELIVERY_OS_PACKAGE };
enum supervision {
	SUPERVISION_CONFIG_TOGGLE,
	SUPERVISION_AGENT_SIDECAR,
	SUPERVISION_SYSTEMD_SERVICE,
	SUPERVISION_SYSTEMD_TIMER,
	SUPERVISION_EPHEMERAL_HELPER,
};

struct strings {
	char **v;
	size_t n;
};

struct manifest {
	char *id, *name, *version, *description, *language;
	enum delivery delivery;
	enum supervision supervision;
	struct strings capabilities; /* what it offers, e.g. host-network-visibility; approved by the assignment */
	struct {
		char *base_agent;         /* least version, e.g. ">=1.4.0" */
		struct strings platforms; /* "linux/amd64" */
		caps_mask os_capabilities; /* within caps_allowlist() */
		char *run_as;
	} requires;
	struct {
		char *binary, *install_path;
		struct strings args;
		bool notify;
		uint32_t start_timeout_s; /* until READY; 30 when not given */
		uint32_t settle_ms;       /* that it must stay up for after READY before an activation counts; 1000 when not given */
	} exec;
	struct strings state_dirs, runtime_dirs; /* relative to /var/lib and /run */
	char *config_schema;                     /* file name beside the manifest */
	struct {
		char *on_calendar;
		uint32_t randomized_delay_s;
	} schedule;
	struct {
		uint32_t cpu_quota_percent, tasks_max; /* 0: not set */
		uint64_t memory_max_bytes;
	} resources;
	struct {
		char *path;
		unsigned mode;
	} socket;         /* path NULL: no socket unit */
	char *spool_dir; /* SR_SPOOL/ID or NULL */
};

/* Parses YAML text. Unknown and duplicate keys, anchors, aliases and tags, missing required keys, values out of their
 * set, an id that is not `^[a-z0-9][a-z0-9_-]*$` (at most 64), a version that is no semver, capabilities outside the
 * allowlist, strings with control characters: -EINVAL and one line "FILE:LINE: KEY: what is wrong". */
int manifest_parse(const char *text, size_t size, const char *where, struct manifest *out, struct error *err);

/* The same from an open directory that holds addon.yaml. `shown` is the directory's name in messages. */
int manifest_read(int dirfd, const char *shown, struct manifest *out, struct error *err);

void manifest_free(struct manifest *m);
#define _cleanup_manifest_ _cleanup_(manifest_free)

const char *delivery_name(enum delivery d);
const char *supervision_name(enum supervision s);
int delivery_parse(const char *s, enum delivery *out);

/* True for a valid add-on id. Every program checks ids with this before a path is made of one. */
bool addon_id_valid(const char *id);

/* Whether the add-on has a unit that is started; the others are run by their consumer, or inside the agent. */
bool manifest_has_unit(const struct manifest *m);

/* Who it runs as: `run_as`, or SR_USER. Borrowed. */
const char *manifest_user(const struct manifest *m);

/* Its uid and gid below `root` (fs_lookup_user); either may be NULL. -EPERM and a line when there is no such user. */
int manifest_lookup_user(const struct manifest *m, const char *root, uid_t *uid, gid_t *gid, struct error *err);

/* Whether it asks for a capability, such as "cap_bpf", by a name that caps_from_name() knows. */
bool manifest_declares(const struct manifest *m, const char *capability);

/* Compares two semantic versions by precedence (semver.org 2.0.0 section 11): <0, 0, >0. Both must be valid. */
int semver_compare(const char *a, const char *b);
bool semver_valid(const char *s);

/* "linux/amd64" of the running build. */
const char *platform_name(void);

/* Whether this build and host can run the add-on: platform listed, base agent not too old, supervision known. `toggle`: the caller
 * can switch this add-on inside itself (supervision config-toggle). The reason goes to `err`. */
enum unsupported { SUPPORTED, UNSUPPORTED_ARCH, UNSUPPORTED_PLATFORM, UNSUPPORTED_AGENT, UNSUPPORTED_OTHER };
enum unsupported manifest_unsupported(const struct manifest *m, bool toggle, struct error *err);

/* "arch_unsupported", …: the drift reason of the status, or "unsupported" for UNSUPPORTED_OTHER, which has none; "" for SUPPORTED. */
const char *unsupported_name(enum unsupported u);
