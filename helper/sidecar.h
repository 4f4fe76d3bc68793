/* SPDX-License-Identifier: Apache-2.0 */
/* Config files of the single package, in which add-ons were children of the agent: SR_SIDECARS/ID.json. Each becomes an assignment
 * when its add-on's own package is there. */
#pragma once

#include "helper/payload.h"

/* The files' texts by id, {} when there is none: what a package manager may take away with the old package. */
struct json_object *sidecar_texts(struct updater *u);

/* Writes back those of `texts` that are gone. */
int sidecar_restore(struct updater *u, struct json_object *texts);

/* Add-ons that were a part of the single package and have no package on this host: their socket directories are removed, and the
 * first of them is a line for people; "" when there is none. */
void sidecar_orphans(struct updater *u, char *out, size_t size);

/* Makes an assignment of the file of a packaged payload, with the keys that the add-on's schema takes; enabled when it was. The
 * file is kept as ID.json.migrated. 1 when there was one, 0 when not, or negative with u->err set. */
int sidecar_take_over(struct updater *u, const struct payload *p);
