/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/pool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Under ASan what is not given out may not be touched. */
#if defined(__SANITIZE_ADDRESS__)
#define POOL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_ASAN 1
#endif
#endif
#ifdef POOL_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define ALL_FREE 0xffffu
#define NONE     UINT32_MAX
#define LOOK_AT  16u /* partly used chunks, before a fresh one is taken */

/* A bit of `free` for each unit. Chunks with a free unit are in a list, those that are used in part first. */
struct chunk {
	uint32_t previous, next;
	uint16_t free;
};

struct pool {
	uint8_t *memory;
	uint32_t chunks, fresh;  /* chunks from `fresh` on were never used */
	uint32_t partial, empty; /* heads of the two lists */
	size_t used, peak;
	struct chunk chunk[];
};

int pool_new(struct pool **out, size_t bytes)
{
	uint32_t chunks = (uint32_t)(bytes / POOL_CHUNK);
	struct pool *p = calloc(1, sizeof(*p) + chunks * sizeof(p->chunk[0]));

	if (!p)
		return -ENOMEM;
	p->memory = mmap(NULL, (size_t)chunks * POOL_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	if (p->memory == MAP_FAILED) {
		free(p);
		return -ENOMEM;
	}
	p->chunks = chunks;
	p->partial = p->empty = NONE;
	ASAN_POISON_MEMORY_REGION(p->memory, (size_t)chunks * POOL_CHUNK);
	*out = p;
	return 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	ASAN_UNPOISON_MEMORY_REGION(p->memory, (size_t)p->chunks * POOL_CHUNK);
	munmap(p->memory, (size_t)p->chunks * POOL_CHUNK);
	free(p);
}

static void list_add(struct pool *p, uint32_t *head, uint32_t i)
{
	p->chunk[i].previous = NONE;
	p->chunk[i].next = *head;
	if (*head != NONE)
		p->chunk[*head].previous = i;
	*head = i;
}

static void list_remove(struct pool *p, uint32_t *head, uint32_t i)
{
	struct chunk *c = &p->chunk[i];

	if (c->previous == NONE)
		*head = c->next;
	else
		p->chunk[c->previous].next = c->next;
	if (c->next != NONE)
		p->chunk[c->next].previous = c->previous;
}

/* The first of `units` free units beside each other, or POOL_UNITS. */
static unsigned run_of(uint16_t free_units, unsigned units)
{
	uint32_t want = (1u << units) - 1;

	for (unsigned i = 0; i + units <= POOL_UNITS; i++)
		if (((uint32_t)free_units >> i & want) == want)
			return i;
	return POOL_UNITS;
}

static void *take(struct pool *p, uint32_t i, unsigned at, unsigned units)
{
	struct chunk *c = &p->chunk[i];
	uint8_t *buffer = p->memory + (size_t)i * POOL_CHUNK + (size_t)at * POOL_UNIT;

	c->free = (uint16_t)(c->free & ~(((1u << units) - 1) << at));
	if (c->free)
		list_add(p, &p->partial, i);
	p->used += (size_t)units * POOL_UNIT;
	if (p->used > p->peak)
		p->peak = p->used;
	ASAN_UNPOISON_MEMORY_REGION(buffer, (size_t)units * POOL_UNIT);
	return buffer;
}

void *pool_get(struct pool *p, unsigned units)
{
	uint32_t i;
	unsigned looked = 0;
	bool left = p->empty != NONE || p->fresh < p->chunks;

	for (i = p->partial; i != NONE && (!left || looked < LOOK_AT); i = p->chunk[i].next, looked++) {
		unsigned at = run_of(p->chunk[i].free, units);

		if (at == POOL_UNITS)
			continue;
		list_remove(p, &p->partial, i);
		return take(p, i, at, units);
	}
	if (!left)
		return NULL;
	i = p->empty;
	if (i != NONE)
		list_remove(p, &p->empty, i);
	else
		i = p->fresh++;
	p->chunk[i].free = ALL_FREE;
	return take(p, i, 0, units);
}

void pool_put(struct pool *p, void *buffer, unsigned units)
{
	size_t at = (size_t)((uint8_t *)buffer - p->memory);
	uint32_t i = (uint32_t)(at / POOL_CHUNK);
	struct chunk *c = &p->chunk[i];

	if (c->free)
		list_remove(p, &p->partial, i);
	c->free = (uint16_t)(c->free | ((1u << units) - 1) << (at % POOL_CHUNK / POOL_UNIT));
	list_add(p, c->free == ALL_FREE ? &p->empty : &p->partial, i);
	p->used -= (size_t)units * POOL_UNIT;
	ASAN_POISON_MEMORY_REGION(buffer, (size_t)units * POOL_UNIT);
}

size_t pool_used(const struct pool *p)
{
	return p->used;
}

size_t pool_peak(const struct pool *p)
{
	return p->peak;
}
