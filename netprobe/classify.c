/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/classify.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "netprobe/dissect/quic_crypto.h"
#include "netprobe/pool.h"
#include "netprobe/stream.h"

#define FLOWS_MAX (64u * 1024) /* looked at at the same time */

_Static_assert(CLASSIFY_FLOW_BYTES == POOL_CHUNK, "a flow may use the largest buffer of the pool, or less for each direction");
_Static_assert(CLASSIFY_PACKETS <= DISSECT_EARLIER_MAX + 1, "every datagram before the last can be kept");

/* The datagrams of a flow, one behind the other. */
struct datagrams {
	uint8_t *data;
	uint16_t used;
	uint8_t units, count;
	uint16_t directions; /* a bit for each */
	uint16_t size[DISSECT_EARLIER_MAX];
};

struct classify_flow {
	uint64_t candidates;
	union {
		struct stream stream[2];
		struct datagrams datagrams;
		struct classify_flow *next_free;
	};
	uint32_t handed;
	float confidence;
	uint8_t protocol; /* PROTOCOL_UNKNOWN while it is */
	uint8_t packets;
	bool tcp;
	bool began[2]; /* TCP: candidates were told by the first byte of this direction */
};

struct classifier {
	struct pool *pool;
	struct classify_flow *flows, *free; /* `flows`: reserved for FLOWS_MAX, not touched before it is needed */
	uint32_t fresh;                     /* flows from here on were never used */
	uint64_t off, refused;
	/* By first byte: of a client's and a server's stream, of a datagram. */
	uint64_t first[3][256];
	struct dissector table[PROTOCOLS];
};
enum { FIRST_CLIENT, FIRST_SERVER, FIRST_DATAGRAM };

static void first_bytes(uint64_t first[256], const struct dissect_range ranges[DISSECT_RANGES], enum protocol p)
{
	if (!ranges[0].count)
		for (unsigned b = 0; b < 256; b++)
			first[b] |= PROTOCOL_BIT(p);
	for (unsigned i = 0; i < DISSECT_RANGES; i++)
		for (unsigned b = 0; b < ranges[i].count; b++)
			first[(ranges[i].first + b) & 0xff] |= PROTOCOL_BIT(p);
}

int classifier_new(struct classifier **out, uint64_t off)
{
	struct classifier *c = calloc(1, sizeof(*c));
	unsigned count;
	const struct dissector *d = dissectors(&count);

	if (!c)
		return -ENOMEM;
	c->off = off;
	c->flows = mmap(NULL, FLOWS_MAX * sizeof(*c->flows), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c->flows == MAP_FAILED || pool_new(&c->pool, CLASSIFY_ALL_BYTES) < 0) {
		if (c->flows == MAP_FAILED)
			c->flows = NULL;
		classifier_free(c);
		return -ENOMEM;
	}
	quic_crypto_prepare();
	for (unsigned i = 0; i < count; i++) {
		c->table[d[i].protocol] = d[i];
		if (d[i].tcp) {
			first_bytes(c->first[FIRST_CLIENT], d[i].client, d[i].protocol);
			first_bytes(c->first[FIRST_SERVER], d[i].server, d[i].protocol);
		}
		if (d[i].udp)
			first_bytes(c->first[FIRST_DATAGRAM], d[i].datagram, d[i].protocol);
	}
	*out = c;
	return 0;
}

void classifier_free(struct classifier *c)
{
	if (!c)
		return;
	pool_free(c->pool);
	if (c->flows)
		munmap(c->flows, FLOWS_MAX * sizeof(*c->flows));
	free(c);
}

static struct classify_flow *flow_new(struct classifier *c, bool tcp)
{
	struct classify_flow *f = c->free;

	if (f)
		c->free = f->next_free;
	else if (c->fresh < FLOWS_MAX)
		f = &c->flows[c->fresh++];
	else
		return NULL;
	memset(f, 0, sizeof(*f));
	f->tcp = tcp;
	f->candidates = UINT64_MAX;
	return f;
}

void classify_forget(struct classifier *c, struct classify_flow **flow)
{
	struct classify_flow *f = *flow;

	if (!f)
		return;
	if (f->tcp) {
		stream_release(&f->stream[0], c->pool);
		stream_release(&f->stream[1], c->pool);
	} else if (f->datagrams.data) {
		pool_put(c->pool, f->datagrams.data, f->datagrams.units);
	}
	f->next_free = c->free;
	c->free = f;
	*flow = NULL;
}

/* Asks the dissectors in `candidates`. Those that say no leave *no. Returns true when the flow's protocol is known by this. */
static bool ask(const struct classifier *c, struct classify_flow *f, uint64_t candidates, const struct dissect_input *in,
		uint64_t *no, bool *more)
{
	struct dissect_verdict best = { 0 };
	enum protocol found = PROTOCOL_UNKNOWN;

	*more = false;
	while (candidates) {
		enum protocol p = (enum protocol)__builtin_ctzll(candidates);
		dissect_fn *fn = in->tcp ? c->table[p].tcp : c->table[p].udp;
		struct dissect_verdict v = { 0 };

		candidates &= candidates - 1;
		switch (fn(in, &v)) {
		case DISSECT_NO:
			*no |= PROTOCOL_BIT(p);
			break;
		case DISSECT_MORE:
			*more = true;
			break;
		case DISSECT_YES:
			/* What follows in the same flow takes the place of what was before, not the other way round. */
			if (found == PROTOCOL_UNKNOWN || found == f->protocol ||
			    (p != f->protocol && v.confidence > best.confidence)) {
				best = v;
				found = p;
			}
			break;
		}
	}
	if (found == PROTOCOL_UNKNOWN)
		return false;
	*more = best.more;
	if (found == f->protocol && best.confidence < f->confidence)
		best.confidence = f->confidence;
	f->confidence = best.confidence;
	f->candidates = best.more ? PROTOCOL_BIT(found) | c->table[found].then : 0;
	if (found == f->protocol)
		return false;
	f->protocol = (uint8_t)found;
	return true;
}

static void input_of(struct dissect_input *in, const struct packet *p, struct classify_flow *f, unsigned direction, bool last,
		     handout_fn *handout, void *userdata)
{
	*in = (struct dissect_input){
		.direction = direction,
		.tcp = f->tcp,
		.last = last,
		.packets = f->packets,
		.handed = &f->handed,
		.handout = handout,
		.userdata = userdata,
	};
	in->port[direction] = p->source_port;
	in->port[!direction] = p->destination_port;
}

/* The bits of those that can begin so. Without a SYN it is not known who is the client. */
static uint64_t began_with(const struct classifier *c, const struct classify_flow *f, unsigned direction, uint8_t byte)
{
	if (!f->stream[0].whole && !f->stream[1].whole)
		return c->first[FIRST_CLIENT][byte] | c->first[FIRST_SERVER][byte];
	return c->first[direction][byte];
}

static bool classify_segment(struct classifier *c, struct classify_flow *f, const struct packet *p, unsigned direction,
			     bool last, uint64_t off, handout_fn *handout, void *userdata)
{
	struct stream *s = &f->stream[direction], *other = &f->stream[!direction];
	unsigned units_max = POOL_UNITS - other->units;
	bool syn = p->tcp_flags & PACKET_SYN, fresh = false, more;
	struct dissect_input in;
	struct span view = { NULL, 0 };
	size_t offset = 0;
	enum stream_result r;
	uint64_t no = 0;

	r = stream_add(s, c->pool, units_max, p->sequence + syn, p->payload, &view, &offset);
	if (r == STREAM_NO_MEMORY)
		c->refused++;
	if (r == STREAM_FULL || r == STREAM_NO_MEMORY)
		f->candidates = 0; /* nothing more can be added: what was seen decides */
	/* The gap will not be filled: the other end has what is missing here, or no more packets are looked at. */
	if (stream_gap(other) && (p->tcp_flags & PACKET_ACK) && p->acknowledgement - other->start > 0 &&
	    p->acknowledgement - other->start <= CLASSIFY_FLOW_BYTES) {
		stream_skip_gap(other);
		f->began[!direction] = false;
	}
	if (last && stream_gap(s)) {
		stream_skip_gap(s);
		view = stream_view(s);
		offset = 0;
		r = STREAM_EARLIER;
	}
	if (r == STREAM_EARLIER && !f->protocol) {
		f->candidates = UINT64_MAX;
		f->began[0] = f->began[1] = false;
	}
	if (r != STREAM_NEW && r != STREAM_EARLIER)
		return false;

	input_of(&in, p, f, direction, last, handout, userdata);
	in.stream[direction] = view;
	in.stream[!direction] = stream_view(other);
	in.offset = offset < view.size ? offset : view.size;
	in.whole[0] = f->stream[0].whole;
	in.whole[1] = f->stream[1].whole;
	for (unsigned d = 0; d < 2; d++) {
		if (f->began[d] || !in.stream[d].size)
			continue;
		f->began[d] = true;
		if (!f->protocol)
			f->candidates &= began_with(c, f, d, in.stream[d].data[0]);
	}
	f->candidates &= ~off;
	fresh = ask(c, f, f->candidates, &in, &no, &more);
	if (!f->protocol)
		f->candidates &= ~no;
	if (f->candidates && !last && !stream_keep(s, c->pool, units_max, view)) {
		c->refused++;
		f->candidates = 0;
	}
	return fresh;
}

/* A connection that is older than the capture: where its messages begin is not known, so that each segment may be the beginning
 * of one. */
static bool is_old(const struct classify_flow *f)
{
	return f->tcp && !f->protocol && !f->stream[0].whole && !f->stream[1].whole;
}

static bool classify_alone(struct classifier *c, struct classify_flow *f, const struct packet *p, unsigned direction, bool last,
			   uint64_t off, handout_fn *handout, void *userdata)
{
	uint8_t first = p->payload.data[0];
	struct dissect_input in;
	uint64_t no = 0;
	bool more;

	input_of(&in, p, f, direction, last, handout, userdata);
	in.stream[direction] = p->payload;
	return ask(c, f, (c->first[FIRST_CLIENT][first] | c->first[FIRST_SERVER][first]) & ~off, &in, &no, &more);
}

/* Keeps a datagram for those that want to see it beside later ones. */
static void keep_datagram(struct classifier *c, struct datagrams *d, struct span bytes, unsigned direction)
{
	unsigned units = d->units ? d->units : 1;

	if (d->count == DISSECT_EARLIER_MAX || d->used + bytes.size > CLASSIFY_FLOW_BYTES)
		return;
	while ((size_t)units * POOL_UNIT < d->used + bytes.size)
		units *= 2;
	if (units > d->units) {
		uint8_t *data = pool_get(c->pool, units);

		if (!data) {
			c->refused++;
			return;
		}
		if (d->data) {
			memcpy(data, d->data, d->used);
			pool_put(c->pool, d->data, d->units);
		}
		d->data = data;
		d->units = (uint8_t)units;
	}
	memcpy(d->data + d->used, bytes.data, bytes.size);
	d->used = (uint16_t)(d->used + bytes.size);
	d->directions = (uint16_t)(d->directions | direction << d->count);
	d->size[d->count++] = (uint16_t)bytes.size;
}

/* Of datagrams each is looked at for itself: one that is not of a protocol does not say that the next is not. */
static bool classify_datagram(struct classifier *c, struct classify_flow *f, const struct packet *p, unsigned direction,
			      bool last, uint64_t off, handout_fn *handout, void *userdata)
{
	struct datagrams *d = &f->datagrams;
	struct dissect_earlier earlier[DISSECT_EARLIER_MAX];
	struct dissect_input in;
	uint64_t no = 0;
	bool fresh, more;
	size_t at = 0;

	for (unsigned i = 0; i < d->count; i++) {
		earlier[i].bytes = (struct span){ d->data + at, d->size[i] };
		earlier[i].direction = d->directions >> i & 1;
		at += d->size[i];
	}
	input_of(&in, p, f, direction, last, handout, userdata);
	in.stream[direction] = p->payload;
	in.missing = p->payload_bytes > p->payload.size ? p->payload_bytes - p->payload.size : 0;
	in.earlier = earlier;
	in.earlier_count = d->count;
	fresh = ask(c, f, f->candidates & c->first[FIRST_DATAGRAM][p->payload.data[0]] & ~off, &in, &no, &more);
	if (more && !last)
		keep_datagram(c, d, p->payload, direction);
	return fresh;
}

/* Some devices count the padding of a short Ethernet frame as payload: an acknowledgement or SYN with a few zeros. */
static bool padding_only(const struct packet *p)
{
	static const uint8_t zero[6] = { 0 };

	return !(p->tcp_flags & (PACKET_PSH | PACKET_FIN | PACKET_RST | PACKET_URG)) && p->payload.size <= sizeof(zero) &&
	       memcmp(p->payload.data, zero, p->payload.size) == 0;
}

struct classify_result classify_packet(struct classifier *c, struct classify_flow **flow, const struct packet *p,
				       unsigned direction, unsigned budget, uint64_t off, handout_fn *handout, void *userdata)
{
	struct classify_result result = { .state = CLASSIFY_UNKNOWN };
	bool tcp = p->protocol == IPPROTO_TCP, syn = tcp && (p->tcp_flags & PACKET_SYN), payload, last;
	struct classify_flow *f = *flow, alone;

	if ((!tcp && p->protocol != IPPROTO_UDP) || (f && f->tcp != tcp)) {
		classify_forget(c, flow);
		return result;
	}
	result.state = CLASSIFY_GOING;
	payload = p->payload.size && !p->fragment_offset && !(tcp && padding_only(p));
	if (p->fragment_offset || (!payload && !syn)) {
		if (f) {
			result.protocol = f->protocol;
			result.confidence = f->confidence;
		}
		return result;
	}
	if (!f) {
		f = *flow = flow_new(c, tcp);
		if (!f) { /* no room: this packet alone decides */
			c->refused++;
			if (!payload)
				return result;
			alone = (struct classify_flow){ .tcp = tcp, .candidates = UINT64_MAX };
			f = &alone;
			budget = 1;
		}
	}
	if (syn)
		stream_syn(&f->stream[direction], p->sequence);
	if (payload) {
		f->packets++;
		last = f->packets >= budget || f->packets >= CLASSIFY_PACKETS;
		off |= c->off;
		result.fresh = tcp ? classify_segment(c, f, p, direction, last, off, handout, userdata)
				   : classify_datagram(c, f, p, direction, last, off, handout, userdata);
		if (f->packets > 1 && is_old(f))
			result.fresh = classify_alone(c, f, p, direction, last, off, handout, userdata);
		if ((!f->candidates && !is_old(f)) || last)
			result.state = f->protocol ? CLASSIFY_DONE : CLASSIFY_UNKNOWN;
	}
	result.protocol = f->protocol;
	result.confidence = f->confidence;
	if (result.state != CLASSIFY_GOING)
		classify_forget(c, flow);
	return result;
}

struct classifier_totals classifier_totals(const struct classifier *c)
{
	return (struct classifier_totals){
		.buffered_bytes = pool_used(c->pool),
		.buffered_peak = pool_peak(c->pool),
		.refused = c->refused,
	};
}
