/* SPDX-License-Identifier: Apache-2.0 */
/* DNS over UDP and TCP (RFC 1035 section 4.2), multicast DNS (RFC 6762), LLMNR (RFC 4795). The message has to be one to its
 * last byte; on another port than 53 it also has to ask for something that is asked for. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/dns_message.h"

#define PORT_DNS   53u
#define PORT_NBNS  137u
#define PORT_MDNS  5353u
#define PORT_LLMNR 5355u
#define HEADER     12u
#define OPCODE(f)  ((unsigned)(f) >> 11 & 15u)
#define RCODE(f)   ((unsigned)(f)&15u)
#define RESERVED   0x0040u

static bool known_type(uint16_t type)
{
	return (type >= 1 && type <= 65) || (type >= 99 && type <= 109) || (type >= 249 && type <= 262) || type == 32768 ||
	       type == 32769;
}

static bool known_class(uint16_t class)
{
	return class == 1 || class == 3 || class == 4 || class == 254 || class == 255;
}

/* A header alone, of a query or an answer without records: all that some servers send as an error. */
static bool bare_header(struct span s)
{
	static const uint8_t none[8] = { 0 };

	return s.size == HEADER && memcmp(s.data + 4, none, 8) == 0 && s.data[2] & 0x80 && RCODE(s.data[3]);
}

/* The certificate of a DNSCrypt server is asked for in the form of DNS on the port of DNSCrypt, which is what the flow is. */
static bool dnscrypt_certificate(const struct dns_message *m)
{
	static const char name[] = "\1"
				   "2"
				   "\15"
				   "dnscrypt-cert";

	return m->type == 16 && span_starts(m->name, name, sizeof(name) - 1);
}

/* One question, no more records than a datagram holds, no reserved bit. */
static bool plausible_header(struct span s)
{
	return s.size > HEADER && !(s.data[3] & RESERVED) && OPCODE(s.data[2] << 8) <= 5 && !s.data[4] && s.data[5] == 1 &&
	       !s.data[6] && !s.data[8] && !s.data[10];
}

/* `ok`: dns_message_read could read the whole of it. */
static float judge(const struct dns_message *m, bool ok, bool port)
{
	unsigned opcode = OPCODE(m->flags);

	if (opcode == 3 || opcode > 6)
		return 0;
	if (port) {
		if (ok && m->whole && known_type(m->type) && m->questions <= 1 && (m->response || !RCODE(m->flags)))
			return 0.98F;
		if (ok && m->questions <= 8 && (known_class(m->class) || m->whole))
			return 0.85F;
		/* Broken behind its first question, or behind the first half of the header of an ordinary query or answer. */
		if (m->first && known_class(m->class))
			return 0.65F;
		return !opcode && !(m->flags & RESERVED) && (m->response || !RCODE(m->flags)) && m->questions == 1 ? 0.55F : 0;
	}
	if (!ok || m->flags & RESERVED || opcode > 5 || m->questions != 1 || !m->printable || !m->whole ||
	    !known_type(m->type) || !known_class(m->class) || (!m->response && (m->answers || RCODE(m->flags))) ||
	    dnscrypt_certificate(m))
		return 0;
	return 0.85F;
}

enum dissect_answer dissect_dns(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	bool port = dissect_port(in, PORT_DNS), ok;
	struct dns_message m;
	float confidence;

	if (dissect_port(in, PORT_MDNS) || dissect_port(in, PORT_LLMNR) || dissect_port(in, PORT_NBNS))
		return DISSECT_NO;
	if (port && bare_header(s))
		return dissect_yes(v, 0.7F);
	/* Most of what is not DNS ends here. */
	if (!port && !plausible_header(s))
		return DISSECT_NO;
	ok = dns_message_read(s, in->missing, &m);
	confidence = judge(&m, ok, port);
	return confidence > 0 ? dissect_yes(v, confidence) : DISSECT_NO;
}

enum dissect_answer dissect_dns_tcp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool port = dissect_port(in, PORT_DNS), more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct cursor c = cursor_of(in->stream[d]);
		uint16_t length = cursor_be16(&c);
		struct dns_message m;
		float confidence;

		if (!in->stream[d].size)
			continue;
		if (c.failed) {
			more = true;
			continue;
		}
		if (length < HEADER || (c.left >= 4 && OPCODE(c.at[2] << 8) > 6))
			continue;
		if (c.left < length) {
			/* An answer of many segments: its first records tell as well. */
			if (port && c.left >= HEADER && dns_message_read((struct span){ c.at, c.left }, length - c.left, &m) &&
			    judge(&m, true, true) > 0)
				return dissect_yes(v, 0.85F);
			more |= port || length < 1024;
			continue;
		}
		if (!dns_message_read((struct span){ c.at, length }, 0, &m))
			continue;
		confidence = judge(&m, true, port);
		if (confidence > 0)
			return dissect_yes(v, confidence);
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}

enum dissect_answer dissect_mdns(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct dns_message m;

	if (!dissect_port(in, PORT_MDNS) || !dns_message_read(in->stream[in->direction], in->missing, &m) || OPCODE(m.flags))
		return DISSECT_NO;
	/* The top bit of the class asks for a unicast answer, or flushes caches (RFC 6762 sections 5.4 and 10.2). */
	return known_class(m.class & 0x7fff) ? dissect_yes(v, m.whole ? 0.97F : 0.85F) : DISSECT_NO;
}

enum dissect_answer dissect_llmnr(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct dns_message m;

	if (!dissect_port(in, PORT_LLMNR) || !dns_message_read(in->stream[in->direction], in->missing, &m) || OPCODE(m.flags) ||
	    m.questions != 1)
		return DISSECT_NO;
	return known_class(m.class) ? dissect_yes(v, m.whole ? 0.97F : 0.85F) : DISSECT_NO;
}
