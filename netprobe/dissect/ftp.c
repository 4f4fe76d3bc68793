/* SPDX-License-Identifier: Apache-2.0 */
/* The control connection of FTP: RFC 959, RFC 2228 (AUTH), RFC 2389 (FEAT). Its greeting is that of SMTP as well, so the
 * client's first command, the greeting's words or the port have to tell. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"
#include "netprobe/dissect/tls_hello.h"

#define PORT_FTP      21u
#define PORT_IMPLICIT 990u

static const char *const commands[] = { "USER", "PASS", "FEAT", "SYST", "OPTS", "CLNT", "HOST", "AUTH", "PBSZ", "PROT", "PASV",
					"EPSV", "PORT", "EPRT", "TYPE", "CWD",  "CDUP", "PWD",  "XPWD", "LIST", "NLST", "MLSD",
					"MLST", "RETR", "STOR", "SIZE", "MDTM", "ACCT", "REST", "LANG", "STAT", "" };

/* The words of servers' greetings. */
static bool greets(struct span line)
{
	return (text_holds(line, "FTP") || text_holds(line, "FILEZILLA")) && !text_holds(line, "SMTP") &&
	       !text_holds(line, "MAIL");
}

/* A first reply that a server of FTP gives: a greeting, "wait", refusals, or the answers to a login (RFC 959 section 4.2.2). */
static bool opens(unsigned code)
{
	return code == 220 || code == 120 || code == 421 || code == 530 || code == 331 || code == 230;
}

enum dissect_answer dissect_ftp(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool port = dissect_port(in, PORT_FTP), whole = false, command = false;
	unsigned server = 1, code = 0;
	struct span line = { NULL, 0 }, client;

	/* Who replies is the server; without a SYN it may be either. */
	if (text_reply(in->stream[0]))
		server = 0;
	client = in->stream[!server];
	if (in->stream[server].size) {
		code = text_reply(in->stream[server]);
		if (!code)
			return in->stream[server].size < 4 ? DISSECT_MORE : DISSECT_NO;
		line = text_line(in->stream[server], &whole);
		if (!opens(code) || !text_printable(line))
			return DISSECT_NO;
	}
	if (client.size) {
		bool end;
		struct span first = text_line(client, &end);

		command = text_command(client, commands);
		/* "HELP" and other words that are not FTP's alone say nothing either way. */
		if (!command && (!text_printable(first) || (end && !(port && code == 220))))
			return DISSECT_NO;
	}
	v->more = !tls_hello_within(in);
	if (code == 220 && command)
		return dissect_yes(v, 0.97F);
	if (code == 220 && whole && greets(line) && !client.size)
		return dissect_yes(v, port ? 0.95F : 0.85F);
	if (code && command && port)
		return dissect_yes(v, 0.9F);
	/* Turned away; one side only was captured; nothing more will come. */
	if (port && whole && (code == 421 || code == 530) && !client.size)
		return dissect_yes(v, 0.75F);
	if (port && in->whole[command ? !server : server] && (command || (code && whole && !client.size)) &&
	    (in->packets >= 3 || in->last))
		return dissect_yes(v, 0.7F);
	v->more = false;
	return DISSECT_MORE;
}
