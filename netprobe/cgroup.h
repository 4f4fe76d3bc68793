/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroups that events name, with what their paths tell; bounded. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "netprobe/bpf/events.h"
#include "netprobe/container.h"

#define CGROUPS_MAX 4096u /* twice what the kernel side remembers to have told us */

struct cgroup {
	unsigned refs;
	uint64_t number; /* as in struct cgroup_record */
	char *path;
	struct container_identity container;
	struct cgroup *next;          /* in its hash chain */
	struct cgroup *older, *newer; /* in the order of coming */
};

struct cgroup_table {
	struct cgroup *buckets[512];
	struct cgroup *oldest, *newest;
	size_t count;
};

/* Takes in a path, in place of what was known under its number. -ENOMEM. */
int cgroup_note(struct cgroup_table *t, const struct cgroup_record *r);

/* A cgroup, or NULL. Borrowed: cgroup_ref it to keep it. */
struct cgroup *cgroup_find(const struct cgroup_table *t, uint64_t number);

/* NULL is fine for both. */
struct cgroup *cgroup_ref(struct cgroup *c);
void cgroup_unref(struct cgroup *c);

void cgroup_table_free(struct cgroup_table *t);
