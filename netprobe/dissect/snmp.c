/* SPDX-License-Identifier: Apache-2.0 */
/* SNMP: versions 1 and 2c (RFC 1157, RFC 3416), 3 (RFC 3412 section 6). */
#include "netprobe/dissect/ber.h"
#include "netprobe/dissect/dissectors.h"

#define COMMUNITY_MAX 128u
#define PDU_FIRST     0xa0u
#define PDU_LAST      0xa8u

/* Of version 3: id, largest size, flags, security model. */
static bool global_data(struct cursor *c)
{
	struct ber e;
	struct cursor in;
	int64_t value;

	if (!ber_whole(c, BER_SEQUENCE, &e))
		return false;
	in = cursor_of(e.body);
	return ber_integer(&in, BER_INTEGER, &value) && ber_integer(&in, BER_INTEGER, &value) && value >= 484 &&
	       ber_whole(&in, BER_OCTETS, &e) && e.body.size == 1 && ber_integer(&in, BER_INTEGER, &value);
}

enum dissect_answer dissect_snmp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	struct cursor c = cursor_of(s), inner;
	struct ber message, e;
	int64_t version;
	bool port = dissect_port(in, 161) || dissect_port(in, 162);

	if (!ber_next(&c, &message) || message.tag != BER_SEQUENCE || message.declared > message.body.size + in->missing)
		return DISSECT_NO;
	if (c.left && !port) /* something behind the message */
		return DISSECT_NO;
	inner = cursor_of(message.body);
	if (!ber_integer(&inner, BER_INTEGER, &version) || version < 0 || version > 3)
		return DISSECT_NO;
	if (version == 3)
		return global_data(&inner) ? dissect_yes(v, port ? 0.98F : 0.9F) : DISSECT_NO;
	if (!ber_whole(&inner, BER_OCTETS, &e) || e.body.size > COMMUNITY_MAX || !ber_next(&inner, &e) || e.tag < PDU_FIRST ||
	    e.tag > PDU_LAST)
		return DISSECT_NO;
	return dissect_yes(v, port ? 0.98F : 0.9F);
}
