/* SPDX-License-Identifier: Apache-2.0 */
/* What goes on when the daemon ends: the tap's maps and links, pinned while interfaces are watched. The next daemon finds there which
 * interfaces they are, and what has been told of their flows. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "netprobe/tap_internal.h"

/* Tables are not maps of the object: the kernel gives a map that is inside another one to root only. */
static void table_name(const struct tap *t, const char *half, uint32_t place, char out[32])
{
	if (t->options.max_entries)
		(void)snprintf(out, 32, "flows_%s", half);
	else
		(void)snprintf(out, 32, "flows_%s_%u", half, place);
}

void tap_pins_table(struct tap *t, const struct tap_watched *w, bool keep)
{
	char fresh[32], settled[32];
	int r;

	if (!t->pinned || t->options.max_entries) /* shared ones are pinned with the maps */
		return;
	table_name(t, "fresh", w->place, fresh);
	table_name(t, "settled", w->place, settled);
	if (!keep) {
		pins_drop_map(&t->pins, fresh);
		pins_drop_map(&t->pins, settled);
		return;
	}
	r = pins_keep_map(&t->pins, fresh, w->fresh);
	if (r == 0)
		r = pins_keep_map(&t->pins, settled, w->settled);
	if (r < 0)
		log_event(LOG_LEVEL_WARNING, "flows of an interface do not outlive the daemon", "interface", w->name, "reason", strerror(-r),
			  NULL);
}

int tap_pins_take_tables(struct tap *t, uint32_t place, int *fresh, int *settled)
{
	char name[32];
	int r = 0;

	table_name(t, "fresh", place, name);
	*fresh = pins_take_map(&t->pins, name);
	table_name(t, "settled", place, name);
	*settled = pins_take_map(&t->pins, name);
	if (*fresh < 0 || *settled < 0) {
		r = *fresh < 0 ? *fresh : *settled;
		if (*fresh >= 0)
			close(*fresh);
		if (*settled >= 0)
			close(*settled);
		*fresh = *settled = -1;
	}
	return r;
}

/* ---- what was told of flows ---- */

static int by_flow(const void *a, const void *b)
{
	uint64_t x = ((const struct tap_was_told *)a)->flow, y = ((const struct tap_was_told *)b)->flow;

	return x < y ? -1 : x > y;
}

int tap_pins_read_told(struct tap *t)
{
	__u64 flow, *before = NULL;
	size_t room = 0;

	while (bpf_map_get_next_key(t->told_map, before, &flow) == 0) {
		struct tap_was_told w = { .flow = flow };

		before = &flow;
		if (bpf_map_lookup_elem(t->told_map, &flow, &w.told) < 0)
			continue;
		if (t->n_told == room) {
			struct tap_was_told *more = reallocarray(t->told, room = room ? room * 2 : 256, sizeof(*more));

			if (!more)
				return -ENOMEM;
			t->told = more;
		}
		t->told[t->n_told++] = w;
	}
	if (t->n_told > 0)
		qsort(t->told, t->n_told, sizeof(*t->told), by_flow);
	return 0;
}

const struct tap_told *tap_pins_told(struct tap *t, uint64_t flow)
{
	const struct tap_was_told like = { .flow = flow };
	struct tap_was_told *w = t->n_told ? bsearch(&like, t->told, t->n_told, sizeof(like), by_flow) : NULL;

	if (!w)
		return NULL;
	w->there = true;
	return &w->told;
}

/* Flows that were evicted while nobody was there need nothing any more. Those whose end waits in the ring buffer come before the
 * second walk. */
void tap_pins_walked(struct tap *t)
{
	if (!t->walked) {
		for (size_t i = 0; i < t->n_told; i++)
			if (!t->told[i].there)
				(void)bpf_map_delete_elem(t->told_map, &t->told[i].flow);
		t->walked = true;
		return;
	}
	free(t->told);
	t->told = NULL;
	t->n_told = 0;
}

int tap_flow_told(struct tap *t, uint64_t flow, const struct tap_told *told)
{
	int r;

	if (!t->pinned)
		return 0;
	r = told ? bpf_map_update_elem(t->told_map, &flow, told, BPF_ANY) : bpf_map_delete_elem(t->told_map, &flow);
	return r < 0 ? -errno : 0;
}
