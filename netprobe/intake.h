/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to events between the kernel and the queue. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct attribution_totals;
struct server;

void intake_init(struct server *s);

/* Takes in what the kernel has, a part of it at a time (*more: there is another), and does what is due. True when there was
 * something. `now_usec`: CLOCK_MONOTONIC. */
bool intake(struct server *s, uint64_t now_usec, bool *more);

/* Events that are on their way: in the ring buffer, held, in the queue. */
uint64_t intake_waiting(const struct server *s, const struct attribution_totals *t);

/* Moves everything on into the queue, for the end; what is in a ring buffer that outlives us is left to the next daemon. */
void intake_flush(struct server *s);

void intake_free(struct server *s);
