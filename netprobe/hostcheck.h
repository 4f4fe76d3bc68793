/* SPDX-License-Identifier: Apache-2.0 */
/* What this host can do, for --check and for PingAck. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* Kernel 5.12 or later, BTF there and readable, cap_bpf and cap_perfmon permitted. 0, or -ENOTSUP with the first reason
 * why attribution cannot run, and what to do. */
int hostcheck(struct error *err);

/* Release of the running kernel; owned by the function. */
const char *hostcheck_kernel(void);

/* `--check`: prints one line a precondition and program to stdout, or a JSON object. Returns true when all is well. */
bool hostcheck_print(bool json);
