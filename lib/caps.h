/* SPDX-License-Identifier: Apache-2.0 */
/* Linux capability sets as 64-bit masks (capabilities(7)), and the allowlist for add-ons (docs/addon.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/error.h"

typedef uint64_t caps_mask;

struct caps_process {
	caps_mask inheritable, permitted, effective, bounding, ambient;
	uid_t uid;        /* effective */
	bool no_new_privs;
	int seccomp;      /* 0 off, 1 strict, 2 filter */
};

/* "cap_net_raw" to its bit number; -EINVAL when this build does not know the name. Case does not matter. */
int caps_from_name(const char *name);

/* The mask of every capability that an add-on may ask for. */
caps_mask caps_allowlist(void);

/* "cap_net_raw,cap_bpf" in ascending bit order into buf; "none" for 0. Returns buf. */
const char *caps_format(caps_mask mask, char *buf, size_t size);

/* Capability sets, uid, no_new_privs and seccomp mode of a process, from one read of /proc/PID/status. */
int caps_of_process(pid_t pid, struct caps_process *out, struct error *err);

/* Sets file capabilities `mask` =ep on an open file, reads them back and compares; mask 0 removes them.
 * -EOPNOTSUPP when the file system has no security xattrs. */
int caps_set_file(int fd, caps_mask mask, struct error *err);

/* File capabilities of an open file: permitted mask, and whether the effective bit is on. 0 and *mask = 0 for none;
 * -EOPNOTSUPP when the file system has no security xattrs. */
int caps_get_file(int fd, caps_mask *mask, bool *effective, struct error *err);

/* The permitted mask of a file that the caller may not read: `name` in an open directory, no link is followed. Needs /proc. */
int caps_get_file_at(int dirfd, const char *name, caps_mask *mask);
