/* SPDX-License-Identifier: Apache-2.0 */
/* Fingerprints of a flow's two ends, gathered until the flow is settled, has ended, or has taken too long. */
#include <string.h>

#include "netprobe/analysis_state.h"

void witness_tell(struct analysis *a, struct flow *f)
{
	struct evidence *e = evidence_at(a->evidence, f->evidence);

	if (!e)
		return;
	f->evidence = 0;
	for (unsigned i = 0; i < 2; i++) {
		unsigned side = i ^ f->began; /* who began comes first */

		if (e->end[side].any)
			report_fingerprint(a, f, side, &e->end[side]);
	}
	evidence_release(a->evidence, e);
}

static void tell_oldest(struct analysis *a, struct evidence *e)
{
	witness_tell(a, flow_table_at(a->flows, e->flow));
}

void witness_expire(struct analysis *a, int64_t now_ns)
{
	struct evidence *e;

	while ((e = evidence_oldest(a->evidence)) && now_ns - e->made_ns > ANALYSIS_EVIDENCE_NS)
		tell_oldest(a, e);
}

static struct evidence_end *end_of(struct analysis *a, struct flow *f, unsigned side, int64_t now_ns)
{
	struct evidence *e = evidence_at(a->evidence, f->evidence);

	if (!e) {
		e = evidence_take(a->evidence, f->number, now_ns);
		if (!e && (e = evidence_oldest(a->evidence))) {
			tell_oldest(a, e);
			e = evidence_take(a->evidence, f->number, now_ns);
		}
		if (!e)
			return NULL;
		f->evidence = e->number;
	}
	e->end[side].any = true;
	e->end[side].time_ns = now_ns;
	return &e->end[side];
}

void witness_syn(struct analysis *a, struct flow *f, const struct packet *p, unsigned sender)
{
	bool answer = p->tcp_flags & PACKET_ACK;
	uint16_t mss = answer ? f->syn_mss : 0;
	char signature[P0F_BYTES];
	struct evidence_end *e;

	if (answer ? !f->syn || f->answer_witnessed || sender == f->began : f->syn_witnessed)
		return;
	*(answer ? &f->answer_witnessed : &f->syn_witnessed) = true;
	if (!answer)
		f->syn_mss = p0f_mss(p);
	if (!flow_device(a, f, sender)->tcp || p0f_signature(p, mss, signature) < 0)
		return;
	e = end_of(a, f, sender, p->time_ns);
	if (!e)
		return;
	memcpy(e->p0f_signature, signature, sizeof(signature));
	p0f_match(a->options.p0f ? p0f_store_db(a->options.p0f) : NULL, p, mss, &e->p0f);
}

/* A ClientHello is of who sent it. Of KEXINIT the dissector says whose it is; it may have waited for the other end's packet. */
void witness_handout(struct analysis *a, struct flow *f, const struct packet *p, unsigned sender, enum handout kind, struct span bytes)
{
	char text[JA4_BYTES > HASSH_BYTES ? JA4_BYTES : HASSH_BYTES] = "";
	unsigned side = kind == HANDOUT_KEXINIT_CLIENT ? f->began : kind == HANDOUT_KEXINIT_SERVER ? !f->began : sender;
	struct evidence_end *e;
	int r = -1;

	if (!flow_device(a, f, side)->tls)
		return;
	switch (kind) {
	case HANDOUT_CLIENT_HELLO_TLS:
		r = ja4_client_hello(bytes, 't', text);
		break;
	case HANDOUT_CLIENT_HELLO_DTLS:
		r = ja4_client_hello(bytes, 'd', text);
		break;
	case HANDOUT_CLIENT_HELLO_QUIC:
		r = ja4_client_hello(bytes, 'q', text);
		break;
	case HANDOUT_KEXINIT_CLIENT:
	case HANDOUT_KEXINIT_SERVER:
		r = hassh_kexinit(bytes, kind == HANDOUT_KEXINIT_SERVER, text);
		break;
	}
	e = r == 0 ? end_of(a, f, side, p->time_ns) : NULL;
	if (!e)
		return;
	if (kind == HANDOUT_KEXINIT_CLIENT)
		memcpy(e->hassh, text, sizeof(e->hassh));
	else if (kind == HANDOUT_KEXINIT_SERVER)
		memcpy(e->hassh_server, text, sizeof(e->hassh_server));
	else
		memcpy(e->ja4, text, sizeof(e->ja4));
}
