/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch.h"

#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/log.h"

#define CHANGES (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_DELETE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)

static int open_nearest(int rootfd, const char *path)
{
	_cleanup_free_ char *at = strdup(path);
	int fd = -1;

	while (at && *at && (fd = fs_open_dir(rootfd, at, false, NULL)) < 0)
		*strrchr(at, '/') = '\0';
	return fd;
}

void watch_end(struct watch *w)
{
	sd_event_source_disable_unref(w->source);
	*w = (struct watch){ NULL, 0, 0, NULL };
}

/* A directory that has gone is looked for again by its name: its inode may be another's by then. */
static int on_event(sd_event_source *s, const struct inotify_event *e, void *userdata)
{
	struct watch *w = userdata;

	if (e->mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
		w->ino = 0;
	return w->changed(s, e, NULL);
}

int watch_dir(struct watch *w, sd_event *event, int rootfd, const char *path, sd_event_inotify_handler_t changed)
{
	_cleanup_close_ int fd = open_nearest(rootfd, path);
	char name[64];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		watch_end(w);
		return 0;
	}
	if (w->source && w->dev == st.st_dev && w->ino == st.st_ino)
		return 0;
	watch_end(w);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (sd_event_add_inotify(event, &w->source, name, CHANGES, on_event, w) < 0) {
		log_warning("%s: cannot be watched; it is looked at once a minute", path);
		return 0;
	}
	w->dev = st.st_dev;
	w->ino = st.st_ino;
	w->changed = changed;
	return 1;
}
