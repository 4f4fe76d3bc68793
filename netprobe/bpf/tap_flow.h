/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting a packet: in the CPU's cache when its flow is there and has nothing to be looked at, else in the table. */
#pragma once

#include "tap_maps.h"

#define UNSETTLED_PACKETS 64 /* counted in the cache before a flow that nobody answered is looked up again */
#define WHOLE_PACKETS 4      /* of a flow are handed up with TAP_RECORDS_MAX records; later ones with one */

enum { TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_ACK = 0x10 };

/* How the program reads packets. A constant wherever it is used. */
enum how { BY_KFUNC, BY_PROBE, BY_SOCKET };

/* A packet, read. */
struct seen {
	union {
		struct flow_key key;
		__u64 words[6];
	};
	__u32 wire_bytes, packets; /* of all packets that a merged one stands for */
	__u32 ip_bytes;            /* from the IP header on */
	__u32 ip_at;               /* where that is in the sk_buff's data */
	__u32 payload;             /* bytes behind the header of TCP or UDP; 0 where there is nothing to classify */
	__u32 place;               /* of the interface */
	__u32 direction, tcp_flags;
	__u32 protocol;
	__u32 syn;                 /* and not ACK */
};

#ifndef TAP_WITHOUT_KFUNCS
extern int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym __weak;
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
#else /* tap_plain.bpf.c: compiled, never loaded */
static __always_inline int bpf_dynptr_from_skb(struct __sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr)
{
	return -1;
}

static __always_inline void *bpf_rdonly_cast(const void *obj, __u32 btf_id)
{
	return (void *)obj;
}
#endif

static __always_inline struct tap_counters *my_counters(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
}

static __always_inline bool same_key(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[4] == y[4] && x[2] == y[2] && x[5] == y[5] && x[0] == y[0] && x[1] == y[1] && x[3] == y[3];
}

static __always_inline struct flow_value *find(const struct flow_key *key, __u32 place, bool *in_settled)
{
	struct flow_value *v = NULL;
	void *map = NULL;

	if (interfaces[place % TAP_INTERFACE_SLOTS].answered)
		map = bpf_map_lookup_elem(&settled, &place);
	if (map)
		v = bpf_map_lookup_elem(map, key);
	*in_settled = v != NULL;
	if (!v) {
		map = bpf_map_lookup_elem(&fresh, &place);
		if (map)
			v = bpf_map_lookup_elem(map, key);
	}
	return v;
}

/* ---- handing up ---- */

/* Waking the daemon for each record would cost more than the record: it looks by itself, and is woken when that would be too
 * late, by each CPU at most once a tick. */
static __always_inline __u64 wake(struct tap_counters *c)
{
	__u64 now;

	if (bpf_ringbuf_query(&packets, BPF_RB_AVAIL_DATA) <= ring_bytes / 2)
		return BPF_RB_NO_WAKEUP;
	now = bpf_jiffies64();
	if (c->wake_tick == now)
		return BPF_RB_NO_WAKEUP;
	c->wake_tick = now;
	return BPF_RB_FORCE_WAKEUP;
}

/* Copies `n` bytes of the packet, 1 to `max`, from the place `at`. */
static __always_inline long copy(void *ctx, enum how how, void *to, __u32 at, __u32 n, __u32 max)
{
	__u32 last = n - 1;

	/* One comparison, and what is handed on comes from what was compared: verifiers before 6.8 learn nothing from n != 0. */
	barrier_var(last);
	if (last >= max)
		return -1;
	n = last + 1;
	if (how == BY_SOCKET) {
		return bpf_skb_load_bytes(ctx, at, to, n);
	} else if (how == BY_KFUNC) {
		struct bpf_dynptr data;

		if (bpf_dynptr_from_skb(ctx, 0, &data) < 0)
			return -1;
		return bpf_dynptr_read(to, n, &data, at, 0);
	} else {
		const struct sk_buff *skb = ctx;

		if (at + n > skb->len - skb->data_len)
			return -1;
		return bpf_probe_read_kernel(to, n, skb->data + at);
	}
}

static __always_inline void describe(struct tap_record *r, const struct seen *s, __u64 id, __u64 now)
{
	r->key = s->key;
	r->flow = id;
	r->time_ns = now;
	r->wire_bytes = s->wire_bytes;
	r->ip_bytes = s->ip_bytes;
	r->cpu = (__u16)bpf_get_smp_processor_id();
	r->direction = (__u8)s->direction;
}

/* One record; `at` is the first byte from the IP header on. Returns how many bytes went up, or 0. */
static __always_inline __u32 hand_up_part(void *ctx, enum how how, const struct seen *s, struct tap_counters *c, __u64 id,
					  __u64 now, __u32 at, __u32 n, bool large, bool more)
{
	struct tap_record *r = bpf_ringbuf_reserve(&packets, large ? TAP_LARGE_RECORD : TAP_SMALL_RECORD, 0);
	__u32 max = large ? TAP_LARGE_BYTES : TAP_SMALL_BYTES;

	if (!r) {
		c->lost++;
		return 0;
	}
	if (n > max)
		n = max;
	describe(r, s, id, now);
	r->offset = (__u16)at;
	r->size = (__u16)n;
	r->flags = (s->syn ? TAP_RECORD_SYN : 0) | (more ? TAP_RECORD_MORE : 0);
	if (copy(ctx, how, r + 1, s->ip_at + at, n, max) < 0)
		r->size = 0; /* told all the same: the flow is there */
	c->copied++;
	bpf_ringbuf_submit(r, wake(c));
	return n;
}

static __always_inline void hand_up(void *ctx, enum how how, const struct seen *s, struct tap_counters *c, __u64 id, bool whole)
{
	__u32 n = s->ip_bytes, at = 0;
	__u64 now = bpf_ktime_get_ns();

	if (how == BY_PROBE) { /* what is not linear cannot be read */
		const struct sk_buff *skb = ctx;
		__u32 linear = skb->len - skb->data_len;

		linear = linear > s->ip_at ? linear - s->ip_at : 0;
		if (n > linear)
			n = linear;
	}
	if (n <= TAP_SMALL_BYTES) {
		hand_up_part(ctx, how, s, c, id, now, 0, n, false, false);
		return;
	}
	for (int i = 0; i < (int)TAP_RECORDS_MAX && at < n; i++) {
		bool more = whole && i < (int)TAP_RECORDS_MAX - 1 && n - at > TAP_LARGE_BYTES;

		if (hand_up_part(ctx, how, s, c, id, now, at, n - at, true, more) == 0 || !more)
			return;
		at += TAP_LARGE_BYTES;
	}
}

/* A new connection takes the key of one that is over: what the old one came to is told, its entry goes. */
static __always_inline void hand_up_end(const struct seen *s, struct tap_counters *c, const struct flow_value *v)
{
	struct tap_record *r = bpf_ringbuf_reserve(&packets, TAP_SMALL_RECORD, 0);

	if (!r) {
		c->lost++;
		return;
	}
	describe(r, s, v->id, 0);
	r->offset = 0;
	r->size = sizeof(*v);
	r->flags = TAP_RECORD_END;
	__builtin_memcpy(r + 1, v, sizeof(*v));
	bpf_ringbuf_submit(r, wake(c));
}

/* ---- the table ---- */

/* Whether the other end takes part. */
static __always_inline bool answered(const struct flow_value *v, const struct seen *s)
{
	if (s->protocol != IPPROTO_TCP)
		return v->seen[0] && v->seen[1];
	return (v->tcp_flags[0] & v->tcp_flags[1] & TCP_ACK) && !(s->tcp_flags & (TCP_SYN | TCP_RST));
}

/* Moves the flow to the other half. The counters are taken out of the one and added to the other, so that what another CPU
 * adds meanwhile is in either. */
static __noinline int settle(struct flow_value *from, const struct seen *s)
{
	struct flow_value v = {};
	struct flow_value *to;
	void *map, *old;
	__u32 place = s->place;

	map = bpf_map_lookup_elem(&settled, &place);
	old = bpf_map_lookup_elem(&fresh, &place);
	if (!map || !old || !from)
		return 0;
	v.id = from->id;
	v.first_ns = from->first_ns;
	v.seen[0] = from->seen[0];
	v.seen[1] = from->seen[1];
	v.tcp_flags[0] = from->tcp_flags[0];
	v.tcp_flags[1] = from->tcp_flags[1];
	v.copied = from->copied;
	v.state = from->state;
	v.initiator = from->initiator;
	interfaces[place % TAP_INTERFACE_SLOTS].answered = 1;
	(void)bpf_map_update_elem(map, &s->key, &v, BPF_NOEXIST); /* or another CPU did it */
	to = bpf_map_lookup_elem(map, &s->key);
	if (!to || to->id != v.id)
		return 0;
	for (int i = 0; i < 2; i++) {
		__u64 n = __sync_lock_test_and_set(&from->packets[i], 0), b = __sync_lock_test_and_set(&from->bytes[i], 0);

		__sync_fetch_and_add(&to->packets[i], n);
		__sync_fetch_and_add(&to->bytes[i], b);
	}
	return bpf_map_delete_elem(old, &s->key) == 0;
}

/* Adds what the cache has of a flow to its entry of the table, which is still the same flow or is gone (NULL). */
static __always_inline void flush(struct tap_cache_entry *e, struct flow_value *v, struct tap_counters *c)
{
	if (e->packets[0] + e->packets[1] == 0)
		return;
	__sync_fetch_and_add(&e->sequence, 1);
	for (int i = 0; i < 2; i++) {
		__u64 n = e->packets[i], b = e->bytes[i];

		e->packets[i] = e->bytes[i] = 0;
		if (n == 0)
			continue;
		c->packets += n;
		c->bytes += b;
		if (v && v->id == e->id) {
			__u64 now = bpf_jiffies64(), ago = (__u32)now - e->seen[i];

			__sync_fetch_and_add(&v->packets[i], n);
			__sync_fetch_and_add(&v->bytes[i], b);
			__sync_fetch_and_or(&v->tcp_flags[i], e->tcp_flags[i]);
			if (v->seen[i] < now - ago)
				v->seen[i] = now - ago;
		} else {
			c->orphan_packets += n;
			c->orphan_bytes += b;
		}
	}
	__sync_fetch_and_add(&e->sequence, 1);
}

/* Flushes an entry that another flow wants. */
static __noinline int flush_other(struct tap_cache_entry *e)
{
	struct tap_counters *c = my_counters();
	struct flow_value *v = NULL;
	struct flow_key key;
	bool in_settled;

	if (!e || !c || e->packets[0] + e->packets[1] == 0)
		return 0;
	key = e->key;
	v = find(&key, e->place, &in_settled);
	flush(e, v, c);
	return 0;
}

static __always_inline bool begin(struct flow_value *v, const struct seen *s, struct tap_counters *c, __u32 budget)
{
	unsigned d = s->direction & 1;
	bool look = s->payload > 0;

	v->id = c->sequence++ * cpus + bpf_get_smp_processor_id() + 1;
	v->first_ns = bpf_ktime_get_ns();
	c->tick = bpf_jiffies64();
	c->tick_ns = v->first_ns;
	/* Not by index: the compiler would make addresses on the stack by `or`, which the verifier refuses. */
	if (d) {
		v->packets[1] = s->packets;
		v->bytes[1] = s->wire_bytes;
		v->seen[1] = c->tick;
		v->tcp_flags[1] = s->tcp_flags;
	} else {
		v->packets[0] = s->packets;
		v->bytes[0] = s->wire_bytes;
		v->seen[0] = c->tick;
		v->tcp_flags[0] = s->tcp_flags;
	}
	v->initiator = (s->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) ? !d : d;
	v->copied = look;
	return (look || s->syn) && budget > 0;
}

/* Whether a packet of a flow that is in the table goes up. */
static __always_inline bool wanted(struct flow_value *v, const struct seen *s, __u32 budget)
{
	__u32 at = (__u32)v->id & verdict_mask;
	tap_verdict *said;

	if (v->state != FLOW_CLASSIFYING || (!s->payload && !s->syn))
		return false;
	said = bpf_map_lookup_elem(&verdicts, &at);
	if (said && *said >> TAP_VERDICT_ID == v->id && (*said & 3) != FLOW_CLASSIFYING) {
		v->state = *said & 3;
		return false;
	}
	if (!s->payload)
		return budget > 0 && v->packets[s->direction & 1] == 0;
	return v->copied < budget && __sync_fetch_and_add(&v->copied, 1) < budget;
}

/* Counts a packet in the table, hands it up if its flow is to be looked at, and has the cache know the flow. */
static __always_inline int count_in_table(void *ctx, enum how how, struct seen *s, struct tap_interface *in)
{
	__u32 cpu = bpf_get_smp_processor_id(), epoch, inserts, budget;
	__u32 at = cpu << TAP_CACHE_BITS | tap_cache_slot(&s->key, cache_seed);
	struct tap_cache_entry *e = bpf_map_lookup_elem(&cache, &at);
	struct tap_counters *c = my_counters();
	unsigned d = s->direction & 1;
	struct flow_value *v;
	bool in_settled, up, quiet, whole = true;
	__u64 id;

	if (!e || !c || !in)
		return 0;
	c->packets += s->packets;
	c->bytes += s->wire_bytes;
	budget = control.budget;
	epoch = *(volatile __u32 *)&in->epoch; /* before the table is looked at */
	inserts = *(volatile __u32 *)&in->inserts;
	if (!same_key(&e->key, &s->key))
		(void)flush_other(e);
	v = find(&s->key, s->place, &in_settled);
	if (same_key(&e->key, &s->key))
		flush(e, v, c);
	if (v && s->syn && ((v->tcp_flags[0] | v->tcp_flags[1]) & (TCP_FIN | TCP_RST))) {
		__u32 place = s->place;
		void *map = in_settled ? bpf_map_lookup_elem(&settled, &place) : bpf_map_lookup_elem(&fresh, &place);

		hand_up_end(s, c, v);
		if (map && bpf_map_delete_elem(map, &s->key) == 0)
			c->reused++;
		v = NULL;
	}
	if (!v) {
		struct flow_value n = {};
		__u32 place = s->place;
		void *map = bpf_map_lookup_elem(&fresh, &place);
		long r = -1;

		up = begin(&n, s, c, budget);
		if (map)
			r = bpf_map_update_elem(map, &s->key, &n, BPF_NOEXIST);
		if (r == -EEXIST) {
			v = find(&s->key, place, &in_settled);
		} else if (r == 0) {
			c->inserted++;
			__sync_fetch_and_add(&in->inserts, 1);
		}
		if (r != 0 && !v) {
			c->refused_packets += s->packets;
			c->refused_bytes += s->wire_bytes;
			return 0;
		}
		id = n.id;
		in_settled = false;
		quiet = n.copied >= budget || (s->protocol != IPPROTO_TCP && s->protocol != IPPROTO_UDP);
	}
	if (v) {
		up = wanted(v, s, budget);
		whole = v->copied <= WHOLE_PACKETS;
		__sync_fetch_and_add(&v->packets[d], s->packets);
		__sync_fetch_and_add(&v->bytes[d], s->wire_bytes);
		if (s->tcp_flags & ~v->tcp_flags[d])
			__sync_fetch_and_or(&v->tcp_flags[d], s->tcp_flags);
		v->seen[d] = bpf_jiffies64();
		id = v->id;
		quiet = v->state != FLOW_CLASSIFYING || v->copied >= budget ||
			(s->protocol != IPPROTO_TCP && s->protocol != IPPROTO_UDP);
		if (!in_settled && answered(v, s) && settle(v, s)) {
			c->settled++;
			in_settled = true;
		}
	}
	if (up)
		hand_up(ctx, how, s, c, id, whole);
	__sync_fetch_and_add(&e->sequence, 1);
	e->key = s->key;
	e->id = id;
	e->place = s->place;
	e->epoch = epoch;
	e->inserts = inserts;
	e->tcp_flags[0] = e->tcp_flags[1] = 0;
	e->quiet = quiet;
	e->settled = in_settled;
	__sync_fetch_and_add(&e->sequence, 1);
	return 0;
}

/* True when the packet was counted in the cache. */
static __always_inline bool count_in_cache(const struct seen *s, const struct tap_interface *in)
{
	__u32 at = bpf_get_smp_processor_id() << TAP_CACHE_BITS | tap_cache_slot(&s->key, cache_seed);
	struct tap_cache_entry *e = bpf_map_lookup_elem(&cache, &at);
	unsigned d = s->direction & 1;

	if (!e || !same_key(&e->key, &s->key) || e->epoch != in->epoch || in->inserts - e->inserts >= in->recheck)
		return false;
	if (s->syn || (!e->quiet && s->payload) || (!e->settled && e->packets[0] + e->packets[1] >= UNSETTLED_PACKETS))
		return false;
	e->packets[d] += s->packets;
	e->bytes[d] += s->wire_bytes;
	e->seen[d] = (__u32)bpf_jiffies64();
	e->tcp_flags[d] |= (__u8)s->tcp_flags;
	return true;
}
