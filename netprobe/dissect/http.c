/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.x: RFC 9112 sections 3 and 4. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"
#include "netprobe/dissect/tls_hello.h"

#define METHOD_MAX 24u
#define TARGET_MAX 8192u

static const char *const methods[] = {
	"GET",       "POST",        "HEAD",         "PUT",          "DELETE",     "OPTIONS",
	"CONNECT",   "TRACE",       "PATCH",        "PROPFIND",     "PROPPATCH",  "MKCOL",
	"COPY",      "MOVE",        "LOCK",         "UNLOCK",       "SEARCH",     "REPORT",
	"SUBSCRIBE", "UNSUBSCRIBE", "NOTIFY",       "CHECKOUT",     "MKACTIVITY", "MERGE",
	"PURGE",     "RPC_IN_DATA", "RPC_OUT_DATA", "BITS_POST",    "CCM_POST",   "SSTP_DUPLEX_POST",
	"LINK",      "UNLINK",      "BIND",         "ACL",          "MKCALENDAR", "VERSION-CONTROL",
	"SOURCE",    "QUERY",       "RDG_IN_DATA",  "RDG_OUT_DATA",
};

/* The length of the method at the front, 0 when there is none, METHOD_MAX when it can become one. */
static size_t method(struct span s)
{
	size_t n = 0;

	while (n < s.size && n < METHOD_MAX && s.data[n] > 0x20 && s.data[n] < 0x7f)
		n++;
	if (n == METHOD_MAX || (n < s.size && s.data[n] != ' '))
		return 0;
	for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		size_t length = strlen(methods[i]);

		if (n < s.size ? length == n && memcmp(methods[i], s.data, n) == 0
			       : length >= n && memcmp(methods[i], s.data, n) == 0)
			return n < s.size ? n : METHOD_MAX;
	}
	return 0;
}

/* "HTTP/1.x", or its beginning when the span ends within it. */
static enum dissect_answer version(struct span s)
{
	static const char name[] = "HTTP/1.";
	size_t n = s.size < sizeof(name) - 1 ? s.size : sizeof(name) - 1;

	if (memcmp(s.data, name, n) != 0)
		return DISSECT_NO;
	if (s.size < sizeof(name))
		return DISSECT_MORE;
	return text_digit(s.data[sizeof(name) - 1]) ? DISSECT_YES : DISSECT_NO;
}

static enum dissect_answer request(struct span s)
{
	size_t n = method(s), target;
	struct span rest;

	if (!n)
		return DISSECT_NO;
	if (n == METHOD_MAX)
		return DISSECT_MORE;
	rest = span_from(s, n + 1);
	for (target = 0; target < rest.size && rest.data[target] > 0x20 && rest.data[target] != 0x7f; target++)
		;
	if (target == rest.size)
		return target > TARGET_MAX ? DISSECT_NO : DISSECT_MORE;
	if (!target)
		return DISSECT_NO;
	/* Some clients send blanks in the target: the version at the line's end decides. */
	if (rest.data[target] != ' ')
		return DISSECT_NO;
	for (unsigned blanks = 0; blanks < 64; blanks++) {
		enum dissect_answer a;

		rest = span_from(rest, target + 1);
		if (!rest.size)
			return DISSECT_MORE;
		a = version(rest);
		if (a != DISSECT_NO)
			return a;
		for (target = 0; target < rest.size && rest.data[target] >= 0x21 && rest.data[target] != 0x7f; target++)
			;
		if (target == rest.size)
			return DISSECT_MORE;
		if (rest.data[target] != ' ')
			return DISSECT_NO;
	}
	return DISSECT_NO;
}

static enum dissect_answer response(struct span s)
{
	enum dissect_answer a = version(s);

	if (a != DISSECT_YES)
		return a;
	if (s.size < 12)
		return DISSECT_MORE;
	return s.data[8] == ' ' && s.data[9] >= '1' && s.data[9] <= '9' && text_digit(s.data[10]) && text_digit(s.data[11])
		       ? DISSECT_YES
		       : DISSECT_NO;
}

enum dissect_answer dissect_http(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		enum dissect_answer a;

		if (!s.size)
			continue;
		/* An empty line before a request is to be passed over (RFC 9112 section 2.2). */
		if (SPAN_STARTS(s, "\r\n"))
			s = span_from(s, 2);
		if (!s.size)
			return DISSECT_MORE;
		a = s.data[0] == 'H' && s.size > 1 && s.data[1] == 'T' ? response(s) : request(s);
		if (a == DISSECT_YES) {
			if (SPAN_STARTS(s, "CONNECT "))
				v->more = !tls_hello_within(in);
			return dissect_yes(v, in->whole[d] ? 0.97F : 0.92F);
		}
		more |= a == DISSECT_MORE;
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
