/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that a host trusts: the vendor's in SR_KEYS_VENDOR and the operator's in SR_KEYS_OPERATOR, *.pub in both; the
 * operator's file "revoked" takes keys of either away (docs/addon.md, "Bundle"). */
#pragma once

#include <stdbool.h>

#include "lib/cleanup.h"
#include "lib/minisign.h"

struct keyring {
	struct minisign_key *keys;
	size_t n;
	uint8_t (*revoked)[8];
	size_t n_revoked;
	struct error skipped; /* what is said beside "no key": the last key file that could not be used; empty when none */
};

/* Reads both directories below `rootfd`; either may be missing. Directories and files must be root's and writable by nobody
 * else. A damaged key file is left out and named in `skipped`; a `revoked` file that cannot be read or understood is an error,
 * because without it a revoked key would verify. */
int keyring_load(int rootfd, struct keyring *out, struct error *err);
void keyring_free(struct keyring *k);
#define _cleanup_keyring_ _cleanup_(keyring_free)

/* Adds one key file by path, for a person who checks with a key of their own. */
int keyring_add_file(struct keyring *k, const char *path, struct error *err);

bool keyring_revoked(const struct keyring *k, const uint8_t id[8]);

/* The signature holds over the hash, made by a key of the ring that is not revoked: 0. -EPERM, or -EKEYREVOKED, and a line
 * naming `where` and the key id: unknown key, revoked key, signature that does not hold. */
int keyring_verify(const struct keyring *k, const struct minisign_signature *sig, const uint8_t hash[MINISIGN_HASH_BYTES],
		   const char *where, struct error *err);
