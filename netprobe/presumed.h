/* SPDX-License-Identifier: Apache-2.0 */
/* Accepts whose owner is only presumed: where the kernel does not tell who accepts a connection, the listener's owner is
 * reported, and who uses the socket first corrects it. Such an event waits a moment for its correction, so that the client
 * mostly sees one accept with the right owner; a later correction goes out as a second accept of the same socket. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "netprobe/events.h"

#define PRESUMED_MAX     4096u
#define PRESUMED_HOLD_NS 50000000u

typedef void (*presumed_fn)(const struct event *event, void *userdata);

struct presumed {
	struct presumed_slot *slots; /* taken with the first event; PRESUMED_MAX */
	uint32_t *buckets;           /* slot + 1 */
	size_t first, count;         /* a ring in the order of coming; slots in it may be empty already */
	size_t held;
	uint64_t merged;             /* corrections that became one with their accept */
};

/* Takes one event in and hands out, in order, what is to go on: nothing, the event, or an older one and the event. Held events
 * have references of their own. Without memory nothing is held. */
void presumed_take(struct presumed *p, const struct event *event, presumed_fn fn, void *userdata);

/* Hands out what has waited long enough. `now_ns`: CLOCK_MONOTONIC; UINT64_MAX for all. */
void presumed_expire(struct presumed *p, uint64_t now_ns, presumed_fn fn, void *userdata);

void presumed_free(struct presumed *p);
