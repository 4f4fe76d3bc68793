/* SPDX-License-Identifier: Apache-2.0 */
/* DHCPv6: RFC 8415 sections 8, 9 and 21. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define TYPE_MAX         36u
#define RELAY_FORWARD    12u
#define RELAY_REPLY      13u
#define OPTION_CLIENT_ID 1u
#define OPTION_SERVER_ID 2u
#define OPTION_RELAYED   9u
#define OPTION_MAX       200u
#define OPTIONS_MAX      64u

enum dissect_answer dissect_dhcpv6(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct cursor c = cursor_of(in->stream[in->direction]);
	bool port = dissect_port(in, 546) || dissect_port(in, 547), known = false;
	uint8_t type = cursor_u8(&c);

	if (type < 1 || type > TYPE_MAX)
		return DISSECT_NO;
	if (type == RELAY_FORWARD || type == RELAY_REPLY) {
		if (cursor_u8(&c) > 32)
			return DISSECT_NO;
		cursor_skip(&c, 32);
	} else {
		cursor_skip(&c, 3);
	}
	/* Options up to the last byte. */
	for (unsigned i = 0; i < OPTIONS_MAX && c.left; i++) {
		uint16_t code = cursor_be16(&c);
		struct span value = cursor_span(&c, cursor_be16(&c));

		if (!code || code > OPTION_MAX)
			return DISSECT_NO;
		/* A DUID begins with its type, of which there are four (section 11), or a relayed message. */
		if (code == OPTION_CLIENT_ID || code == OPTION_SERVER_ID)
			known |= value.size >= 4 && value.data[0] == 0 && value.data[1] >= 1 && value.data[1] <= 4;
		known |= code == OPTION_RELAYED && value.size >= 4;
	}
	if ((c.failed && !in->missing) || (!c.failed && c.left))
		return DISSECT_NO;
	if (known)
		return dissect_yes(v, port ? 0.98F : 0.8F);
	return port && in->stream[in->direction].size >= 8 ? dissect_yes(v, 0.85F) : DISSECT_NO;
}
