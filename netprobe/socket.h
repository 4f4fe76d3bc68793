/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket: handed over by systemd, or made here. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

/* A listening Unix stream socket, non-blocking. From systemd when it passed exactly one; else bound at `path` with mode
 * 0600, which is read back. A path that another instance serves: -EADDRINUSE; a stale one is replaced. *own is set when
 * the path is ours to remove at the end. */
int socket_listen(const char *path, bool *own, struct error *err);

/* Whether SO_PEERCRED of a connection is one to serve: uid 0, our own, or the user serviceradar's. */
bool socket_peer_allowed(int fd, unsigned *uid);
