/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/evidence.h"

#include <errno.h>
#include <stdlib.h>

#define BLOCK 64u

struct evidence_pool {
	struct evidence *blocks[EVIDENCE_MAX / BLOCK];
	uint32_t block_count;
	uint32_t unused; /* list through `newer` */
	uint32_t oldest, newest;
	uint64_t allocations;
};

int evidence_pool_new(struct evidence_pool **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void evidence_pool_free(struct evidence_pool *p)
{
	for (uint32_t i = 0; p && i < p->block_count; i++)
		free(p->blocks[i]);
	free(p);
}

struct evidence *evidence_at(struct evidence_pool *p, uint32_t number)
{
	return number ? &p->blocks[(number - 1) / BLOCK][(number - 1) % BLOCK] : NULL;
}

static void grow(struct evidence_pool *p)
{
	struct evidence *block;

	if (p->block_count == EVIDENCE_MAX / BLOCK)
		return;
	block = calloc(BLOCK, sizeof(*block));
	p->allocations++;
	if (!block)
		return;
	p->blocks[p->block_count] = block;
	for (uint32_t i = 0; i < BLOCK; i++)
		block[i].newer = i + 1 < BLOCK ? p->block_count * BLOCK + i + 2 : 0;
	p->unused = p->block_count * BLOCK + 1;
	p->block_count++;
}

struct evidence *evidence_take(struct evidence_pool *p, uint32_t flow, int64_t now_ns)
{
	uint32_t number;
	struct evidence *e;

	if (!p->unused)
		grow(p);
	number = p->unused;
	e = evidence_at(p, number);
	if (!e)
		return NULL;
	p->unused = e->newer;
	e->number = number;
	e->flow = flow;
	e->made_ns = now_ns;
	for (int i = 0; i < 2; i++) { /* not the whole of it: the strings are long */
		e->end[i].any = e->end[i].p0f.found = false;
		e->end[i].p0f_signature[0] = e->end[i].ja4[0] = e->end[i].hassh[0] = e->end[i].hassh_server[0] = '\0';
	}
	e->newer = 0;
	e->older = p->newest;
	if (e->older)
		evidence_at(p, e->older)->newer = number;
	else
		p->oldest = number;
	p->newest = number;
	return e;
}

struct evidence *evidence_oldest(struct evidence_pool *p)
{
	return evidence_at(p, p->oldest);
}

void evidence_release(struct evidence_pool *p, struct evidence *e)
{
	if (e->older)
		evidence_at(p, e->older)->newer = e->newer;
	else
		p->oldest = e->newer;
	if (e->newer)
		evidence_at(p, e->newer)->older = e->older;
	else
		p->newest = e->older;
	e->newer = p->unused;
	p->unused = e->number;
}

uint64_t evidence_allocations(const struct evidence_pool *p)
{
	return p->allocations;
}
