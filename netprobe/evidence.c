/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/evidence.h"

#include <errno.h>
#include <stdlib.h>

struct evidence_pool {
	struct evidence *all; /* [0] is none */
	uint32_t fresh;       /* from behind this number on none was ever used */
	uint32_t unused;      /* list through `newer` */
	uint32_t oldest, newest;
};

int evidence_pool_new(struct evidence_pool **out)
{
	struct evidence_pool *p = calloc(1, sizeof(*p));

	if (p)
		p->all = calloc(EVIDENCE_MAX + 1, sizeof(*p->all));
	if (p && !p->all) {
		free(p);
		p = NULL;
	}
	*out = p;
	return p ? 0 : -ENOMEM;
}

void evidence_pool_free(struct evidence_pool *p)
{
	if (p)
		free(p->all);
	free(p);
}

struct evidence *evidence_at(struct evidence_pool *p, uint32_t number)
{
	return number ? &p->all[number] : NULL;
}

struct evidence *evidence_take(struct evidence_pool *p, uint32_t flow, int64_t now_ns)
{
	uint32_t number;
	struct evidence *e;

	if (!p->unused && p->fresh == EVIDENCE_MAX)
		return NULL;
	number = p->unused ? p->unused : ++p->fresh;
	e = evidence_at(p, number);
	if (p->unused)
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
