/* SPDX-License-Identifier: Apache-2.0 */
/* The few programs of a distribution that are asked: policy-rc.d, dpkg-statoverride. No shell is ever run. */
#pragma once

#include <stddef.h>

/* Runs argv[0] (an absolute path) with a clean environment and /dev/null as input, and waits. What it prints goes to `out`,
 * NUL-terminated and cut to `size` (`out` NULL: to stderr). Returns its exit status; -ENOENT when there is no such program,
 * -ECHILD when it was killed, or another negative errno. */
int command_run(const char *const argv[], char *out, size_t size);
