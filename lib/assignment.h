/* SPDX-License-Identifier: Apache-2.0 */
/* An assignment: what should be active on this host (docs/addon.md, "Assignment"). */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "lib/manifest.h"

struct assignment {
	char *addon_id;
	bool enabled;
	enum delivery delivery;
	char *version; /* NULL: any */
	struct {
		char *url, *sha256, *signature_url; /* NULL when not given */
	} artifact;
	struct strings approved_capabilities;
	struct json_object *config; /* NULL when not given */
};

/* Reads and checks one assignment object; `where` names its file in messages. Unknown keys, a missing addon_id,
 * enabled or delivery, wrong types: -EINVAL with file, key and value. */
int assignment_parse(struct json_object *object, const char *where, struct assignment *out, struct error *err);

/* Reads ID.json in an open directory. The addon_id inside must equal `id`. -ENOENT when there is none. */
int assignment_read(int dirfd, const char *shown_dir, const char *id, struct assignment *out, struct error *err);

/* What tells one state of an assignment's file from another: inode, size and time of change. The status carries the mark of
 * the file that was taken in last. */
#define ASSIGNMENT_MARK_BYTES 80
void assignment_mark(const struct stat *st, char out[ASSIGNMENT_MARK_BYTES]);

/* Capabilities that the manifest offers and the assignment has not approved: -EPERM naming the first. */
int assignment_approves(const struct assignment *a, const struct manifest *m, struct error *err);

void assignment_free(struct assignment *a);
#define _cleanup_assignment_ _cleanup_(assignment_free)
