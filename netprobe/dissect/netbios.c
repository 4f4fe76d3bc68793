/* SPDX-License-Identifier: Apache-2.0 */
/* NetBIOS over TCP and UDP: names (RFC 1002 section 4.2), datagrams (4.4), sessions (4.3). */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/dns_message.h"

#define PORT_NAMES     137u
#define PORT_DATAGRAMS 138u
#define PORT_SESSIONS  139u
#define NAME_BYTES     32u /* half a byte in each: 'A' to 'P' (RFC 1001 section 14.1) */
#define DIRECT_UNIQUE  0x10u
#define QUERY_NEGATIVE 0x16u
#define ERROR          0x13u

static bool encoded_name(struct cursor *c)
{
	struct span name;

	if (cursor_u8(c) != NAME_BYTES)
		return false;
	name = cursor_span(c, NAME_BYTES);
	if (c->failed)
		return false;
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] < 'A' || name.data[i] > 'P')
			return false;
	return true;
}

static enum dissect_answer names(struct span s, size_t missing, struct dissect_verdict *v)
{
	struct cursor c = cursor_of(span_from(s, 12));
	struct dns_message m;
	bool encoded = encoded_name(&c), ok = dns_message_read(s, missing, &m);

	/* NB, NULL and NBSTAT of class IN. */
	if (ok && (m.type == 0x20 || m.type == 0x21 || m.type == 0x0a) && m.class == 1)
		return dissect_yes(v, encoded ? 0.98F : 0.75F);
	/* Broken, but for the name or the question. */
	return encoded || (m.first && m.class == 1 && m.type == 0x20) ? dissect_yes(v, 0.7F) : DISSECT_NO;
}

/* Type, flags, id, the sender's address and port; the direct ones have a length, an offset and two names. */
static enum dissect_answer datagrams(struct span s, struct dissect_verdict *v)
{
	struct cursor c = cursor_of(s);
	uint8_t type = cursor_u8(&c), flags = cursor_u8(&c);
	uint16_t port;

	cursor_skip(&c, 6);
	port = cursor_be16(&c);
	if (c.failed || type < DIRECT_UNIQUE || type > QUERY_NEGATIVE || flags & 0xf0)
		return DISSECT_NO;
	if (type == ERROR)
		return c.left == 1 && port == PORT_DATAGRAMS ? dissect_yes(v, 0.8F) : DISSECT_NO;
	if (type < ERROR)
		cursor_skip(&c, 4);
	if (encoded_name(&c))
		return dissect_yes(v, 0.97F);
	return port == PORT_DATAGRAMS ? dissect_yes(v, 0.7F) : DISSECT_NO;
}

enum dissect_answer dissect_netbios(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];

	if (dissect_port(in, PORT_NAMES))
		return names(s, in->missing, v);
	return dissect_port(in, PORT_DATAGRAMS) ? datagrams(s, v) : DISSECT_NO;
}

/* A session's request with the names of both ends, or its answers. */
enum dissect_answer dissect_netbios_tcp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct cursor c = cursor_of(in->stream[d]);
		uint8_t type = cursor_u8(&c);
		uint32_t length = cursor_be24(&c);

		if (!in->stream[d].size || type != 0x81 || (!c.failed && (length < 2 * (NAME_BYTES + 2) || length > 0xff)))
			continue;
		if (c.left < NAME_BYTES + 2) {
			more = true;
			continue;
		}
		if (!encoded_name(&c) || !(cursor_u8(&c) == 0 || dissect_port(in, PORT_SESSIONS)))
			continue;
		v->more = true; /* SMB will say more */
		return dissect_yes(v, 0.95F);
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
