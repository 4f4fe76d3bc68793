/* SPDX-License-Identifier: Apache-2.0 */
/* NTP and SNTP: RFC 5905 section 7.3; control messages (RFC 9327) on port 123. Elsewhere the times of an answer must agree. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define PORT_NTP     123u
#define HEADER       48u
#define MODE_CONTROL 6u
#define MODE_PRIVATE 7u
#define STRATUM_MAX  16u
#define YEAR_2000    3155673600u /* in seconds since 1900 */
#define DAY          86400u

static bool close_to(uint32_t a, uint32_t b)
{
	return a - b + DAY < 2 * DAY;
}

enum dissect_answer dissect_ntp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	struct cursor c = cursor_of(s);
	bool port = dissect_port(in, PORT_NTP);
	uint8_t first = cursor_u8(&c), stratum = cursor_u8(&c);
	uint8_t version = first >> 3 & 7, mode = first & 7;
	int8_t poll = (int8_t)cursor_u8(&c), precision = (int8_t)cursor_u8(&c);
	uint32_t origin, received, sent, reference;

	if (version < 1 || version > 4 || !mode)
		return DISSECT_NO;
	if (mode == MODE_CONTROL) {
		/* Offset and count of the data, padded to four bytes. */
		if (!port || s.size < 12)
			return DISSECT_NO;
		return (uint32_t)(s.data[10] << 8 | s.data[11]) <= s.size + in->missing - 12 ? dissect_yes(v, 0.85F)
											     : DISSECT_NO;
	}
	if (mode == MODE_PRIVATE)
		return port && s.size >= 8 && stratum < 0x80 ? dissect_yes(v, 0.7F) : DISSECT_NO;
	cursor_skip(&c, 12);
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
		return poll >= -6 && poll <= 36 && precision <= 0 ? dissect_yes(v, s.size == HEADER ? 0.97F : 0.9F)
								  : dissect_yes(v, 0.75F);
	if (c.failed || mode != 4 || !stratum || stratum == STRATUM_MAX || precision >= 0 || precision < -32 ||
	    sent < YEAR_2000)
		return DISSECT_NO;
	return close_to(received, sent) && (!origin || close_to(origin, sent) || origin < YEAR_2000) && reference <= sent
		       ? dissect_yes(v, 0.75F)
		       : DISSECT_NO;
}
