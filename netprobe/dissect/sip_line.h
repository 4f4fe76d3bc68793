/* SPDX-License-Identifier: Apache-2.0 */
/* First lines in the manner of HTTP: "METHOD target NAME/2.0" or "NAME/2.0 200 …" (RFC 3261 section 7, RFC 7826 section 7). */
#pragma once

#include "netprobe/dissect/text.h"

#define START_LINE_MAX 2048u

enum start_line { START_LINE_NO, START_LINE_MORE, START_LINE_REQUEST, START_LINE_RESPONSE };

/* `version`: "SIP/2.0", …; methods end with "". *target is set for a request. */
static inline enum start_line start_line(struct span s, const char *version, const char *const *methods, struct span *target)
{
	size_t n = strlen(version), method, end;
	bool whole, known = false;
	struct span line;

	if (s.size && memcmp(s.data, version, s.size < n ? s.size : n) == 0) {
		if (s.size < n + 4)
			return START_LINE_MORE;
		return s.data[n] == ' ' && s.data[n + 1] >= '1' && s.data[n + 1] <= '6' && text_digit(s.data[n + 2]) &&
				       text_digit(s.data[n + 3])
			       ? START_LINE_RESPONSE
			       : START_LINE_NO;
	}
	for (method = 0; method < s.size && method < 20 && (text_upper(s.data[method]) || s.data[method] == '_'); method++)
		;
	for (; **methods && !known; methods++)
		known = strlen(*methods) >= method && memcmp(*methods, s.data, method) == 0 &&
			(method == s.size || strlen(*methods) == method);
	if (!known || (method < s.size && s.data[method] != ' '))
		return START_LINE_NO;
	line = text_line(s, &whole);
	if (!whole)
		return s.size < START_LINE_MAX && text_all_plain(line) ? START_LINE_MORE : START_LINE_NO;
	if (line.size < method + n + 3)
		return START_LINE_NO;
	end = line.size - n - 1;
	if (line.data[end] != ' ' || memcmp(line.data + end + 1, version, n) != 0)
		return START_LINE_NO;
	*target = (struct span){ line.data + method + 1, end - method - 1 };
	return START_LINE_REQUEST;
}
