/* SPDX-License-Identifier: Apache-2.0 */
/* How a bundle comes in: copied first, then verified on the copy, which nobody else can reach. */
#pragma once

#include "helper/updater.h"
#include "lib/bundle.h"

/* Copies u->input into a file without a name in SR_ADDONS and authenticates it. *copy is a descriptor that the caller closes. */
enum result intake_authenticate(struct updater *u, struct bundle *b, int *copy);

/* Checks what is in it, and with `into` >= 0 unpacks it there; then whether it can run here. */
enum result intake_unpack(struct updater *u, struct bundle *b, int copy, int into);
