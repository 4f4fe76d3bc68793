/* SPDX-License-Identifier: Apache-2.0 */
/* SMB 1, 2 and 3 behind the header of a NetBIOS session or of direct hosting ([MS-SMB2] section 2.1; RFC 1002 section 4.3). */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define SESSION_MESSAGE  0x00u
#define SESSION_REQUEST  0x81u
#define SESSION_POSITIVE 0x82u
#define LENGTH_MAX       (1u << 24)

static enum dissect_answer message(struct span s)
{
	struct cursor c = cursor_of(s);
	uint8_t type = cursor_u8(&c), magic;
	uint32_t length = cursor_be24(&c);

	if (type == SESSION_REQUEST || type == SESSION_POSITIVE) {
		if (length > 0xff)
			return DISSECT_NO;
		cursor_skip(&c, length);
		if (!c.left)
			return DISSECT_MORE;
		type = cursor_u8(&c);
		length = cursor_be24(&c);
	}
	if (type != SESSION_MESSAGE)
		return DISSECT_NO;
	magic = cursor_u8(&c);
	if (c.failed)
		return DISSECT_MORE;
	if (length < 32 || length >= LENGTH_MAX || magic < 0xfc)
		return DISSECT_NO;
	if (c.left < 3)
		return DISSECT_MORE;
	return memcmp(c.at, "SMB", 3) == 0 ? DISSECT_YES : DISSECT_NO;
}

enum dissect_answer dissect_smb(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		enum dissect_answer a = in->stream[d].size ? message(in->stream[d]) : DISSECT_NO;

		if (a == DISSECT_YES)
			return dissect_yes(v, 0.98F);
		more |= a == DISSECT_MORE;
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
