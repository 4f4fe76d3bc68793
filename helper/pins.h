/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of the BPF file system in which an add-on with cap_bpf keeps kernel programs and maps over a restart
 * (docs/addon.md, "Pinned programs"). */
#pragma once

#include "helper/updater.h"
#include "lib/manifest.h"

/* Makes SR_BPFFS/ID for the add-on's user alone. Nothing for a manifest without cap_bpf, and where no BPF file system can be written: the
 * add-on then begins anew with each start. -errno with u->err. */
int pins_make(struct updater *u, const struct manifest *m);

/* The same for what is active at boot, when the BPF file system is empty. */
int pins_make_again(struct updater *u, const char *id);

/* Removes it with all that is pinned there, which ends what is not held open by a process. */
int pins_remove(struct updater *u, const char *id);
