/* SPDX-License-Identifier: Apache-2.0 */
/* SMTP: RFC 5321, LMTP (RFC 2033). The client says EHLO, HELO or LHLO first. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"
#include "netprobe/dissect/tls_hello.h"

static const char *const hellos[] = { "EHLO", "HELO", "LHLO", "" };

static bool port_of_smtp(const struct dissect_input *in)
{
	return dissect_port(in, 25) || dissect_port(in, 587) || dissect_port(in, 465) || dissect_port(in, 2525);
}

enum dissect_answer dissect_smtp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool port = port_of_smtp(in), whole, hello;
	unsigned server = text_reply(in->stream[0]) ? 0 : 1, code;
	struct span client = in->stream[!server], reply = in->stream[server], line;

	code = text_reply(reply);
	if (reply.size >= 4 && !code)
		return DISSECT_NO;
	hello = client.size && text_command(client, hellos);
	if (client.size && !hello) {
		text_line(client, &whole);
		if (client.size >= 5 && !(port && code && whole && text_starts(client, "QUIT")))
			return DISSECT_NO;
	}
	line = text_line(reply, &whole);
	v->more = !tls_hello_within(in);
	if (hello && (code == 220 || code == 250))
		return dissect_yes(v, 0.98F);
	if (hello && (code || (!reply.size && (port || in->packets >= 2 || in->last))))
		return dissect_yes(v, 0.85F);
	if (code == 220 && whole && (text_holds(line, "SMTP") || text_holds(line, "LMTP")) && !text_holds(line, "FTP "))
		return dissect_yes(v, port ? 0.95F : 0.85F);
	if (port && whole && text_printable(line) &&
	    (code == 220 ? in->last || in->packets >= 2 : code == 421 || code == 554 || code == 521))
		return dissect_yes(v, 0.75F);
	v->more = false;
	return code || hello || client.size || reply.size ? DISSECT_MORE : DISSECT_NO;
}
