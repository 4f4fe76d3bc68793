/* SPDX-License-Identifier: Apache-2.0 */
/* SIP over UDP and TCP: RFC 3261 section 7. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/sip_line.h"

static const char *const methods[] = { "INVITE", "ACK",     "BYE",  "CANCEL", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE",
				       "NOTIFY", "PUBLISH", "INFO", "REFER",  "MESSAGE", "UPDATE", "SERVICE", "BENOTIFY",   "" };

/* A method and the scheme behind it are SIP's, whatever became of the rest of the line. */
static bool scheme(struct span s)
{
	for (unsigned i = 0; *methods[i]; i++) {
		size_t n = strlen(methods[i]);

		if (span_starts(s, methods[i], n) && SPAN_STARTS(span_from(s, n), " sip:"))
			return true;
	}
	return false;
}

static enum start_line judge(struct span s)
{
	struct span target;
	enum start_line a;

	/* Empty lines keep a connection open (RFC 5626 section 3.5.1). */
	for (unsigned i = 0; i < 4 && s.size > 1 && s.data[0] == '\r' && s.data[1] == '\n'; i++)
		s = span_from(s, 2);
	if (!s.size)
		return START_LINE_MORE;
	a = start_line(s, "SIP/2.0", methods, &target);
	if (a != START_LINE_REQUEST)
		return a;
	return text_starts(target, "SIP:") || text_starts(target, "SIPS:") || text_starts(target, "TEL:") ||
			       text_starts(target, "URN:")
		       ? START_LINE_REQUEST
		       : START_LINE_NO;
}

enum dissect_answer dissect_sip_udp(const struct dissect_input *in, struct dissect_verdict *v)
{
	switch (judge(in->stream[in->direction])) {
	case START_LINE_REQUEST:
	case START_LINE_RESPONSE:
		return dissect_yes(v, 0.98F);
	default:
		return scheme(in->stream[in->direction]) ? dissect_yes(v, 0.75F) : DISSECT_NO;
	}
}

enum dissect_answer dissect_sip(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		enum start_line a = in->stream[d].size ? judge(in->stream[d]) : START_LINE_NO;

		if (a == START_LINE_REQUEST || a == START_LINE_RESPONSE)
			return dissect_yes(v, 0.98F);
		more |= a == START_LINE_MORE;
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
