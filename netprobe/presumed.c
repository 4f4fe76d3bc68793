/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/presumed.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u

struct presumed_slot {
	struct event event; /* cookie 0: empty */
	uint32_t next;
};

static uint32_t *bucket_of(struct presumed *p, uint64_t cookie)
{
	return &p->buckets[(cookie * 0x9e3779b97f4a7c15ull >> 40) % BUCKETS];
}

static struct presumed_slot *find(struct presumed *p, uint64_t cookie)
{
	if (!p->held)
		return NULL;
	for (uint32_t i = *bucket_of(p, cookie); i; i = p->slots[i - 1].next)
		if (p->slots[i - 1].event.kernel.cookie == cookie)
			return &p->slots[i - 1];
	return NULL;
}

static void release(struct presumed *p, struct presumed_slot *slot, presumed_fn fn, void *userdata)
{
	uint32_t *at = bucket_of(p, slot->event.kernel.cookie), self = (uint32_t)(slot - p->slots) + 1;
	struct event e = slot->event;

	while (*at != self)
		at = &p->slots[*at - 1].next;
	*at = slot->next;
	slot->event = (struct event){ 0 };
	p->held--;
	fn(&e, userdata);
	process_unref(e.process);
	cgroup_unref(e.cgroup);
}

/* Moves on from the ring's end what is empty, or may no longer wait. */
static void advance(struct presumed *p, uint64_t now_ns, presumed_fn fn, void *userdata)
{
	while (p->count > 0) {
		struct presumed_slot *slot = &p->slots[p->first];

		if (slot->event.kernel.cookie) {
			if (now_ns != UINT64_MAX && now_ns < slot->event.kernel.time_ns + PRESUMED_HOLD_NS)
				return;
			release(p, slot, fn, userdata);
		}
		p->first = (p->first + 1) % PRESUMED_MAX;
		p->count--;
	}
}

static bool hold(struct presumed *p, const struct event *event, presumed_fn fn, void *userdata)
{
	struct presumed_slot *slot;
	uint32_t *at;

	if (!p->slots) {
		p->slots = calloc(PRESUMED_MAX, sizeof(*p->slots));
		p->buckets = calloc(BUCKETS, sizeof(*p->buckets));
		if (!p->slots || !p->buckets) {
			free(p->slots);
			free(p->buckets);
			p->slots = NULL;
			p->buckets = NULL;
			return false;
		}
	}
	if (p->held == 0) /* from the beginning, which is still in the processor's cache */
		p->first = p->count = 0;
	if (p->count == PRESUMED_MAX) {
		slot = &p->slots[p->first];
		if (slot->event.kernel.cookie)
			release(p, slot, fn, userdata);
		p->first = (p->first + 1) % PRESUMED_MAX;
		p->count--;
	}
	slot = &p->slots[(p->first + p->count++) % PRESUMED_MAX];
	slot->event = *event;
	(void)process_ref(event->process);
	(void)cgroup_ref(event->cgroup);
	at = bucket_of(p, event->kernel.cookie);
	slot->next = *at;
	*at = (uint32_t)(slot - p->slots) + 1;
	p->held++;
	return true;
}

/* The owner of `from`, with the moment and the states that the event has. */
static void correct(struct event *event, const struct event *from)
{
	struct attribution_event *k = &event->kernel;

	process_unref(event->process);
	cgroup_unref(event->cgroup);
	event->process = process_ref(from->process);
	event->cgroup = cgroup_ref(from->cgroup);
	k->start_ns = from->kernel.start_ns;
	k->cgroup = from->kernel.cgroup;
	k->pid = from->kernel.pid;
	k->uid = from->kernel.uid;
	k->gid = from->kernel.gid;
	memcpy(k->comm, from->kernel.comm, sizeof(k->comm));
}

void presumed_take(struct presumed *p, const struct event *event, presumed_fn fn, void *userdata)
{
	struct presumed_slot *before = find(p, event->kernel.cookie);

	if (before && event->kernel.kind == EVENT_ACCEPT && (event->kernel.flags & EVENT_CORRECTED)) {
		correct(&before->event, event);
		p->merged++;
		release(p, before, fn, userdata);
		return;
	}
	if (before) /* closed: no correction can come */
		release(p, before, fn, userdata);
	if (!(event->kernel.flags & EVENT_PRESUMED) || !event->kernel.cookie || !hold(p, event, fn, userdata))
		fn(event, userdata);
}

void presumed_expire(struct presumed *p, uint64_t now_ns, presumed_fn fn, void *userdata)
{
	advance(p, now_ns, fn, userdata);
}

void presumed_free(struct presumed *p)
{
	for (size_t i = 0; i < p->count; i++) {
		process_unref(p->slots[(p->first + i) % PRESUMED_MAX].event.process);
		cgroup_unref(p->slots[(p->first + i) % PRESUMED_MAX].event.cgroup);
	}
	free(p->slots);
	free(p->buckets);
	*p = (struct presumed){ 0 };
}
