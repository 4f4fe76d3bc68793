/* SPDX-License-Identifier: Apache-2.0 */
/* RDP: the connection request in X.224 within TPKT ([MS-RDPBCGR] sections 2.2.1.1 and 2.2.1.2; RFC 1006), over UDP the first
 * datagram of [MS-RDPEUDP] section 2.2. Siemens' S7 and others begin with the same X.224: the negotiation has to be RDP's. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"
#include "netprobe/dissect/tls_hello.h"

#define PORT_RDP    3389u
#define TPKT        3u
#define CR          0xe0u /* connection request */
#define CC          0xd0u /* connection confirm */
#define X224_FIXED  6u
#define NEGOTIATION 8u
#define MTU_MIN     1132u
#define MTU_MAX     1232u

/* Type, flags, length, protocols or failure code. */
static bool negotiation(struct span s, bool request)
{
	return s.size >= NEGOTIATION && (request ? s.data[0] == 1 : s.data[0] == 2 || s.data[0] == 3) &&
	       s.data[2] == NEGOTIATION && !s.data[3];
}

static enum dissect_answer x224(struct span s, bool port, float *confidence)
{
	struct cursor c = cursor_of(s);
	uint8_t version = cursor_u8(&c), reserved = cursor_u8(&c), indicator, type;
	uint16_t length = cursor_be16(&c);
	struct span variable, token;
	bool whole;

	indicator = cursor_u8(&c);
	type = cursor_u8(&c) & 0xf0;
	if (version != TPKT || (!c.failed && (reserved || length < 11 || length > 512 || (type != CR && type != CC))))
		return DISSECT_NO;
	cursor_skip(&c, X224_FIXED - 1);
	if (c.failed)
		return DISSECT_MORE;
	if (indicator != length - 5)
		return DISSECT_NO;
	variable = cursor_span(&c, indicator - X224_FIXED);
	if (c.failed)
		return DISSECT_MORE;
	*confidence = 0.95F;
	if (type == CC)
		return negotiation(variable, false) ? DISSECT_YES : port && !variable.size ? DISSECT_YES : DISSECT_NO;
	/* A cookie or a routing token, then the negotiation; old clients send neither. */
	if (SPAN_STARTS(variable, "Cookie: mstshash=") || SPAN_STARTS(variable, "Cookie: msts="))
		return DISSECT_YES;
	if (negotiation(variable, true))
		return DISSECT_YES;
	token = text_line(variable, &whole);
	*confidence = 0.8F;
	return port && (!variable.size || (whole && text_all_plain(token))) ? DISSECT_YES : DISSECT_NO;
}

enum dissect_answer dissect_rdp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false, port = dissect_port(in, PORT_RDP);

	for (unsigned d = 0; d < 2; d++) {
		enum dissect_answer a = in->stream[d].size ? x224(in->stream[d], port, &v->confidence) : DISSECT_NO;

		if (a == DISSECT_YES) {
			v->more = !tls_hello_within(in);
			return a;
		}
		more |= a == DISSECT_MORE;
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}

enum dissect_answer dissect_rdp_udp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	struct cursor c = cursor_of(s);
	uint32_t acknowledged = cursor_be32(&c);
	uint16_t flags, up, down;

	cursor_skip(&c, 2);
	flags = cursor_be16(&c);
	cursor_skip(&c, 4);
	up = cursor_be16(&c);
	down = cursor_be16(&c);
	if (c.failed || acknowledged != UINT32_MAX || !(flags & 1) || flags & 0x0004 || up < MTU_MIN || up > MTU_MAX ||
	    down < MTU_MIN || down > MTU_MAX || s.size + in->missing < MTU_MIN)
		return DISSECT_NO;
	return dissect_yes(v, dissect_port(in, PORT_RDP) ? 0.97F : 0.88F);
}
