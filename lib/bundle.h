/* SPDX-License-Identifier: Apache-2.0 */
/* A signed add-on bundle (docs/addon.md, "Bundle"): <id>_<version>_linux_<arch>.tar.gz and its .minisig. Nothing of the
 * archive is looked at before the signature over its bytes holds. */
#pragma once

#include <stdbool.h>

#include "lib/keyring.h"
#include "lib/manifest.h"

#define BUNDLE_PACKED_BYTES   (64ull << 20)
#define BUNDLE_UNPACKED_BYTES (256ull << 20)
#define BUNDLE_FILES          64u
#define BUNDLE_NAME_BYTES     128

struct bundle_file {
	char name[BUNDLE_NAME_BYTES];
	char sha256[65];
	uint64_t size;
	unsigned mode; /* 0755 or 0644 */
	char *text;    /* NUL-terminated content of a small one, else NULL */
};

struct bundle {
	/* what was signed */
	char id[80], version[80], arch[16], sha256[65], key_id[17];
	/* what is in it */
	struct manifest manifest;
	struct bundle_file *files;
	unsigned n_files;
};

/* Size, signature over the raw bytes, revocation, trusted comment and digest of an open bundle, in this order. `signature` is
 * the text of the .minisig. Fills the first half of *out; -EINVAL, -EPERM, -EFBIG and one line that names `where`. */
int bundle_authenticate(int fd, const char *signature, size_t size, const struct keyring *keys, const char *where,
			struct bundle *out, struct error *err);

/* Archive, manifest, schema and that they agree with what was signed, of an authenticated bundle. With `into` >= 0 the files
 * are written there, root's, each synced; on failure they are left for the caller to remove. */
int bundle_unpack(int fd, int into, const char *where, struct bundle *b, struct error *err);

/* Whether this build and host can run it: architecture, then what the manifest asks for. */
enum unsupported bundle_unsupported(const struct bundle *b, struct error *err);

/* What was signed and what is in it; a new object. */
struct json_object *bundle_to_json(const struct bundle *b);

void bundle_free(struct bundle *b);
#define _cleanup_bundle_ _cleanup_(bundle_free)

/* What a version is remembered by: "<bundle>" + ".minisig". */
#define BUNDLE_SIGNATURE_SUFFIX ".minisig"
