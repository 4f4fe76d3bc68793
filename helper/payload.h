/* SPDX-License-Identifier: Apache-2.0 */
/* A payload: the directory with an add-on's manifest and binary, opened once and used by descriptor from then on. */
#pragma once

#include "helper/updater.h"
#include "lib/cleanup.h"
#include "lib/manifest.h"

struct payload {
	char *path; /* absolute, below the updater's root */
	int dir, binary;
	struct manifest manifest;
	char sha256[65]; /* of the binary */
};

/* The payload that an OS package installed. Every directory on the way and the binary must be root's alone: no symbolic
 * links, one link, not writable by others. -ENOENT when it is not installed; -EPERM, -EINVAL, … with u->err set. */
int payload_open(struct updater *u, const char *id, struct payload *out);
void payload_close(struct payload *p);
#define _cleanup_payload_ _cleanup_(payload_close)
#define PAYLOAD_NONE ((struct payload){ .dir = -1, .binary = -1 })

/* The add-on's state directory SR_ADDONS/ID, made when `make`. A descriptor or -errno with u->err set. */
int payload_state_dir(struct updater *u, const char *id, bool make);
