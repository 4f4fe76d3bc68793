/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netprobe/fragment.h"

#define TABLE_MAX (1u << 24)
#define MOVE_NS   INT64_C(100000000)

/* Each is sorted by the time of the last packet, so that only its oldest has to be looked at. */
enum list { LIST_CLOSING, LIST_OTHER, LIST_TCP, LISTS };

static const int64_t list_timeout[LISTS] = {
	[LIST_CLOSING] = FLOW_NS_CLOSING,
	[LIST_OTHER] = FLOW_NS_OTHER,
	[LIST_TCP] = FLOW_NS_TCP,
};

struct flow_table {
	struct flow_table_options options;
	int64_t now_ns;
	uint32_t *buckets, bucket_mask; /* numbers of flows; 0: none */
	struct flow *flows; /* [0] is none */
	uint32_t fresh;     /* from behind this number on none was ever used, and no memory is behind them */
	uint32_t unused;    /* list of used and ended ones, through `chain` */
	uint32_t oldest[LISTS], newest[LISTS];
	uint32_t round;
	uint32_t last; /* the flow of the last packet, or 0: the next one is often of it, too */
	struct fragment_table *fragments;
	struct flow_totals totals;
};

static struct flow *flow_at(const struct flow_table *t, uint32_t number)
{
	return number ? &t->flows[number] : NULL;
}

struct flow *flow_table_at(const struct flow_table *t, uint32_t number)
{
	return flow_at(t, number);
}

const char *flow_end_name(enum flow_end e)
{
	static const char *const names[] = {
		[FLOW_GOES_ON] = "active",
		[FLOW_END_FIN] = "fin",
		[FLOW_END_RST] = "rst",
		[FLOW_END_IDLE] = "idle",
		[FLOW_END_REUSED] = "reused",
		[FLOW_END_EVICTED] = "evicted",
		[FLOW_END_INTERFACE] = "interface_removed",
		[FLOW_END_FILE] = "end_of_file",
	};

	return names[e];
}

int flow_table_new(struct flow_table **out, const struct flow_table_options *o)
{
	struct flow_table *t;
	uint32_t buckets = 1;

	*out = NULL;
	if (!o->max || o->max > TABLE_MAX)
		return -EINVAL;
	while (buckets < o->max)
		buckets *= 2;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->options = *o;
	t->now_ns = INT64_MIN;
	t->bucket_mask = buckets - 1;
	t->buckets = calloc(buckets, sizeof(*t->buckets));
	t->flows = calloc((size_t)o->max + 1, sizeof(*t->flows));
	if (!t->buckets || !t->flows || fragment_table_new(&t->fragments) < 0) {
		flow_table_free(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	free(t->flows);
	free(t->buckets);
	fragment_table_free(t->fragments);
	free(t);
}

/* ---- keys ---- */

static void set_key(struct flow_key *key, const struct packet *p, uint16_t source_port, uint16_t destination_port, bool forward)
{
	*key = (struct flow_key){ .ifindex = p->interface, .protocol = p->protocol, .family = p->family };
	memcpy(forward ? key->low : key->high, p->source, 16);
	memcpy(forward ? key->high : key->low, p->destination, 16);
	key->low_port = forward ? source_port : destination_port;
	key->high_port = forward ? destination_port : source_port;
}

static bool key_with_ports(const struct packet *p, uint16_t source_port, uint16_t destination_port, struct flow_key *key)
{
	int order = memcmp(p->source, p->destination, 16);
	bool forward = order < 0 || (order == 0 && source_port <= destination_port);

	set_key(key, p, source_port, destination_port, forward);
	return forward;
}

bool flow_key_of(const struct packet *p, struct flow_key *key)
{
	return key_with_ports(p, p->source_port, p->destination_port, key);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Multiply and fold: every bit of key and seed reaches every bit of the result. An IPv4 address is in one word. */
static uint32_t hash_key(const struct flow_key *key, uint64_t seed)
{
	uint64_t w[sizeof(*key) / 8], h;

	_Static_assert(sizeof(*key) == 48, "a word for namespace and interface, two for each address, one for the rest");
	memcpy(w, key, sizeof(w));
	h = mix(w[2] ^ seed ^ 0x9e3779b97f4a7c15u, w[4] ^ 0xbf58476d1ce4e5b9u);
	if (key->family != AF_INET)
		h = mix(w[1] ^ h, w[3] ^ 0x94d049bb133111ebu);
	h = mix(w[5] ^ h, w[0] ^ seed ^ 0xd6e8feb86659fd93u);
	return (uint32_t)(h ^ h >> 32);
}

static struct flow *find(const struct flow_table *t, const struct flow_key *key, uint32_t hash)
{
	for (uint32_t n = t->buckets[hash & t->bucket_mask]; n;) {
		struct flow *f = flow_at(t, n);

		if (f->hash == hash && memcmp(&f->key, key, sizeof(*key)) == 0)
			return f;
		n = f->chain;
	}
	return NULL;
}

struct flow *flow_table_find(struct flow_table *t, const struct flow_key *key)
{
	return find(t, key, hash_key(key, t->options.seed));
}

/* ---- lists ---- */

static void list_remove(struct flow_table *t, const struct flow *f)
{
	if (f->older)
		flow_at(t, f->older)->newer = f->newer;
	else
		t->oldest[f->list] = f->newer;
	if (f->newer)
		flow_at(t, f->newer)->older = f->older;
	else
		t->newest[f->list] = f->older;
}

static void list_add(struct flow_table *t, struct flow *f, enum list list)
{
	f->list = (uint8_t)list;
	f->newer = 0;
	f->older = t->newest[list];
	if (f->older)
		flow_at(t, f->older)->newer = f->number;
	else
		t->oldest[list] = f->number;
	t->newest[list] = f->number;
}

/* ---- ends ---- */

void flow_table_end(struct flow_table *t, struct flow *f, enum flow_end why)
{
	uint32_t *link = &t->buckets[f->hash & t->bucket_mask];

	t->options.ended(t->options.userdata, f, why);
	list_remove(t, f);
	if (t->last == f->number)
		t->last = 0;
	while (*link != f->number)
		link = &flow_at(t, *link)->chain;
	*link = f->chain;
	f->chain = t->unused;
	t->unused = f->number;
	t->totals.flows--;
}

static enum flow_end end_of(const struct flow *f)
{
	if ((f->side[0].tcp_flags | f->side[1].tcp_flags) & PACKET_RST)
		return FLOW_END_RST;
	return f->list == LIST_CLOSING ? FLOW_END_FIN : FLOW_END_IDLE;
}

void flow_table_expire(struct flow_table *t, int64_t now_ns)
{
	if (now_ns <= t->now_ns || t->options.kernel_counts) /* time may go back within a file: not for the table */
		return;
	t->now_ns = now_ns;
	for (int i = 0; i < LISTS; i++) {
		struct flow *f;

		while ((f = flow_at(t, t->oldest[i])) && now_ns - f->last_ns > list_timeout[i])
			flow_table_end(t, f, end_of(f));
	}
}

static struct flow *oldest_of_all(const struct flow_table *t)
{
	struct flow *oldest = NULL;

	for (int i = 0; i < LISTS; i++) {
		struct flow *f = flow_at(t, t->oldest[i]);

		if (f && (!oldest || f->last_ns < oldest->last_ns))
			oldest = f;
		if (f && i == LIST_CLOSING) /* it is over but for what may straggle in */
			return f;
	}
	return oldest;
}

void flow_table_end_interface(struct flow_table *t, uint32_t ifindex)
{
	for (int i = 0; i < LISTS; i++)
		for (struct flow *f = flow_at(t, t->oldest[i]), *next; f; f = next) {
			next = flow_at(t, f->newer);
			if (f->key.ifindex == ifindex)
				flow_table_end(t, f, FLOW_END_INTERFACE);
		}
}

void flow_table_end_all(struct flow_table *t, enum flow_end why)
{
	for (int i = 0; i < LISTS; i++)
		for (struct flow *f; (f = flow_at(t, t->oldest[i]));)
			flow_table_end(t, f, i == LIST_CLOSING ? end_of(f) : why);
}

/* ---- packets ---- */

/* A flow's memory: of one that has ended, or never used; else the oldest flow has to go. */
static struct flow *take(struct flow_table *t)
{
	struct flow *f;

	if (!t->unused && t->fresh == t->options.max) {
		t->totals.evicted++;
		flow_table_end(t, oldest_of_all(t), FLOW_END_EVICTED);
	}
	uint32_t number = t->unused ? t->unused : ++t->fresh;

	f = flow_at(t, number);
	if (t->unused)
		t->unused = f->chain;
	memset(f, 0, sizeof(*f));
	f->number = number;
	return f;
}

static bool sender_began(const struct packet *p, const struct flow_key *key, unsigned sender)
{
	uint16_t source = sender ? key->high_port : key->low_port, destination = sender ? key->low_port : key->high_port;

	if (p->protocol == IPPROTO_TCP && (p->tcp_flags & PACKET_SYN))
		return !(p->tcp_flags & PACKET_ACK);
	return !(source && source < 1024 && destination >= 32768);
}

static struct flow *make(struct flow_table *t, const struct flow_key *key, uint32_t hash, uint64_t id)
{
	struct flow *f = take(t);
	uint32_t *bucket = &t->buckets[hash & t->bucket_mask];

	f->key = *key;
	f->hash = hash;
	f->chain = *bucket;
	*bucket = f->number;
	f->id = id;
	f->round = t->round;
	list_add(t, f, key->protocol == IPPROTO_TCP ? LIST_TCP : LIST_OTHER);
	t->totals.made++;
	if (++t->totals.flows > t->totals.peak)
		t->totals.peak = t->totals.flows;
	return f;
}

/* A SYN that is neither the one that the flow began with, sent again, nor one that came late or crosses the other end's. */
static bool is_reuse(const struct flow *f, const struct packet *p, unsigned sender)
{
	const uint8_t opening = PACKET_SYN | PACKET_ACK | PACKET_ECE | PACKET_CWR;

	if (p->protocol != IPPROTO_TCP || (p->tcp_flags & (PACKET_SYN | PACKET_ACK)) != PACKET_SYN)
		return false;
	if (f->syn && f->began == sender && f->syn_sequence == p->sequence)
		return false;
	return f->side[sender].tcp_flags || ((f->side[0].tcp_flags | f->side[1].tcp_flags) & ~opening) ||
	       !(f->side[!sender].tcp_flags & PACKET_SYN);
}

/* The flow is its list's newest now; a tenth of a second is now. */
static void touch(struct flow_table *t, struct flow *f, enum list list)
{
	if (list == f->list && (!f->newer || f->last_ns - f->moved_ns < MOVE_NS))
		return;
	f->moved_ns = f->last_ns;
	list_remove(t, f);
	list_add(t, f, list);
}

static void count(struct flow_table *t, struct flow *f, const struct packet *p, unsigned sender)
{
	struct flow_side *side = &f->side[sender];
	enum list list = f->list;

	if (!t->options.kernel_counts) {
		side->packets++;
		side->bytes += p->wire_bytes;
	}
	side->tcp_flags |= p->tcp_flags;
	if (p->time_ns > f->last_ns)
		f->last_ns = p->time_ns;
	if (p->protocol == IPPROTO_TCP) {
		if ((p->tcp_flags & (PACKET_SYN | PACKET_ACK)) == PACKET_SYN && !f->syn) {
			f->syn = true;
			f->syn_sequence = p->sequence;
			f->began = (uint8_t)sender;
		}
		if ((p->tcp_flags & PACKET_RST) || (f->side[0].tcp_flags & f->side[1].tcp_flags & PACKET_FIN))
			list = LIST_CLOSING;
	}
	touch(t, f, list);
}

static void report_interval(struct flow_table *t, struct flow *f)
{
	if (f->last_ns - f->reported_ns <= FLOW_NS_ACTIVE)
		return;
	t->options.ended(t->options.userdata, f, FLOW_GOES_ON);
	f->reported[0] = f->side[0];
	f->reported[1] = f->side[1];
	f->reported_ns = f->last_ns;
}

/* The packet's key; returns which side sent it. */
static unsigned key_of(struct flow_table *t, const struct packet *p, const struct flow_hint *hint, struct flow_key *key)
{
	uint16_t source_port = p->source_port, destination_port = p->destination_port;

	if (hint) {
		*key = *hint->key;
		return hint->sender;
	}
	if (p->fragment)
		fragment_ports(t->fragments, p, &source_port, &destination_port);
	return !key_with_ports(p, source_port, destination_port, key);
}

struct flow *flow_table_packet(struct flow_table *t, const struct packet *p, const struct flow_hint *hint, unsigned *direction)
{
	uint64_t id = hint ? hint->id : 0;
	struct flow_key key;
	struct flow *f;
	unsigned sender;
	uint32_t hash;

	flow_table_expire(t, p->time_ns);
	sender = key_of(t, p, hint, &key);
	f = flow_at(t, t->last);
	if (f && memcmp(&f->key, &key, sizeof(key)) == 0) {
		hash = f->hash;
	} else {
		hash = hash_key(&key, t->options.seed);
		f = find(t, &key, hash);
	}
	if (f && f->id != id) {
		flow_table_end(t, f, FLOW_END_EVICTED);
		f = NULL;
	} else if (f && !t->options.kernel_counts && is_reuse(f, p, sender)) {
		flow_table_end(t, f, f->list == LIST_CLOSING ? end_of(f) : FLOW_END_REUSED);
		f = NULL;
	}
	if (!f) {
		f = make(t, &key, hash, id);
		f->first_ns = f->last_ns = f->reported_ns = f->moved_ns = p->time_ns;
		f->began = (uint8_t)(sender_began(p, &key, sender) ? sender : !sender);
	}
	t->last = f->number;
	count(t, f, p, sender);
	*direction = sender ^ f->began;
	if (!t->options.kernel_counts) /* else there is nothing new to tell */
		report_interval(t, f);
	return f;
}

struct flow *flow_table_counted(struct flow_table *t, const struct flow *counted)
{
	uint32_t hash = hash_key(&counted->key, t->options.seed);
	struct flow *f = find(t, &counted->key, hash);

	if (f && f->id != counted->id) {
		flow_table_end(t, f, FLOW_END_EVICTED);
		f = NULL;
	}
	if (!f) {
		f = make(t, &counted->key, hash, counted->id);
		f->reported_ns = counted->reported_ns;
		f->reported[0] = counted->reported[0];
		f->reported[1] = counted->reported[1];
		f->began = counted->began;
		f->protocol = counted->protocol;
		f->confidence = counted->confidence;
		f->state = counted->state;
		f->settled = counted->settled;
	}
	f->side[0] = counted->side[0];
	f->side[1] = counted->side[1];
	f->first_ns = counted->first_ns;
	f->last_ns = counted->last_ns;
	f->round = t->round;
	touch(t, f, f->list);
	report_interval(t, f);
	return f;
}

void flow_table_round(struct flow_table *t)
{
	for (int i = 0; i < LISTS; i++)
		for (struct flow *f = flow_at(t, t->oldest[i]), *next; f; f = next) {
			next = flow_at(t, f->newer);
			if (f->round != t->round)
				flow_table_end(t, f, FLOW_END_EVICTED);
		}
	t->round++;
}

struct flow_totals flow_table_totals(const struct flow_table *t)
{
	return t->totals;
}
