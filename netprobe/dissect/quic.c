/* SPDX-License-Identifier: Apache-2.0 */
/* QUIC: version 1 (RFC 9000), version 2 (RFC 9369), drafts, and Google's versions before them (Q0nn, T0nn). A client's first
 * Initial authenticates with keys that anyone can derive, so that it is certain; other packets of the long form are told by
 * their header, which has to fit the datagram. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/quic_hello.h"
#include "netprobe/dissect/quic_packet.h"

#define INITIAL_DATAGRAM 1200u /* the least that a client sends: RFC 9000 section 14.1 */
#define PACKETS          4u

/* Google's Q046 and Q048: a long form with one byte for both lengths of connection ids, and no length of the packet. */
static bool google_long(struct span s)
{
	return s.size > 30 && s.data[0] & 0x80 && SPAN_STARTS(span_from(s, 1), "Q04") && s.data[4] >= '4' && s.data[4] <= '9' &&
	       (s.data[5] == 0x50 || s.data[5] == 0x05 || s.data[5] == 0x55);
}

/* Google's Q0nn to Q043: flags with a version, a connection id of eight bytes, the version, the packet's number. */
static bool google_public(struct span s)
{
	return s.size > 30 && (s.data[0] & 0x8b) == 0x09 && s.data[9] == 'Q' && s.data[10] == '0' &&
	       (s.data[11] == '2' || s.data[11] == '3' || s.data[11] == '4') && s.data[12] >= '0' && s.data[12] <= '9';
}

/* Google's version negotiation: the same header with other versions behind, and no packet number. */
static bool google_offer(struct span s)
{
	return google_public(s) && s.size % 4 == 1;
}

static enum dissect_answer long_form(const struct dissect_input *in, struct span s, struct dissect_verdict *v)
{
	struct cursor c = cursor_of(s);
	struct quic_packet p, first = { 0 };
	unsigned n = 0;

	while (n < PACKETS && c.left && quic_next(&c, in->missing, &p)) {
		if (!n)
			first = p;
		else if (p.version != first.version)
			return DISSECT_NO;
		n++;
	}
	if (!n)
		return DISSECT_NO;
	if (first.kind == QUIC_NEGOTIATION)
		return dissect_yes(v, 0.9F);
	if (first.kind == QUIC_INITIAL) {
		switch (quic_hello(in)) {
		case QUIC_HELLO_HANDED:
			return dissect_yes(v, 0.99F);
		case QUIC_HELLO_OTHER:
			return dissect_yes(v, 0.97F);
		case QUIC_HELLO_PART:
			v->more = true;
			return dissect_yes(v, 0.98F);
		case QUIC_HELLO_NONE:
			break;
		}
	}
	/* A server's, early data, or a client's whose first packet was not seen: the hello may still come. */
	v->more = !(*in->handed & 1u << HANDOUT_CLIENT_HELLO_QUIC);
	/* A reserved version says nothing by itself: what else is there has to fit. */
	if ((first.version & 0x0f0f0f0f) == 0x0a0a0a0a)
		return first.kind == QUIC_INITIAL && s.size + in->missing >= INITIAL_DATAGRAM && first.dcid.size >= 8
			       ? dissect_yes(v, 0.85F)
			       : DISSECT_NO;
	return dissect_yes(v, 0.88F);
}

enum dissect_answer dissect_quic(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];

	if (google_long(s))
		return dissect_yes(v, 0.9F);
	if (google_public(s) || google_offer(s))
		return dissect_yes(v, 0.9F);
	return s.data[0] & 0x80 ? long_form(in, s, v) : DISSECT_NO;
}
