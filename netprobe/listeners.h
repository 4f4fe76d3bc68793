/* SPDX-License-Identifier: Apache-2.0 */
/* When process snapshots are taken and sent. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct server;

#define LISTENERS_INTERVAL_S 60u        /* when the config says 0 */
#define LISTENERS_LEAST_USEC 10000000u  /* between two passes, whatever changes */

struct listeners_schedule {
	uint64_t passed_usec; /* CLOCK_MONOTONIC of the last pass; 0: none */
	bool changed;
	char sent[65];        /* fingerprint of what this client has; "" for nothing */
	uint64_t passes, snapshots;
};

/* Looks at the listeners when it is time, and appends a snapshot for the client if it is another one than it has. Nothing
 * without a client, or while something waits to be sent to it. 1 when one was appended, 0, or a negative errno. */
int listeners_turn(struct server *s, uint64_t now_usec);

/* A new client: it has nothing. */
void listeners_new_client(struct server *s);
