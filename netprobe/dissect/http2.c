/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 in clear text with prior knowledge: the client's preface (RFC 9113 section 3.4), or a server that begins with
 * SETTINGS (section 6.5) and goes on with frames. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define FRAME_HEADER 9u
#define FRAMES       4u

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* How many frames in a row begin as RFC 9113 section 4.1 says, up to FRAMES. */
static unsigned frames(struct span s)
{
	struct cursor c = cursor_of(s);
	unsigned n;

	for (n = 0; n < FRAMES && c.left >= FRAME_HEADER; n++) {
		uint32_t length = cursor_be24(&c);
		uint8_t type = cursor_u8(&c);
		uint8_t flags = cursor_u8(&c);
		uint32_t stream = cursor_be32(&c);

		if (length > 16384 || type > 9 || stream >> 31)
			return 0;
		/* The first is SETTINGS of stream 0, of six bytes each, and no acknowledgement. */
		if (n == 0 && (type != 4 || flags || stream || length % 6))
			return 0;
		/* SETTINGS, PING, GOAWAY are of the connection; HEADERS, DATA and others are not. */
		if ((type == 4 || type == 6 || type == 7) && stream)
			return 0;
		if ((type == 6 && length != 8) || (type == 8 && length != 4))
			return 0;
		if (c.left < length)
			return n + 1;
		cursor_skip(&c, length);
	}
	return n;
}

enum dissect_answer dissect_http2(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		size_t n = s.size < sizeof(preface) - 1 ? s.size : sizeof(preface) - 1;

		if (!n)
			continue;
		if (memcmp(s.data, preface, n) == 0) {
			if (n == sizeof(preface) - 1)
				return dissect_yes(v, 0.98F);
			more = true;
		} else if (frames(s) >= 2) {
			return dissect_yes(v, 0.85F);
		} else if (frames(s) == 1 || s.size < FRAME_HEADER) {
			more = true;
		}
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
