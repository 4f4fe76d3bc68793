/* SPDX-License-Identifier: Apache-2.0 */
/* Delays between attempts: doubling up to a limit, with a jitter of a fifth so that many hosts do not march in step. */
#pragma once

#include <stdint.h>

struct backoff {
	uint64_t min_us, max_us; /* set by the owner */
	uint64_t next_us;        /* 0: start again at min_us */
};

/* The delay to wait now, in microseconds: between 0.8 and 1.0 of the step, never above max_us. Doubles the step. */
uint64_t backoff_next(struct backoff *b);

/* After a success. */
static inline void backoff_reset(struct backoff *b)
{
	b->next_us = 0;
}
