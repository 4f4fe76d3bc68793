/* SPDX-License-Identifier: Apache-2.0 */
/* srctl listeners, srctl fingerprints: what the agent keeps, as a table. */
#include <stdlib.h>
#include <string.h>

#include "agent/srctl/srctl.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static void listener_row(struct json_object *o, void *unused)
{
	char comm[17], user[33], local[64], where[256];
	const char *container = text_at(o, "container_id");
	long holders = strtol(text_at(o, "socket_holders"), NULL, 10);

	(void)unused;
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
	return agent_table(s, "{\"request\":\"listeners\"}\n", "listener",
		    "PROCESS             PID USER         PROTOCOL LOCAL                      UNIT OR CONTAINER", listener_row);
}

static void fingerprint_row(struct json_object *o, void *unused)
{
	static const char *const kinds[] = { "ja4", "hassh", "hasshServer", "p0fSignature" };
	char ip[64], os[64], value[160], key[64];

	(void)unused;
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
	return agent_table(s, "{\"request\":\"fingerprints\"}\n", "fingerprint_event", "ADDRESS                                 SYSTEM                   EVIDENCE",
		    fingerprint_row);
}
