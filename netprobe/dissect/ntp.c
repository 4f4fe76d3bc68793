/* SPDX-License-Identifier: Apache-2.0 */
/* NTP and SNTP: RFC 5905 section 7.3; control messages (RFC 9327) on port 123. Elsewhere the times of an answer must agree. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define PORT_NTP          123u
#define HEADER            48u
#define MODE_CONTROL      6u
#define MODE_PRIVATE      7u
#define STRATUM_MAX       16u
#define YEAR_2000         3155673600u /* in seconds since 1900 */
#define DAY               86400u
#define CONTROL_MAX       480u
#define AUTHENTICATOR_MAX 96u
#define PRIVATE_ITEM_MAX  500u

static bool close_to(uint32_t a, uint32_t b)
{
	return a - b + DAY < 2 * DAY;
}

/* Offset and count of the data, which is padded to four bytes; an authenticator may follow. */
static bool control(struct span s, size_t missing)
{
	struct cursor c = cursor_of(span_from(s, 10));
	size_t count = cursor_be16(&c), size = s.size + missing;

	return !c.failed && count <= CONTROL_MAX && size >= 12 + count && size <= 12 + count + 3 + AUTHENTICATOR_MAX;
}

/* Of ntpd: implementation, request, error and count of items, their size. */
static bool private(struct span s)
{
	struct cursor c = cursor_of(span_from(s, 2));
	uint8_t implementation = cursor_u8(&c);
	uint16_t items, item;

	cursor_skip(&c, 1);
	items = cursor_be16(&c);
	item = cursor_be16(&c);
	return !c.failed && (implementation == 0 || implementation == 2 || implementation == 3) && items >> 12 <= 7 &&
	       item >> 12 == 0 && (item & 0xfff) <= PRIVATE_ITEM_MAX;
}

/* Seconds in the upper half: less than four minutes; old servers give a delay below zero. */
static bool plausible(uint32_t delay, uint32_t dispersion)
{
	return (delay >> 24 == 0 || delay >> 24 == 0xff) && dispersion >> 24 == 0;
}

enum dissect_answer dissect_ntp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	struct cursor c = cursor_of(s);
	bool port = dissect_port(in, PORT_NTP);
	uint8_t first = cursor_u8(&c), stratum = cursor_u8(&c);
	uint8_t version = first >> 3 & 7, mode = first & 7;
	int8_t poll = (int8_t)cursor_u8(&c), precision = (int8_t)cursor_u8(&c);
	uint32_t delay, dispersion, origin, received, sent, reference;

	if (version < 1 || version > 4 || !mode)
		return DISSECT_NO;
	if (mode == MODE_CONTROL)
		return port && control(s, in->missing) ? dissect_yes(v, 0.85F) : DISSECT_NO;
	if (mode == MODE_PRIVATE)
		return port && private(s) ? dissect_yes(v, 0.7F) : DISSECT_NO;
	delay = cursor_be32(&c);
	dispersion = cursor_be32(&c);
	cursor_skip(&c, 4);
	reference = cursor_be32(&c);
	cursor_skip(&c, 4);
	origin = cursor_be32(&c);
	cursor_skip(&c, 4);
	received = cursor_be32(&c);
	cursor_skip(&c, 4);
	sent = cursor_be32(&c);
	if (s.size + in->missing < HEADER || (s.size - HEADER) % 4 || stratum > STRATUM_MAX)
		return DISSECT_NO;
	if (port)
		return plausible(delay, dispersion) && poll >= -6 && poll <= 36 && precision <= 0
			       ? dissect_yes(v, s.size == HEADER ? 0.97F : 0.9F)
			       : DISSECT_NO;
	if (c.failed || mode != 4 || !stratum || stratum == STRATUM_MAX || precision >= 0 || precision < -32 ||
	    sent < YEAR_2000)
		return DISSECT_NO;
	return close_to(received, sent) && (!origin || close_to(origin, sent) || origin < YEAR_2000) && reference <= sent
		       ? dissect_yes(v, 0.75F)
		       : DISSECT_NO;
}
