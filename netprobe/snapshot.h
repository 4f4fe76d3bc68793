/* SPDX-License-Identifier: Apache-2.0 */
/* The process snapshot: every listening TCP and bound UDP socket with its owner, and a fingerprint that tells whether it is
 * another one than before. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "netprobe/bpf/events.h"
#include "netprobe/cgroup.h"
#include "netprobe/process.h"
#include "proto/netprobe.pb-c.h"

#define SNAPSHOT_MAX               8192u /* entries; more would not fit a frame */
#define SNAPSHOT_FINGERPRINT_BYTES 65

typedef Serviceradar__Agent__Netprobe__V1__ProcessSnapshot ProcessSnapshot;

struct snapshot_entry {
	struct listener_record listener;
	uint32_t holders;
	struct process *process;
	struct cgroup *cgroup;
};

struct snapshot {
	struct snapshot_entry *entries;
	size_t count, room;
	size_t omitted; /* past SNAPSHOT_MAX */
	char fingerprint[SNAPSHOT_FINGERPRINT_BYTES];
};

/* One socket with one of its holders; takes references of its own. -ENOMEM. */
int snapshot_add(struct snapshot *s, const struct listener_record *r, struct process *process, struct cgroup *cgroup);

/* Puts the entries in order, makes one of those of the same socket (of its processes the lowest stays, the others are counted)
 * and of sockets that share a port in one process, and computes the fingerprint: SHA-256 of all that is sent but the time, so
 * neither the order of reading nor a socket's number changes it. 0 or a negative errno. */
int snapshot_finish(struct snapshot *s);

/* The message; it points into the snapshot and into memory that *memory owns: free() it after use. -ENOMEM. */
int snapshot_message(const struct snapshot *s, int64_t observed_ns, ProcessSnapshot *out, void **memory);

void snapshot_free(struct snapshot *s);
