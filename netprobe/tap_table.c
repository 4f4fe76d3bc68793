/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the flow table while the kernel writes it.
 *
 * A flow's figures are those of its entry plus what each CPU has of it in its cache. The kernel moves counters from the
 * cache to the table; `sequence` of the cache's entry is raised before and after. A sum is right when no sequence of its place
 * changed between before the table and after the cache were read; else it is made again. */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "netprobe/tap_internal.h"

#define TRIES 16

static uint32_t sequence_of(const struct tap_cache_entry *e)
{
	return __atomic_load_n(&e->sequence, __ATOMIC_ACQUIRE);
}

static uint64_t load(const __u64 *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static int64_t tick_to_ns(const struct tap *t, uint64_t tick)
{
	return (int64_t)(tick * t->tick_ns) + t->tick_offset;
}

/* When a tick is: the kernel notes a pair at each new flow. The smallest difference is the one taken right after a tick. */
static void learn_ticks(struct tap *t)
{
	for (uint32_t i = 0; i < t->cpus; i++) {
		uint64_t ns = load(&t->counters[i].tick_ns), tick = load(&t->counters[i].tick);
		int64_t offset = (int64_t)(ns - tick * t->tick_ns);

		if (ns == 0 || ns != load(&t->counters[i].tick_ns))
			continue;
		if (!t->tick_known || offset < t->tick_offset)
			t->tick_offset = offset;
		t->tick_known = true;
	}
}

/* Adds what the caches have. `before`: sequences of the whole cache to compare with, or NULL. False when something moved. */
static bool add_caches(const struct tap *t, const struct flow_key *key, const uint32_t *before, struct flow_value *v)
{
	uint32_t slot = tap_cache_slot(key, t->seed);
	bool same = true;

	for (uint32_t cpu = 0; cpu < t->cpus; cpu++) {
		size_t at = (size_t)cpu << TAP_CACHE_BITS | slot;
		const struct tap_cache_entry *e = &t->cache[at];
		uint32_t sequence = sequence_of(e);
		struct tap_cache_entry copy = *e;

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if ((sequence & 1) || (before && before[at] != sequence) || sequence_of(e) != sequence)
			same = false;
		if (copy.id != v->id || memcmp(&copy.key, key, sizeof(*key)) != 0)
			continue;
		for (int d = 0; d < 2; d++) {
			if (copy.packets[d] == 0)
				continue;
			v->packets[d] += copy.packets[d];
			v->bytes[d] += copy.bytes[d];
			v->tcp_flags[d] |= copy.tcp_flags[d];
			/* The cache has the lower half of a time near the table's. */
			uint64_t base = load(&t->counters[cpu].tick), seen = base + (uint64_t)(int64_t)(int32_t)(copy.seen[d] - (uint32_t)base);

			if (seen > v->seen[d])
				v->seen[d] = seen;
		}
	}
	return same;
}

static void take_sequences(struct tap *t, const struct flow_key *key)
{
	uint32_t slot = key ? tap_cache_slot(key, t->seed) : 0;

	for (uint32_t cpu = 0; cpu < t->cpus; cpu++) {
		for (uint32_t i = key ? slot : 0; i < (key ? slot + 1 : TAP_CACHE_ENTRIES); i++) {
			size_t at = (size_t)cpu << TAP_CACHE_BITS | i;

			t->sequences[at] = sequence_of(&t->cache[at]);
		}
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static void fill(struct tap *t, const struct flow_key *key, const struct flow_value *v, struct tap_flow *out)
{
	uint64_t seen = v->seen[0] > v->seen[1] ? v->seen[0] : v->seen[1];
	tap_verdict said = __atomic_load_n(&t->verdicts[v->id & t->verdict_mask], __ATOMIC_RELAXED);

	out->key = *key;
	out->id = v->id;
	out->first_ns = (int64_t)v->first_ns;
	out->last_ns = tick_to_ns(t, seen);
	if (out->last_ns < out->first_ns)
		out->last_ns = out->first_ns;
	for (int d = 0; d < 2; d++) {
		out->packets[d] = v->packets[d];
		out->bytes[d] = v->bytes[d];
		out->tcp_flags[d] = (uint8_t)v->tcp_flags[d];
	}
	out->initiator = v->initiator;
	out->state = v->state;
	out->note = 0;
	if (said >> TAP_VERDICT_ID == v->id) {
		out->state = out->state == FLOW_CLASSIFYING ? (enum flow_state)(said & 3) : out->state;
		out->note = (uint16_t)(said >> 2);
	}
	out->told = tap_pins_told(t, v->id);
}

void tap_flow_of(struct tap *t, const struct flow_key *key, const struct flow_value *value, struct tap_flow *out)
{
	struct flow_value v = *value;

	learn_ticks(t);
	(void)add_caches(t, key, NULL, &v);
	fill(t, key, &v, out);
}

/* One flow whose caches moved since the batch was read: read again, alone. False when it is not there any more. */
static bool read_again(struct tap *t, int map, const struct flow_key *key, struct flow_value *v)
{
	for (int i = 0; i < TRIES; i++) {
		take_sequences(t, key);
		if (bpf_map_lookup_elem(map, key, v) < 0)
			return false;
		if (add_caches(t, key, t->sequences, v))
			return true;
	}
	return true; /* busy all the time: a moment's figure, the next walk has a better one */
}

/* Takes a flow out. What another CPU counts from here on belongs to a new flow. */
static void end(struct tap *t, int map, const struct flow_key *key, tap_flow_fn *fn, enum tap_why why, void *userdata)
{
	struct flow_value v;
	struct tap_flow flow;

	if (bpf_map_lookup_and_delete_elem(map, key, &v) < 0) {
		if (errno == ENOENT) /* evicted, or moved to the other half, where it comes again */
			return;
		/* Before 5.14 these are two calls. */
		if (bpf_map_lookup_elem(map, key, &v) < 0 || bpf_map_delete_elem(map, key) < 0)
			return;
	}
	t->account->deleted++;
	t->account->ended++;
	(void)add_caches(t, key, NULL, &v);
	fill(t, key, &v, &flow);
	(void)fn(&flow, why, userdata);
}

static void raise_epochs(struct tap *t)
{
	for (size_t i = 0; i < t->n_watched; i++)
		(void)__atomic_add_fetch(&t->interfaces[t->watched[i].place].epoch, 1, __ATOMIC_SEQ_CST);
}

/* `why` other than TAP_FLOW_SEEN: every flow of the interface is ended. */
static size_t visit(struct tap *t, int map, uint32_t n, uint32_t only_ifindex, enum tap_why why, tap_flow_fn *fn, void *userdata)
{
	size_t flows = 0, ending = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct flow_key *key = &t->keys[i];
		struct flow_value v = t->values[i];
		struct tap_flow flow;

		if (only_ifindex && key->ifindex != only_ifindex)
			continue;
		if (!add_caches(t, key, t->sequences, &v) && !read_again(t, map, key, &v))
			continue;
		flows++;
		fill(t, key, &v, &flow);
		if (why != TAP_FLOW_SEEN || fn(&flow, TAP_FLOW_SEEN, userdata) == TAP_END)
			t->ending[ending++] = *key;
	}
	if (ending == 0)
		return flows;
	for (size_t i = 0; i < ending; i++)
		end(t, map, &t->ending[i], fn, why == TAP_FLOW_SEEN ? TAP_FLOW_ENDED : why, userdata);
	raise_epochs(t);
	return flows;
}

int tap_walk_table(struct tap *t, int map, uint32_t only_ifindex, enum tap_why why, tap_flow_fn *fn, void *userdata)
{
	uint32_t in = 0, out = 0, n;
	size_t flows = 0;
	bool first = true;
	int r;

	do {
		n = TAP_BATCH;
		take_sequences(t, NULL);
		r = bpf_map_lookup_batch(map, first ? NULL : &in, &out, t->keys, t->values, &n, NULL);
		if (r < 0 && errno != ENOENT)
			return -errno;
		flows += visit(t, map, n, only_ifindex, why, fn, userdata);
		in = out;
		first = false;
	} while (r == 0);
	return (int)flows;
}

struct tap_counters tap_sum(const struct tap *t)
{
	struct tap_counters sum = { 0 };
	__u64 *to = (__u64 *)&sum;

	for (uint32_t cpu = 0; cpu < t->cpus; cpu++) {
		const __u64 *from = (const __u64 *)&t->counters[cpu];

		for (size_t i = 0; i < sizeof(sum) / sizeof(__u64); i++)
			to[i] += load(&from[i]);
	}
	for (size_t i = 0; i < (size_t)t->cpus * TAP_CACHE_ENTRIES; i++) {
		for (int d = 0; d < 2; d++) {
			sum.packets += load(&t->cache[i].packets[d]);
			sum.bytes += load(&t->cache[i].bytes[d]);
		}
	}
	return sum;
}

int tap_flows_walk(struct tap *t, tap_flow_fn *fn, void *userdata)
{
	struct tap_counters before = tap_sum(t);
	uint64_t gone = t->account->deleted, evicted;
	size_t flows = 0;
	int r;

	learn_ticks(t);
	/* New flows first: one that moves to the other half meanwhile is met twice rather than never. */
	for (size_t i = 0; i < t->n_watched; i++) {
		const struct tap_watched *w = &t->watched[i];
		const int maps[2] = { w->fresh, w->settled };

		for (int half = 0; half < 2; half++) {
			r = tap_walk_table(t, maps[half], 0, TAP_FLOW_SEEN, fn, userdata);
			if (r < 0)
				return r;
			flows += (size_t)r;
		}
		if (t->shared_fresh >= 0)
			break;
	}
	t->present = flows - (t->account->deleted - gone);
	evicted = before.inserted - before.reused;
	evicted = evicted > t->present + t->account->deleted ? evicted - t->present - t->account->deleted : 0;
	if (evicted > t->account->evicted)
		t->account->evicted = evicted;
	tap_pins_walked(t);
	return (int)flows;
}
