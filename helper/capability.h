/* SPDX-License-Identifier: Apache-2.0 */
/* File capabilities of a payload's binary: whether they can work here, and setting them. */
#pragma once

#include "helper/payload.h"

enum grant_mode { GRANT_NONE, GRANT_FILE_AND_AMBIENT, GRANT_AMBIENT };

const char *grant_mode_name(enum grant_mode m);

/* Whether the add-on's capabilities can reach its process, and how. -EPERM with u->err: a capability that the kernel or
 * PID 1 does not have, a noexec mount. GRANT_AMBIENT on a nosuid mount or a file system without xattrs. */
int capability_preflight(struct updater *u, const struct payload *p, enum grant_mode *mode);

/* Sets owner, mode and capabilities of the binary, last of all the capabilities, because the others erase them. Only
 * what differs is touched. *mode may become GRANT_AMBIENT on a read-only file system. */
int capability_grant(struct updater *u, const struct payload *p, enum grant_mode *mode);

/* Takes the capabilities away and gives the binary its packaged owner and mode back. */
int capability_revoke(struct updater *u, const struct payload *p);

/* Whether a running process has the declared capabilities permitted. -EPERM with u->err naming what is missing. */
int capability_check_process(struct updater *u, const struct payload *p, pid_t pid);
