/* SPDX-License-Identifier: Apache-2.0 */
/* srctl listeners, srctl fingerprints: what the agent keeps, as a table. */
#include <stdlib.h>
#include <string.h>

#include "agent/srctl/srctl.h"
#include "lib/cleanup.h"
#include "lib/json.h"

/* Each line of the answer to one request; EXIT_*. */
static int each(struct srctl *s, const char *request, const char *type, const char *header, void (*row)(struct json_object *o))
{
	_cleanup_close_ int fd = agent_request(s, request);
	_cleanup_fclose_ FILE *in = fdopen_steal(&fd, "r");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!in)
		return EXIT_NO_AGENT;
	if (!s->json)
		puts(header);
	while ((n = getline(&line, &size, in)) > 0) {
		_cleanup_json_ struct json_object *o = NULL;
		char text[512];

		if (json_parse(line, (size_t)n, "agent.sock", &o, NULL) < 0)
			continue;
		if (strcmp(text_at(o, "type"), "error") == 0) {
			fprintf(stderr, "srctl: %s\n", printable(text_at(o, "message"), text, sizeof(text)));
			return EXIT_FAILED;
		}
		if (strcmp(text_at(o, "type"), type) != 0 || !wanted(s, o))
			continue;
		if (s->json)
			fputs(line, stdout);
		else
			row(o);
	}
	return EXIT_DONE;
}

static void listener_row(struct json_object *o)
{
	char comm[17], user[33], local[64], where[256];
	const char *container = text_at(o, "container_id");
	long holders = strtol(text_at(o, "socket_holders"), NULL, 10);

	endpoint(local, sizeof(local), text_at(o, "local_ip"), text_at(o, "local_port"));
	printf("%-15s %7s %-12.12s %-8s %-26s %.64s", printable(text_at(o, "comm"), comm, sizeof(comm)), text_at(o, "pid"),
	       user_name(o, user, sizeof(user)), text_at(o, "transport_protocol"), local,
	       printable(*container ? container : text_at(o, "systemd_unit"), where, sizeof(where)));
	if (holders > 1)
		printf(" (and %ld more)", holders - 1);
	putchar('\n');
}

int verb_listeners(struct srctl *s, const char *unused)
{
	(void)unused;
	return each(s, "{\"request\":\"listeners\"}\n", "listener",
		    "PROCESS             PID USER         PROTOCOL LOCAL                      UNIT OR CONTAINER", listener_row);
}

static void fingerprint_row(struct json_object *o)
{
	static const char *const kinds[] = { "ja4", "hassh", "hasshServer", "p0fSignature" };
	char ip[64], os[64], value[160], key[64];

	printf("%-39s %-24.24s", printable(text_at(o, "ip"), ip, sizeof(ip)), printable(text_at(o, "licenseClean.osMatch.name"), os, sizeof(os)));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(key, sizeof(key), "licenseClean.%s", kinds[i]);
		if (*text_at(o, key))
			printf(" %s=%s", kinds[i], printable(text_at(o, key), value, sizeof(value)));
	}
	putchar('\n');
}

int verb_fingerprints(struct srctl *s, const char *unused)
{
	(void)unused;
	return each(s, "{\"request\":\"fingerprints\"}\n", "fingerprint_event", "ADDRESS                                 SYSTEM                   EVIDENCE",
		    fingerprint_row);
}
