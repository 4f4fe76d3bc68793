/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#define AGENT_RUNTIME_DIR "/run/serviceradar/agent"

/* A listening Unix stream socket `name` in AGENT_RUNTIME_DIR below rootfd, which is this service's alone: one that is there already is
 * replaced. `mask` as in umask(2). The descriptor, or a negative errno. */
int listen_unix(int rootfd, const char *name, mode_t mask);
