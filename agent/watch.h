/* SPDX-License-Identifier: Apache-2.0 */
/* Directories in which a change is worth a look at everything. */
#pragma once

#include <sys/types.h>
#include <systemd/sd-event.h>

struct watch {
	sd_event_source *source;
	dev_t dev;
	ino_t ino;
	sd_event_inotify_handler_t changed;
};

/* Watches the directory `path` below `rootfd`, or the nearest one above it that exists; nothing when the path is empty. 1 when it is
 * watched from now on and what happened in it before was not seen; 0 when it was already. A directory that cannot be watched is
 * logged; 0. `w` must not move while it is watched. */
int watch_dir(struct watch *w, sd_event *event, int rootfd, const char *path, sd_event_inotify_handler_t changed);

void watch_end(struct watch *w);
