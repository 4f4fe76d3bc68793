/* SPDX-License-Identifier: Apache-2.0 */
/* SSDP: HTTP in datagrams (UPnP Device Architecture 2.0, section 1). */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"

#define PORT_SSDP 1900u
#define LINES     24u

/* A header line that only SSDP's answers have. */
static bool has_header(struct span s)
{
	for (unsigned i = 0; i < LINES && s.size; i++, s = text_next(s))
		if (text_starts(s, "ST:") || text_starts(s, "NT:") || text_starts(s, "USN:") || text_starts(s, "MAN:"))
			return true;
	return false;
}

enum dissect_answer dissect_ssdp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];

	if (SPAN_STARTS(s, "M-SEARCH * HTTP/1.") || SPAN_STARTS(s, "NOTIFY * HTTP/1."))
		return dissect_yes(v, dissect_port(in, PORT_SSDP) ? 0.98F : 0.93F);
	if (SPAN_STARTS(s, "HTTP/1.") && has_header(s))
		return dissect_yes(v, dissect_port(in, PORT_SSDP) ? 0.97F : 0.85F);
	return DISSECT_NO;
}
