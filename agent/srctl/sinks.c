/* SPDX-License-Identifier: Apache-2.0 */
/* srctl sinks: where events go. */
#include "agent/srctl/srctl.h"

static void row(struct json_object *o, void *unused)
{
	char name[64], error[256];

	(void)unused;
	printf("%-24s %-5s %12s %12s %10s %10s %s\n", printable(text_at(o, "name"), name, sizeof(name)),
	       json_object_get_boolean(json_object_object_get(o, "connected")) ? "up" : "down", text_at(o, "delivered"),
	       text_at(o, "waiting_bytes"), text_at(o, "dropped"), text_at(o, "refused"), printable(text_at(o, "error"), error, sizeof(error)));
}

int verb_sinks(struct srctl *s, const char *unused)
{
	(void)unused;
	return agent_table(s, "{\"request\":\"sinks\"}\n", "sink",
			   "SINK                     STATE    DELIVERED  WAITS BYTES    DROPPED    REFUSED ERROR", row);
}
