/* SPDX-License-Identifier: Apache-2.0 */
/* The spool of an add-on on a timer: what it has left is handed to the sinks, in the order of the names, at least once
 * (docs/addon.md, "Spool"). A file is claimed by a rename before it is opened, and put away when a sink has taken all of it. */
#pragma once

#include <systemd/sd-event.h>

#include "agent/backoff.h"
#include "agent/inbox_dir.h"
#include "agent/inbox_file.h"

struct addon;

struct inbox {
	struct addon *addon;
	bool open;
	struct inbox_dir dir;
	sd_event_source *watch, *work, *retry;
	struct inbox_names names;  /* still to be taken */
	size_t next;
	bool claimed;              /* they were taken before */
	struct inbox_file file;    /* that is being handed over */
	char name[INBOX_NAME_BYTES];
	unsigned resumed;          /* lines of it that a sink has; a sink that is down gets none twice */
	struct backoff backoff;
	uint64_t files, records, quarantined, deleted;
	size_t waiting;            /* files, at the last look */
	char error[512];           /* why nothing is taken, or what was set aside last */
};

/* Opens and watches it, or looks whether there is more; `wanted` false: closes it. Counters stay. */
void inbox_follow(struct addon *d, bool wanted);

/* The status object, docs/addon.md; the caller owns it. */
struct json_object *inbox_status(const struct inbox *s);

void inbox_free(struct inbox *s);
