/* SPDX-License-Identifier: Apache-2.0 */
/* srctl events: every event as it comes, until it is interrupted. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/srctl/srctl.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static const char *event_name(struct json_object *o)
{
	static const char *const names[] = { "", "connect", "accept", "close", "udp send", "udp receive", "state", "icmp send" };
	unsigned long kind = strtoul(text_at(o, "eventKind"), NULL, 10);

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "";
}

/* The time of day, here, with milliseconds. */
static const char *clock_of(struct json_object *o, char out[24])
{
	const char *text = text_at(o, "observedAtUnixNano");
	long long ns = strtoll(*text ? text : text_at(o, "lastSeenUnixNano"), NULL, 10);
	time_t s = ns ? (time_t)(ns / 1000000000) : time(NULL);
	char seconds[16];
	struct tm t;

	if (!localtime_r(&s, &t) || strftime(seconds, sizeof(seconds), "%H:%M:%S", &t) == 0)
		seconds[0] = '\0';
	(void)snprintf(out, 24, "%s.%03d", seconds, (int)(ns / 1000000 % 1000));
	return out;
}

static void who(struct json_object *o, char *out, size_t size)
{
	if (*text_at(o, "comm"))
		(void)snprintf(out, size, "%s[%s]", text_at(o, "comm"), text_at(o, "pid"));
	else
		(void)snprintf(out, size, "-");
}

static void ends(struct json_object *o, char *out, size_t size)
{
	bool local = *text_at(o, "localIp") || *text_at(o, "remoteIp");
	char one[64], other[64];

	endpoint(one, sizeof(one), text_at(o, local ? "localIp" : "sourceIp"), text_at(o, local ? "localPort" : "sourcePort"));
	endpoint(other, sizeof(other), text_at(o, local ? "remoteIp" : "destinationIp"), text_at(o, local ? "remotePort" : "destinationPort"));
	(void)snprintf(out, size, "%s %s %s", text_at(o, "transportProtocol"), one, other);
}

/* All of it is text of others, and made harmless at once. */
static void row(struct json_object *o)
{
	const char *type = text_at(o, "type");
	char at[24], process[64], flow[160], line[640], clean[640];

	who(o, process, sizeof(process));
	ends(o, flow, sizeof(flow));
	(void)clock_of(o, at);
	if (strcmp(type, "flow_attribution_event") == 0)
		(void)snprintf(line, sizeof(line), "%s %-12s %s %s", at, event_name(o), process, flow);
	else if (strcmp(type, "dpi_event") == 0)
		(void)snprintf(line, sizeof(line), "%s protocol     %s %s", at, text_at(o, "protocol"), flow);
	else if (strcmp(type, "flow_record") == 0)
		(void)snprintf(line, sizeof(line), "%s flow         %s %s %s, %s bytes out, %s in, %s", at, process, flow, text_at(o, "protocol"),
			       text_at(o, "bytesForward"), text_at(o, "bytesReverse"), text_at(o, "endReason"));
	else if (strcmp(type, "fingerprint_event") == 0)
		(void)snprintf(line, sizeof(line), "%s fingerprint  %s %s", at, text_at(o, "ip"), text_at(o, "licenseClean.osMatch.name"));
	else if (strcmp(type, "process_snapshot") == 0)
		(void)snprintf(line, sizeof(line), "%s listeners    %zu", at, json_object_array_length(json_object_object_get(o, "entries")));
	else
		(void)snprintf(line, sizeof(line), "%s %-12s %s", at, type, text_at(o, "addonId"));
	puts(printable(line, clean, sizeof(clean)));
}

int verb_events(struct srctl *s, const char *unused)
{
	_cleanup_close_ int fd = agent_request(s, "{\"request\":\"events\"}\n");
	_cleanup_fclose_ FILE *in = fdopen_steal(&fd, "r");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	(void)unused;
	if (!in)
		return EXIT_NO_AGENT;
	while ((n = getline(&line, &size, in)) > 0) {
		_cleanup_json_ struct json_object *o = NULL;
		char text[512];

		if (json_parse(line, (size_t)n, "agent.sock", &o, NULL) < 0)
			continue;
		if (strcmp(text_at(o, "type"), "error") == 0) {
			fprintf(stderr, "srctl: %s\n", printable(text_at(o, "message"), text, sizeof(text)));
			return EXIT_FAILED;
		}
		if (strcmp(text_at(o, "type"), "dropped") == 0) {
			fprintf(stderr, "srctl: %s events were missed\n", text_at(o, "count"));
			continue;
		}
		if (!wanted(s, o))
			continue;
		if (s->json)
			fputs(line, stdout);
		else
			row(o);
		if (fflush(stdout) != 0)
			return EXIT_DONE; /* nobody reads on */
	}
	return EXIT_NO_AGENT; /* it has gone */
}
