/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/diskqueue.h"
#include "lib/fs.h"
#include "lib/paths.h"

int sink_kind_parse(const char *s, enum sink_kind *out)
{
	static const char *const names[] = { "file", "journal", "none" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(s, names[i])) {
			*out = (enum sink_kind)i;
			return 0;
		}
	return -EINVAL;
}

static int open_below(int dir, const char *name, bool create)
{
	int fd;

	if (create && mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_sinks(int rootfd, bool create)
{
	_cleanup_close_ int state = fs_open_dir(rootfd, SR_AGENT_STATE, false, NULL);

	return state < 0 ? state : open_below(state, &SR_SINKS[sizeof(SR_AGENT_STATE)], create);
}

int sink_queue_dir(int rootfd, const char *name, bool create)
{
	_cleanup_close_ int sinks = open_sinks(rootfd, create);

	return sinks < 0 ? sinks : open_below(sinks, name, create);
}

void sink_queue_remove(int rootfd, const char *name)
{
	_cleanup_close_ int sinks = open_sinks(rootfd, false), dir = -1;

	if (sinks >= 0)
		dir = open_below(sinks, name, false);
	if (dir >= 0 && diskqueue_clear(dir) == 0)
		(void)unlinkat(sinks, name, AT_REMOVEDIR);
}
