/* SPDX-License-Identifier: Apache-2.0 */
/* TLS over TCP: records (RFC 8446 section 5.1), a ClientHello over one or many of them, the older hello in the form of SSL 2
 * (RFC 5246 appendix E.2), and TLS that begins within a text protocol. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"
#include "netprobe/dissect/tls_hello.h"

#define RECORD_HEADER    5u
#define HANDSHAKE_HEADER 4u
#define RECORD_MAX       (16384u + 2048)
#define HELLO_MAX        (32u * 1024)
#define RECORDS          64u
#define SSL2_HEADER      11u
#define TEXT_MAX         512u

enum { CHANGE_CIPHER_SPEC = 20, ALERT, HANDSHAKE, APPLICATION_DATA, HEARTBEAT };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11 };

struct record {
	uint8_t type;
	uint16_t version, length;
};

static bool record_header(struct cursor *c, struct record *r)
{
	r->type = cursor_u8(c);
	r->version = cursor_be16(c);
	r->length = cursor_be16(c);
	return !c->failed && r->type >= CHANGE_CIPHER_SPEC && r->type <= HEARTBEAT && r->version >= 0x0300 &&
	       r->version <= 0x0304 && r->length && r->length <= RECORD_MAX;
}

enum hello { HELLO_NO, HELLO_PART, HELLO_WHOLE };

/* A ClientHello at the front: *body is what follows its handshake header, in `copy` when it spans several records. */
static enum hello client_hello(struct span s, uint8_t copy[HELLO_MAX], struct span *body)
{
	struct cursor c = cursor_of(s);
	size_t used = 0, length = 0;

	for (unsigned i = 0; i < RECORDS; i++) {
		struct record r;
		struct span part;

		if (c.left < RECORD_HEADER)
			return HELLO_PART;
		if (!record_header(&c, &r) || r.type != HANDSHAKE)
			return HELLO_NO;
		if (i == 0 && r.length >= 6 && c.left >= 6) {
			length = (size_t)c.at[1] << 16 | (size_t)c.at[2] << 8 | c.at[3];
			if (c.at[0] != CLIENT_HELLO || length < 38 || length > HELLO_MAX - HANDSHAKE_HEADER || c.at[4] != 3 ||
			    c.at[5] > 4)
				return HELLO_NO;
			if (c.left >= HANDSHAKE_HEADER + length && r.length >= HANDSHAKE_HEADER + length) {
				*body = (struct span){ c.at + HANDSHAKE_HEADER, length };
				return HELLO_WHOLE;
			}
		}
		part = cursor_some(&c, r.length);
		if (used + part.size > HELLO_MAX)
			return HELLO_NO;
		memcpy(copy + used, part.data, part.size);
		used += part.size;
		if (used >= HANDSHAKE_HEADER && !length) {
			length = (size_t)copy[1] << 16 | (size_t)copy[2] << 8 | copy[3];
			if (copy[0] != CLIENT_HELLO || length < 38 || length > HELLO_MAX - HANDSHAKE_HEADER)
				return HELLO_NO;
		}
		if (length && used >= HANDSHAKE_HEADER + length) {
			*body = (struct span){ copy + HANDSHAKE_HEADER, length };
			return HELLO_WHOLE;
		}
		if (part.size < r.length)
			return HELLO_PART;
	}
	return HELLO_NO;
}

/* The hello of SSL 2 that offers TLS. */
static bool ssl2_hello(struct span s)
{
	struct cursor c = cursor_of(s);
	uint16_t length = cursor_be16(&c), version, ciphers, session, challenge;
	uint8_t type = cursor_u8(&c);

	version = cursor_be16(&c);
	ciphers = cursor_be16(&c);
	session = cursor_be16(&c);
	challenge = cursor_be16(&c);
	return !c.failed && length & 0x8000 && type == CLIENT_HELLO &&
	       (version == 0x0002 || (version >= 0x0300 && version <= 0x0303)) && ciphers && ciphers % 3 == 0 &&
	       (session == 0 || session == 16) && challenge >= 16 && challenge <= 32 &&
	       (length & 0x7fff) == 9 + ciphers + session + challenge;
}

static bool port_of_tls(const struct dissect_input *in)
{
	static const uint16_t ports[] = { 443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 5061, 5223, 8443 };

	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (dissect_port(in, ports[i]))
			return true;
	return false;
}

/* Records in a row from the front. *exact: the last of them ends where the stream ends. */
static unsigned records(struct span s, bool *exact, struct record *first)
{
	struct cursor c = cursor_of(s);
	unsigned n = 0;

	*exact = false;
	while (n < RECORDS && c.left >= RECORD_HEADER) {
		struct record r;

		if (!record_header(&c, &r) || (n && r.version != first->version && r.version != 0x0303 && r.version != 0x0301))
			return 0;
		if (!n)
			*first = r;
		n++;
		if (r.type == CHANGE_CIPHER_SPEC && (r.length != 1 || (c.left && c.at[0] != 1)))
			return 0;
		if (r.type == ALERT && r.length != 2 && r.length < 16)
			return 0;
		if (r.type == ALERT && r.length == 2 && c.left && c.at[0] != 1 && c.at[0] != 2)
			return 0;
		if (c.left < r.length)
			return n;
		cursor_skip(&c, r.length);
	}
	*exact = !c.left;
	return n;
}

/* A stream that begins with a record which is no ClientHello: a server's, or one that is older than the capture. */
static enum dissect_answer other_record(const struct dissect_input *in, struct span s, struct dissect_verdict *v)
{
	struct record first;
	bool exact;
	unsigned n;

	if (s.size < RECORD_HEADER)
		return s.data[0] >= CHANGE_CIPHER_SPEC && s.data[0] <= HEARTBEAT && (s.size < 2 || s.data[1] == 3)
			       ? DISSECT_MORE
			       : DISSECT_NO;
	n = records(s, &exact, &first);
	if (!n)
		return DISSECT_NO;
	if (first.type == HANDSHAKE && s.size >= 11 && s.data[5] == SERVER_HELLO && s.data[6] == 0 && s.data[9] == 3 &&
	    s.data[10] <= 4)
		return dissect_yes(v, 0.96F);
	if (n >= 3 || (n == 2 && exact))
		return dissect_yes(v, 0.88F);
	if (first.type == APPLICATION_DATA && first.length < 16)
		return DISSECT_NO;
	if (port_of_tls(in) && first.version >= 0x0301 && first.version <= 0x0303)
		return dissect_yes(v, exact || n == 2 ? 0.8F : 0.65F);
	if (exact || n == 2)
		return dissect_yes(v, 0.7F);
	return DISSECT_MORE;
}

static enum dissect_answer hand_out(const struct dissect_input *in, struct span s, struct dissect_verdict *v)
{
	uint8_t copy[HELLO_MAX];
	struct span body;

	switch (client_hello(s, copy, &body)) {
	case HELLO_NO:
		return DISSECT_NO;
	case HELLO_PART:
		if (s.size < RECORD_HEADER + 6)
			return DISSECT_MORE;
		v->more = true;
		return dissect_yes(v, 0.9F);
	case HELLO_WHOLE:
		dissect_handout(in, HANDOUT_CLIENT_HELLO_TLS, body);
		return dissect_yes(v, tls_client_hello_valid(body, false) ? 0.99F : 0.7F);
	}
	return DISSECT_NO;
}

/* The first ClientHello behind the beginning of a stream. */
static enum dissect_answer within(const struct dissect_input *in, struct dissect_verdict *v)
{
	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];

		for (unsigned tries = 0; tries < 16 && s.size; tries++) {
			const uint8_t *at = memchr(s.data, HANDSHAKE, s.size);
			struct span from;

			if (!at)
				break;
			from = span_from(s, (size_t)(at - s.data));
			if (from.size >= RECORD_HEADER + 6 && hand_out(in, from, v) == DISSECT_YES)
				return DISSECT_YES;
			s = span_from(from, 1);
		}
	}
	return DISSECT_NO;
}

bool tls_hello_within(const struct dissect_input *in)
{
	struct dissect_verdict v = { 0 };

	return *in->handed & 1u << HANDOUT_CLIENT_HELLO_TLS || (within(in, &v) == DISSECT_YES && !v.more);
}

/* Text at the front: STARTTLS of IMAP, POP3, XMPP and others can follow. */
static bool is_text(struct span s)
{
	if (s.size > TEXT_MAX)
		s.size = TEXT_MAX;
	for (size_t i = 0; i < s.size; i++) {
		if (s.data[i] == HANDSHAKE)
			return i > 0;
		if (!text_plain(s.data[i]) && s.data[i] != '\r' && s.data[i] != '\n')
			return false;
	}
	return s.size > 0;
}

/* The server's answer can be there before the hello is whole when segments come out of order. */
static bool hello_may_come(const struct dissect_input *in, struct span client)
{
	struct dissect_verdict v = { 0 };

	if (*in->handed & 1u << HANDOUT_CLIENT_HELLO_TLS)
		return false;
	return !client.size || (client.data[0] == HANDSHAKE && hand_out(in, client, &v) == DISSECT_YES && v.more);
}

/* A client's greeting of SOCKS 4 or 5 (RFC 1928 section 3). TLS within it is handed out, but the flow is SOCKS. */
static bool is_socks(struct span s)
{
	return s.size >= 3 && (s.data[0] == 5 ? s.data[1] && s.data[1] <= 8 && s.size >= 2u + s.data[1]
					      : s.data[0] == 4 && s.data[1] == 1 && s.size >= 9);
}

enum dissect_answer dissect_tls(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	if (is_socks(in->stream[0]))
		return tls_hello_within(in) ? DISSECT_NO : DISSECT_MORE;
	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		enum dissect_answer a;

		if (!s.size)
			continue;
		a = s.data[0] == HANDSHAKE ? hand_out(in, s, v) : DISSECT_NO;
		if (a == DISSECT_NO && s.data[0] & 0x80) {
			if (ssl2_hello(s))
				return dissect_yes(v, 0.93F);
			more |= s.size < SSL2_HEADER && (s.size < 3 || s.data[2] == CLIENT_HELLO);
		}
		if (a == DISSECT_NO && s.data[0] < 0x20)
			a = other_record(in, s, v);
		if (a == DISSECT_YES) {
			v->more |= s.data[0] == HANDSHAKE && hello_may_come(in, in->stream[!d]);
			return a;
		}
		more |= a == DISSECT_MORE;
		if (a == DISSECT_NO && is_text(s)) {
			if (within(in, v) == DISSECT_YES) {
				v->confidence = 0.9F;
				return DISSECT_YES;
			}
			more = true;
		}
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
