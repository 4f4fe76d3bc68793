/* SPDX-License-Identifier: Apache-2.0 */
/* Which versions may be assigned (docs/addon.md, "Catalog"): a list signed by a trusted key, and what the administrator of this
 * host decided, which counts more. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/keyring.h"

enum lifecycle { LIFECYCLE_STAGED, LIFECYCLE_APPROVED, LIFECYCLE_REVOKED };

struct catalog_entry {
	char id[80], version[80], arch[16], sha256[65]; /* arch and sha256 are empty in a decision of this host */
	enum lifecycle lifecycle;
};

struct catalog {
	bool present; /* there is a signed catalog */
	uint64_t serial;
	struct catalog_entry *entries, *decisions;
	size_t n_entries, n_decisions;
};

/* Parses {"serial": N, "packages": [{"id", "version", "os", "arch", "sha256", "lifecycle"}, …]}. -EINVAL and a line. */
int catalog_parse(const char *text, size_t size, const char *where, struct catalog *out, struct error *err);

/* Reads SR_CATALOG, whose SR_CATALOG.minisig must hold with the trusted comment "catalog serial=N sha256=DIGEST", and
 * SR_APPROVALS. Either may be missing. A catalog that does not hold is an error: without it nothing can be known to be approved. */
int catalog_read(int rootfd, const struct keyring *keys, struct catalog *out, struct error *err);

/* Whether this bundle may be assigned: approved by this host; or not revoked by it, and approved by the catalog with this digest,
 * or there is no catalog. -EPERM and a line that says what to do. */
int catalog_allows(const struct catalog *c, const char *id, const char *version, const char *sha256, struct error *err);

const char *lifecycle_name(enum lifecycle l);

/* Records the decision of this host in SR_APPROVALS; needs root. */
int catalog_decide(int rootfd, const char *id, const char *version, enum lifecycle l, struct error *err);

void catalog_free(struct catalog *c);
#define _cleanup_catalog_ _cleanup_(catalog_free)
