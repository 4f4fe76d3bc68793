/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/cgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS (sizeof(((struct cgroup_table *)0)->buckets) / sizeof(struct cgroup *))

static size_t bucket_of(uint64_t number)
{
	return (number * 0x9e3779b97f4a7c15ull >> 40) % BUCKETS;
}

struct cgroup *cgroup_ref(struct cgroup *c)
{
	if (c)
		c->refs++;
	return c;
}

void cgroup_unref(struct cgroup *c)
{
	if (!c || --c->refs > 0)
		return;
	free(c->path);
	free(c);
}

static void forget(struct cgroup_table *t, struct cgroup *c)
{
	struct cgroup **at = &t->buckets[bucket_of(c->number)];

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	*(c->older ? &c->older->newer : &t->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &t->newest) = c->older;
	t->count--;
	cgroup_unref(c);
}

struct cgroup *cgroup_find(const struct cgroup_table *t, uint64_t number)
{
	for (struct cgroup *c = t->buckets[bucket_of(number)]; c; c = c->next)
		if (c->number == number)
			return c;
	return NULL;
}

/* The levels come innermost first. */
static char *join(const struct cgroup_record *r)
{
	uint32_t levels = r->levels < CGROUP_LEVELS ? r->levels : CGROUP_LEVELS;
	char *path = malloc((size_t)levels * (CGROUP_NAME_BYTES + 1) + 2), *at = path;

	if (!path)
		return NULL;
	if (levels == 0)
		*at++ = '/';
	for (uint32_t i = levels; i-- > 0;) {
		size_t n = strnlen(r->name[i], CGROUP_NAME_BYTES);

		*at++ = '/';
		for (size_t k = 0; k < n; k++) /* a cgroup may have any bytes for its name */
			*at++ = r->name[i][k] >= 0x20 && r->name[i][k] < 0x7f ? r->name[i][k] : '?';
	}
	*at = '\0';
	return path;
}

int cgroup_note(struct cgroup_table *t, const struct cgroup_record *r)
{
	struct cgroup *before = cgroup_find(t, r->cgroup), *c = calloc(1, sizeof(*c)), **at;
	char *path = join(r);

	if (!c || !path) {
		free(c);
		free(path);
		return -ENOMEM;
	}
	if (before)
		forget(t, before);
	else if (t->count >= CGROUPS_MAX)
		forget(t, t->oldest);
	c->refs = 1;
	c->number = r->cgroup;
	c->path = strdup(path); /* of the length that it needs */
	free(path);
	if (!c->path) {
		free(c);
		return -ENOMEM;
	}
	container_parse(c->path, &c->container);
	at = &t->buckets[bucket_of(c->number)];
	c->next = *at;
	*at = c;
	c->older = t->newest;
	*(c->older ? &c->older->newer : &t->oldest) = c;
	t->newest = c;
	t->count++;
	return 0;
}

void cgroup_table_free(struct cgroup_table *t)
{
	while (t->oldest)
		forget(t, t->oldest);
}
