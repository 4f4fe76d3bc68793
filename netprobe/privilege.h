/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon may do: capabilities raised only around the calls that need them, no_new_privs, a seccomp filter. */
#pragma once

#include <stdbool.h>

#include "lib/caps.h"
#include "lib/error.h"

/* cap_net_raw, cap_bpf, cap_perfmon: the most this daemon ever has. */
caps_mask privilege_wanted(void);

/* Started as root: becomes the user serviceradar and keeps only the wanted capabilities. Started as another user:
 * gives up all but the wanted ones. Then no_new_privs. */
int privilege_reduce(struct error *err);

/* Before the first client is served: empties the effective, inheritable and ambient sets (the permitted set stays for
 * privilege_raise) and turns the seccomp filter on. */
int privilege_lock(struct error *err);

/* Raises the wanted capabilities that are permitted in the effective set. */
int privilege_raise(struct error *err);

/* Takes them out of it again; ends the process rather than go on with more than steady state needs. */
void privilege_lower(void);
