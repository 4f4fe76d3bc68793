/* SPDX-License-Identifier: Apache-2.0 */
/* A payload: the directory with an add-on's manifest and binary, opened once and used by descriptor from then on. */
#pragma once

#include "helper/updater.h"
#include "lib/cleanup.h"
#include "lib/manifest.h"
#include "lib/mark.h"

#define PAYLOAD_PACKAGED "packaged" /* the label of what an OS package installed; any other label is a staged version */
#define PAYLOAD_ORIGIN   ".origin.json" /* beside a staged version's files: what was verified, and their digests */

struct payload {
	char label[80];
	char *path; /* absolute, below the updater's root */
	int dir, binary;
	struct manifest manifest;
	char sha256[65], mark[BINARY_MARK_BYTES]; /* of the binary, see lib/mark.h */
	char bundle_sha256[65], key_id[17]; /* of a staged version */
};

/* "", PAYLOAD_PACKAGED or a version. */
bool payload_label_valid(const char *label);

/* The payload that an OS package installed, or a staged version. Every directory on the way and the binary must be root's
 * alone: no symbolic links, one link, not writable by others; every file of a staged version must still have the digest it was
 * staged with. -ENOENT when it is not there; -EPERM, -EINVAL, … with u->err set. */
int payload_open(struct updater *u, const char *id, const char *label, struct payload *out);
void payload_close(struct payload *p);
#define _cleanup_payload_ _cleanup_(payload_close)
#define PAYLOAD_NONE ((struct payload){ .dir = -1, .binary = -1 })

/* The staged versions of an add-on, ascending; malloc'd, freed by payload_versions_free(). */
int payload_versions(struct updater *u, const char *id, struct strings *out);
void payload_versions_free(struct strings *v);

/* Writes PAYLOAD_ORIGIN into a directory that the bundle was just unpacked to. */
struct bundle;
int payload_origin_write(struct updater *u, int dir, const struct bundle *b);

/* The add-on's state directory SR_ADDONS/ID, made when `make`. A descriptor or -errno with u->err set. */
int payload_state_dir(struct updater *u, const char *id, bool make);
