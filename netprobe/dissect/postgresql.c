/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's protocol 3: startup, and the requests for TLS, GSS and cancelling ("Message Formats" of its manual). */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/tls_hello.h"

#define PORT_POSTGRESQL 5432u
#define PROTOCOL_3      0x00030000u
#define CANCEL          80877102u
#define SSL_REQUEST     80877103u
#define GSS_REQUEST     80877104u
#define STARTUP_MAX     10000u

static enum dissect_answer startup(const struct dissect_input *in, struct span s, struct dissect_verdict *v)
{
	struct cursor c = cursor_of(s);
	uint32_t length = cursor_be32(&c), code = cursor_be32(&c);

	if (s.size < 8)
		return s.data[0] ? DISSECT_NO : DISSECT_MORE;
	if (length == 8 && (code == SSL_REQUEST || code == GSS_REQUEST)) {
		v->more = !tls_hello_within(in);
		return dissect_yes(v, 0.98F);
	}
	if (length == 16 && code == CANCEL)
		return dissect_yes(v, 0.97F);
	/* Names and values, each with a NUL, and one more NUL at the end. */
	if (code >> 16 != PROTOCOL_3 >> 16 || (code & 0xffff) > 2 || length < 9 || length > STARTUP_MAX)
		return DISSECT_NO;
	if (c.left < length - 8)
		return DISSECT_MORE;
	return c.at[length - 9] == 0 && c.at[0] >= 'a' && c.at[0] <= 'z' ? dissect_yes(v, 0.97F) : DISSECT_NO;
}

/* A server's request for authentication, when the client was not captured. */
static bool authentication(struct span s)
{
	struct cursor c = cursor_of(s);
	uint8_t type = cursor_u8(&c);
	uint32_t length = cursor_be32(&c), method = cursor_be32(&c);

	return !c.failed && type == 'R' && length >= 8 && length < 256 && method <= 12 && c.left >= length - 8;
}

enum dissect_answer dissect_postgresql(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		enum dissect_answer a = DISSECT_NO;

		if (!in->stream[d].size)
			continue;
		if (in->stream[d].data[0] == 0)
			a = startup(in, in->stream[d], v);
		else if (in->stream[d].data[0] == 'R' && dissect_port(in, PORT_POSTGRESQL) && authentication(in->stream[d]))
			return dissect_yes(v, 0.85F);
		if (a == DISSECT_YES)
			return a;
		more |= a == DISSECT_MORE;
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
