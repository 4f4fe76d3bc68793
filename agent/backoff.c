/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/backoff.h"

#include <sys/random.h>

uint64_t backoff_next(struct backoff *b)
{
	uint64_t step = b->next_us ? b->next_us : b->min_us;
	uint32_t r = 0;

	b->next_us = step >= b->max_us / 2 ? b->max_us : step * 2;
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = 0;
	return step - step / 5 * (r % 1000) / 1000;
}
