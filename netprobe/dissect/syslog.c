/* SPDX-License-Identifier: Apache-2.0 */
/* Syslog: RFC 3164 section 4.1, RFC 5424 section 6; over TCP RFC 6587, with or without a count in front. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"

#define PORT_SYSLOG  514u
#define PRIORITY_MAX 191u

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* "<n>": 0 when there is none, else its length. */
static size_t priority(struct span s)
{
	unsigned value = 0;
	size_t i;

	if (!s.size || s.data[0] != '<')
		return 0;
	for (i = 1; i < 4 && i < s.size && text_digit(s.data[i]); i++)
		value = value * 10 + (unsigned)(s.data[i] - '0');
	return i > 1 && i < s.size && s.data[i] == '>' && value <= PRIORITY_MAX ? i + 1 : 0;
}

/* "Mmm dd hh:mm:ss", in some devices behind a count or a blank, or the version and time of RFC 5424. */
static bool has_time(struct span s)
{
	if (s.size >= 15 && s.data[3] == ' ' && s.data[6] == ' ' && s.data[9] == ':' && s.data[12] == ':')
		for (unsigned i = 0; i < 12; i++)
			if (memcmp(s.data, months + 3u * i, 3) == 0)
				return true;
	if (s.size >= 4 && s.data[0] == '1' && s.data[1] == ' ' && s.data[2] == '-' && s.data[3] == ' ')
		return true;
	return s.size >= 14 && s.data[0] == '1' && s.data[1] == ' ' && text_digit(s.data[2]) && text_digit(s.data[5]) &&
	       s.data[6] == '-' && s.data[9] == '-' && s.data[12] == 'T';
}

static enum dissect_answer judge(const struct dissect_input *in, struct span s, struct dissect_verdict *v)
{
	size_t n = priority(s);
	bool port = dissect_port(in, PORT_SYSLOG);
	struct span text, line;
	bool whole;

	if (!n)
		return DISSECT_NO;
	text = span_from(s, n);
	if (has_time(text) || has_time(span_from(text, 1)))
		return dissect_yes(v, port ? 0.97F : 0.9F);
	if (!port || text.size < 4)
		return DISSECT_NO;
	line = text_line(text, &whole);
	/* UTF-8 may be in the text, control characters not. */
	for (size_t i = 0; i < line.size && i < 64; i++)
		if (line.data[i] < 0x20 && line.data[i] != '\t' && line.data[i] != 0)
			return DISSECT_NO;
	return dissect_yes(v, 0.8F);
}

enum dissect_answer dissect_syslog(const struct dissect_input *in, struct dissect_verdict *v)
{
	return judge(in, in->stream[in->direction], v);
}

enum dissect_answer dissect_syslog_tcp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		size_t count = 0;

		if (!s.size)
			continue;
		while (count < 6 && count < s.size && text_digit(s.data[count]))
			count++;
		if (count)
			s = count < s.size && s.data[count] == ' ' ? span_from(s, count + 1) : (struct span){ NULL, 0 };
		if (judge(in, s, v) == DISSECT_YES)
			return DISSECT_YES;
		more |= in->stream[d].size < 32 && (priority(s) || s.size < 6);
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
