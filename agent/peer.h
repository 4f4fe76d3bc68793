/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of the agent's socket. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define PEER_CAPTURE_GROUP "serviceradar-capture"

/* Root, and members of PEER_CAPTURE_GROUP. */
bool peer_may_capture(int fd);

/* The same, the agent's own user, and members of its group. */
bool peer_may_connect(int fd);

/* "name(uid)": a name can be given to another. */
void peer_name(int fd, char *out, size_t size);
