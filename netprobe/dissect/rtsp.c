/* SPDX-License-Identifier: Apache-2.0 */
/* RTSP 1.0 and 2.0: RFC 2326 section 6, RFC 7826 section 7. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/sip_line.h"

static const char *const methods[] = { "OPTIONS",  "DESCRIBE",      "ANNOUNCE",      "SETUP",    "PLAY",   "PAUSE",
				       "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER", "REDIRECT", "RECORD", "PLAY_NOTIFY",
				       "" };
static const char *const versions[] = { "RTSP/1.0", "RTSP/2.0" };

enum dissect_answer dissect_rtsp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		for (unsigned i = 0; i < 2 && in->stream[d].size; i++) {
			struct span target;

			switch (start_line(in->stream[d], versions[i], methods, &target)) {
			case START_LINE_REQUEST:
			case START_LINE_RESPONSE:
				return dissect_yes(v, 0.98F);
			case START_LINE_MORE:
				more = true;
				break;
			case START_LINE_NO:
				break;
			}
		}
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
