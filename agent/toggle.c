/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/toggle.h"

#include <string.h>

#include "agent/metrics.h"
#include "lib/json.h"

static int event_file_on(struct agent *a, struct json_object *config, struct error *err)
{
	(void)err;
	sinks_assign_file(a, true, (off_t)json_number(config, "max_bytes"), (unsigned)json_number(config, "files"));
	return 0;
}

static void event_file_off(struct agent *a)
{
	sinks_assign_file(a, false, EVENT_FILE_BYTES, EVENT_FILES);
}

static const struct toggle toggles[] = {
	{ "event-file", event_file_on, event_file_off, sinks_unassign_file },
	{ "metrics", metrics_on, metrics_off, metrics_off },
};

const struct toggle *toggle_find(const char *id)
{
	for (size_t i = 0; i < sizeof(toggles) / sizeof(toggles[0]); i++)
		if (strcmp(toggles[i].id, id) == 0)
			return &toggles[i];
	return NULL;
}
