/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/analysis.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "netprobe/analysis_state.h"

/* Protocols that hand out what fingerprints are made of. */
#define HANDSHAKES (PROTOCOL_BIT(PROTOCOL_TLS) | PROTOCOL_BIT(PROTOCOL_DTLS) | PROTOCOL_BIT(PROTOCOL_QUIC) | PROTOCOL_BIT(PROTOCOL_SSH))
#define EVERYTHING ((PROTOCOL_BIT(PROTOCOLS - 1) << 1) - 1)

static void settle(struct analysis *a, struct flow *f, enum classify_state state)
{
	f->settled = true;
	f->state = (uint8_t)state;
	classify_forget(a->classifier, &f->classify);
	if (state == CLASSIFY_DONE)
		a->totals.classified++;
	else if (state == CLASSIFY_UNKNOWN)
		a->totals.unknown++;
	witness_tell(a, f);
	if (a->sink.settled)
		a->sink.settled(a->sink.userdata, f);
}

static void on_ended(void *userdata, struct flow *f, enum flow_end why)
{
	struct analysis *a = userdata;

	report_record(a, f, why);
	if (a->sink.told)
		a->sink.told(a->sink.userdata, f, why);
	if (why == FLOW_GOES_ON)
		return;
	witness_tell(a, f);
	classify_forget(a->classifier, &f->classify);
}

int analysis_new(struct analysis **out, const struct analysis_options *o, const struct analysis_sink *sink)
{
	struct analysis *a = calloc(1, sizeof(*a));
	struct flow_table_options flows = { .max = o->flows_max ? o->flows_max : ANALYSIS_FLOWS, .seed = o->seed,
					    .kernel_counts = o->kernel_counts, .ended = on_ended, .userdata = a };
	int r;

	*out = NULL;
	if (!a)
		return -ENOMEM;
	a->options = *o;
	a->sink = *sink;
	a->budget = CLASSIFY_PACKETS;
	r = flow_table_new(&a->flows, &flows);
	if (r == 0)
		r = classifier_new(&a->classifier, 0);
	if (r == 0)
		r = evidence_pool_new(&a->evidence);
	if (r == 0)
		r = sampler_new(&a->sampler);
	if (r == 0)
		r = device_memory_new(&a->memory);
	if (r == 0)
		r = analysis_configure(a, NULL);
	if (r < 0) {
		analysis_free(a);
		return r;
	}
	*out = a;
	return 0;
}

void analysis_free(struct analysis *a)
{
	if (!a)
		return;
	flow_table_free(a->flows);
	classifier_free(a->classifier);
	evidence_pool_free(a->evidence);
	sampler_free(a->sampler);
	device_memory_free(a->memory);
	device_set_free(a->devices);
	free(a);
}

int analysis_configure(struct analysis *a, const VisibilityConfig *config)
{
	struct device_set *devices;
	int r = device_set_new(config, &devices);

	if (r < 0)
		return r;
	device_set_free(a->devices);
	a->devices = devices;
	return 0;
}

void analysis_set_budget(struct analysis *a, unsigned packets)
{
	a->budget = packets < 1 ? 1 : packets > CLASSIFY_PACKETS ? CLASSIFY_PACKETS : packets;
}

/* What is looked for in a flow: what each of its ends that has a binding allows; without one, what is said of all. */
static uint64_t flow_off(const struct device *x, const struct device *y)
{
	if (x->bound && y->bound)
		return x->off | y->off;
	return x->bound ? x->off : y->off;
}

/* Dissectors that do not run: those of protocols that are off, but for handshakes when they are to be fingerprinted. */
static uint64_t dissectors_off(const struct analysis *a, const struct flow *f)
{
	if (!(f->off & HANDSHAKES))
		return f->off;
	return flow_device(a, f, 0)->tls || flow_device(a, f, 1)->tls ? f->off & ~HANDSHAKES : f->off;
}

static void start(struct analysis *a, struct flow *f)
{
	f->started = true;
	f->off = flow_off(flow_device(a, f, 0), flow_device(a, f, 1));
}

struct handing {
	struct analysis *a;
	struct flow *f;
	const struct packet *p;
	unsigned sender;
};

static void on_handout(void *userdata, enum handout kind, struct span bytes)
{
	const struct handing *h = userdata;

	witness_handout(h->a, h->f, h->p, h->sender, kind, bytes);
}

static void classify(struct analysis *a, struct flow *f, const struct packet *p, unsigned direction)
{
	struct handing handing = { .a = a, .f = f, .p = p, .sender = direction ^ f->began };
	uint64_t off = dissectors_off(a, f);
	struct classify_result r;

	bool syn = p->protocol == IPPROTO_TCP && (p->tcp_flags & PACKET_SYN);

	if (syn)
		witness_syn(a, f, p, handing.sender);
	if (p->fragment_offset)
		return;
	if ((p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP) || off == EVERYTHING) {
		if (!syn) /* else the SYN+ACK may still come */
			settle(a, f, CLASSIFY_GOING);
		return;
	}
	r = classify_packet(a->classifier, &f->classify, p, direction, a->budget, off, on_handout, &handing);
	if (r.fresh) {
		f->protocol = (uint8_t)r.protocol;
		f->confidence = r.confidence;
		report_dpi(a, f, p->time_ns);
	}
	if (r.state != CLASSIFY_GOING)
		settle(a, f, r.state);
}

void analysis_packet(struct analysis *a, const struct packet *p, enum packet_result result, const struct flow_hint *hint)
{
	unsigned direction;
	struct flow *f;

	a->totals.results[result]++;
	if (!p->family)
		return;
	if (p->time_ns > a->now_ns) {
		a->now_ns = p->time_ns;
		witness_expire(a, a->now_ns);
	}
	f = flow_table_packet(a->flows, p, hint, &direction);
	if (f->settled || result != PACKET_OK)
		return;
	if (!f->started)
		start(a, f);
	classify(a, f, p, direction);
}

void analysis_tick(struct analysis *a, int64_t now_ns)
{
	if (now_ns <= a->now_ns)
		return;
	a->now_ns = now_ns;
	witness_expire(a, now_ns);
	flow_table_expire(a->flows, now_ns);
}

const struct flow *analysis_flow(struct analysis *a, const struct flow *counted)
{
	return flow_table_counted(a->flows, counted);
}

void analysis_flow_end(struct analysis *a, const struct flow_key *key, uint64_t id, enum flow_end why)
{
	struct flow *f = flow_table_find(a->flows, key);

	if (f && f->id == id)
		flow_table_end(a->flows, f, why);
}

void analysis_round(struct analysis *a)
{
	flow_table_round(a->flows);
}

void analysis_end(struct analysis *a, enum flow_end why)
{
	flow_table_end_all(a->flows, why);
}

struct analysis_totals analysis_totals(const struct analysis *a)
{
	struct analysis_totals t = a->totals;

	t.flows = flow_table_totals(a->flows);
	t.classifier = classifier_totals(a->classifier);
	return t;
}
