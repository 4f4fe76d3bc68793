/* SPDX-License-Identifier: Apache-2.0 */
/* srctl events: every event as it comes, until it is interrupted. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/srctl/srctl.h"

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
static void row(struct json_object *o, void *unused)
{
	const char *type = text_at(o, "type");
	char at[24], process[64], flow[160], line[640], clean[640];

	(void)unused;
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
	int r = agent_stream(s, "{\"request\":\"events\"}\n", NULL, row, NULL);

	(void)unused;
	return r == EXIT_DONE ? EXIT_NO_AGENT : r; /* it has gone */
}
