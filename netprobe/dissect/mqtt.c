/* SPDX-License-Identifier: Apache-2.0 */
/* MQTT 3.1, 3.1.1 and 5.0: the client's CONNECT tells (MQTT 5.0 section 3.1). A stream that is older than the capture is
 * known by what both sides say in turn. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define PORT_MQTT     1883u
#define PACKETS_MAX   8u
#define REMAINING_MAX (1u << 20)

enum {
	CONNECT = 1,
	CONNACK,
	PUBLISH,
	PUBACK,
	PUBREC,
	PUBREL,
	PUBCOMP,
	SUBSCRIBE,
	SUBACK,
	UNSUBSCRIBE,
	UNSUBACK,
	PINGREQ,
	PINGRESP,
	DISCONNECT,
	AUTH
};

/* Section 1.5.5: up to four bytes of seven bits. False when it is none or not there. */
static bool remaining_length(struct cursor *c, uint32_t *length)
{
	*length = 0;
	for (unsigned i = 0; i < 4; i++) {
		uint8_t b = cursor_u8(c);

		*length |= (uint32_t)(b & 0x7f) << 7 * i;
		if (!(b & 0x80))
			return !c->failed;
	}
	return false;
}

static enum dissect_answer connect_packet(struct span s)
{
	struct cursor c = cursor_of(s);
	uint32_t length;
	struct span name;
	uint8_t level, flags;

	cursor_skip(&c, 1);
	if (!remaining_length(&c, &length))
		return s.size < 5 ? DISSECT_MORE : DISSECT_NO;
	name = cursor_span(&c, cursor_be16(&c));
	level = cursor_u8(&c) & 0x7f; /* bridges set the top bit */
	flags = cursor_u8(&c);
	if (c.failed)
		return s.size < 16 && (s.size < 4 || s.data[2] == 0 || s.data[3] == 0) ? DISSECT_MORE : DISSECT_NO;
	if (length < 10 || flags & 1)
		return DISSECT_NO;
	if (SPAN_STARTS(name, "MQTT") && name.size == 4)
		return level >= 4 && level <= 5 ? DISSECT_YES : DISSECT_NO;
	return SPAN_STARTS(name, "MQIsdp") && name.size == 6 && level == 3 ? DISSECT_YES : DISSECT_NO;
}

/* A topic's name: no wildcards, no control characters (section 4.7). */
static bool topic(struct span t)
{
	for (size_t i = 0; i < t.size; i++)
		if (t.data[i] < 0x20 || t.data[i] == '+' || t.data[i] == '#' || t.data[i] == 0x7f)
			return false;
	return t.size > 0;
}

/* Whether a packet's first byte and content fit each other. */
static bool packet_fits(uint8_t first, uint32_t length, struct span body)
{
	struct cursor c = cursor_of(body);
	uint8_t flags = first & 0x0f;

	switch (first >> 4) {
	case CONNACK:
		return !flags && length >= 2 && length < 1024 && body.size >= 2 && body.data[0] <= 1 &&
		       (length > 2 || body.data[1] <= 5);
	case PUBLISH:
		return (flags & 6) != 6 && length >= 3 && topic(cursor_span(&c, cursor_be16(&c))) && !c.failed;
	case PUBACK:
	case PUBREC:
	case PUBCOMP:
		return !flags && length >= 2 && length < 256;
	case PUBREL:
		return flags == 2 && length >= 2 && length < 256;
	case SUBSCRIBE:
	case UNSUBSCRIBE:
		return flags == 2 && length >= 5 && body.size >= 5;
	case SUBACK:
	case UNSUBACK:
		return !flags && length >= 2 && length < 1024;
	case PINGREQ:
	case PINGRESP:
		return !flags && !length;
	case DISCONNECT:
		return !flags && length < 256;
	default:
		return false;
	}
}

/* Packets in a row, up to PACKETS_MAX, that fill the stream but for the last. 0 when something does not fit. */
static unsigned packets(struct span s, uint16_t *kinds)
{
	struct cursor c = cursor_of(s);
	unsigned n;

	*kinds = 0;
	for (n = 0; n < PACKETS_MAX && c.left >= 2; n++) {
		uint8_t first = cursor_u8(&c);
		struct span body;
		uint32_t length;

		if (!remaining_length(&c, &length) || length > REMAINING_MAX)
			return 0;
		body = cursor_some(&c, length);
		/* Only messages are so long that their end may be missing. */
		if ((body.size < length && first >> 4 != PUBLISH) || !packet_fits(first, length, body))
			return 0;
		*kinds = (uint16_t)(*kinds | 1u << (first >> 4));
	}
	return n;
}

#define KIND(k) (1u << (k))

enum dissect_answer dissect_mqtt(const struct dissect_input *in, struct dissect_verdict *v)
{
	uint16_t kinds[2] = { 0, 0 };
	unsigned n[2] = { 0, 0 };
	bool port = dissect_port(in, PORT_MQTT);

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];

		if (!s.size)
			continue;
		if (s.data[0] == CONNECT << 4) {
			enum dissect_answer a = connect_packet(s);

			return a == DISSECT_YES ? dissect_yes(v, 0.98F) : a;
		}
		/* A connection whose beginning was seen begins so. */
		if (in->whole[d] && (d == 0 || s.data[0] >> 4 != CONNACK))
			return DISSECT_NO;
		n[d] = packets(s, &kinds[d]);
		if (!n[d] && s.size >= 2)
			return DISSECT_NO;
	}
	for (unsigned d = 0; d < 2; d++) {
		/* Questions with their answers on the other side. */
		if ((kinds[d] & KIND(PINGREQ) && kinds[!d] & KIND(PINGRESP)) ||
		    (kinds[d] & KIND(SUBSCRIBE) && kinds[!d] & KIND(SUBACK)) ||
		    (kinds[d] & KIND(PUBLISH) && kinds[!d] & KIND(PUBACK)))
			return dissect_yes(v, port ? 0.9F : 0.75F);
	}
	if (port && kinds[1] & KIND(CONNACK) && in->whole[1])
		return dissect_yes(v, 0.85F);
	return port && n[0] + n[1] >= 2 ? dissect_yes(v, 0.7F) : DISSECT_MORE;
}
