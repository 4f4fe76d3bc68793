/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

/* Starts argv[0], a path, without a shell. `in`, `out` and `err` become its standard streams; -1: /dev/null for `in`, this process's own for
 * the others. 0 or a negative errno. The child is the caller's to wait for. */
int spawn_child(const char *const argv[], int in, int out, int err, pid_t *pid);
