/* SPDX-License-Identifier: Apache-2.0 */
/* DHCP: RFC 2131 section 2, options of RFC 2132. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define FIXED       236u
#define COOKIE      0x63825363u
#define OPTION_PAD  0u
#define OPTION_TYPE 53u
#define OPTION_END  255u
#define OPTIONS_MAX 128u
#define TYPE_MAX    18u

enum dissect_answer dissect_dhcp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct cursor c = cursor_of(in->stream[in->direction]);
	uint8_t op = cursor_u8(&c), hardware = cursor_u8(&c), length = cursor_u8(&c), hops = cursor_u8(&c);
	bool port = dissect_port(in, 67) || dissect_port(in, 68) || dissect_port(in, 4011);
	bool end = false;
	uint8_t type = 0;

	cursor_skip(&c, FIXED - 4);
	if ((op != 1 && op != 2) || length > 16 || hops > 64 || cursor_be32(&c) != COOKIE)
		return DISSECT_NO;
	for (unsigned i = 0; i < OPTIONS_MAX && c.left && !end; i++) {
		uint8_t code = cursor_u8(&c);
		struct span value;

		if (code == OPTION_PAD)
			continue;
		if (code == OPTION_END) {
			end = true;
			continue;
		}
		value = cursor_span(&c, cursor_u8(&c));
		if (code == OPTION_TYPE && value.size == 1)
			type = value.data[0];
	}
	if (type >= 1 && type <= TYPE_MAX && hardware)
		return dissect_yes(v, port ? 0.99F : 0.9F);
	/* BOOTP with the cookie (RFC 1497), and options that were cut. */
	return port ? dissect_yes(v, 0.8F) : DISSECT_NO;
}
