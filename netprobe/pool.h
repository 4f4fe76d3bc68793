/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers of 2 to 32 KiB out of one bounded piece of memory, which is reserved at start and not touched before it is needed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define POOL_UNIT  2048u                 /* sizes are multiples of it */
#define POOL_UNITS 16u                   /* in the largest buffer */
#define POOL_CHUNK (POOL_UNIT * POOL_UNITS)

struct pool;

/* `bytes`: the most that is ever given out, a multiple of POOL_CHUNK. -ENOMEM. */
int pool_new(struct pool **out, size_t bytes);
void pool_free(struct pool *p);

/* A buffer of `units`, 1 to POOL_UNITS; NULL when there is none. */
void *pool_get(struct pool *p, unsigned units);
void pool_put(struct pool *p, void *buffer, unsigned units);

size_t pool_used(const struct pool *p); /* bytes given out now */
size_t pool_peak(const struct pool *p); /* bytes given out at most ever */
