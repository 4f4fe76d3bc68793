/* SPDX-License-Identifier: Apache-2.0 */
/* MySQL and MariaDB: the server's greeting, protocol 10 ("Connection Phase" of the MySQL internals manual), or its refusal. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"
#include "netprobe/dissect/tls_hello.h"

#define PORT_MYSQL     3306u
#define PROTOCOL_10    10u
#define ERROR          0xffu
#define VERSION_MAX    96u
#define CAPABILITY_SSL 0x0800u

static enum dissect_answer greeting(struct span s, bool port, float *confidence)
{
	struct cursor c = cursor_of(s);
	uint32_t length = (uint32_t)cursor_le(&c, 3);
	uint8_t sequence = cursor_u8(&c), protocol = cursor_u8(&c);
	size_t n;

	if (s.size >= 4 && (sequence || length < 9 || length > 1024))
		return DISSECT_NO;
	if (c.failed)
		return DISSECT_MORE;
	if (protocol == ERROR) {
		/* "Host … is not allowed to connect", "Too many connections". */
		uint16_t code = cursor_le16(&c);

		*confidence = 0.8F;
		return port && code >= 1000 && code < 5000 && c.left &&
				       text_all_plain((struct span){ c.at, c.left < 16 ? c.left : 16 })
			       ? DISSECT_YES
			       : DISSECT_NO;
	}
	if (protocol != PROTOCOL_10)
		return DISSECT_NO;
	for (n = 0; n < c.left && n < VERSION_MAX && c.at[n] > 0x20 && c.at[n] < 0x7f; n++)
		;
	if (n == c.left)
		return DISSECT_MORE;
	if (n < 3 || c.at[n] || !text_digit(c.at[0]))
		return DISSECT_NO;
	/* Connection id, eight bytes of salt, a NUL. */
	cursor_skip(&c, n + 1 + 4 + 8);
	*confidence = 0.97F;
	if (cursor_u8(&c))
		return DISSECT_NO;
	return c.failed ? DISSECT_MORE : DISSECT_YES;
}

/* The client's answer asks for TLS. */
static bool wants_tls(struct span s)
{
	return s.size >= 6 && s.data[3] == 1 && (uint32_t)s.data[5] << 8 & CAPABILITY_SSL && s.data[0] == 32;
}

enum dissect_answer dissect_mysql(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false, port = dissect_port(in, PORT_MYSQL);

	for (unsigned d = 2; d-- > 0;) {
		struct span s = in->stream[d], other = in->stream[!d];
		enum dissect_answer a = s.size ? greeting(s, port, &v->confidence) : DISSECT_NO;

		if (a == DISSECT_YES) {
			v->more = (!other.size || wants_tls(other)) && v->confidence > 0.9F && !tls_hello_within(in);
			return a;
		}
		/* Only who speaks first can greet. */
		more |= a == DISSECT_MORE && (!other.size || port);
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
