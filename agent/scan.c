/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "agent/addon.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/paths.h"

/* Marks every id of a directory as seen; names end in `suffix`. */
static void collect(struct agent *a, const char *path, const char *suffix)
{
	_cleanup_close_ int fd = fs_open_dir(a->rootfd, path, false, NULL);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	size_t suffix_length = strlen(suffix);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		size_t length = strlen(e->d_name);
		struct addon *d;
		char id[65];

		if (e->d_name[0] == '.' || length <= suffix_length || length - suffix_length >= sizeof(id) ||
		    strcmp(e->d_name + length - suffix_length, suffix) != 0)
			continue;
		snprintf(id, sizeof(id), "%.*s", (int)(length - suffix_length), e->d_name);
		d = addon_get(a, id, true);
		if (d)
			d->seen = true;
		else
			log_event(LOG_LEVEL_WARNING, "not an add-on id", "directory", path, "name", e->d_name, NULL);
	}
}

static void forget(struct agent *a, struct addon *d)
{
	_cleanup_close_ int dir = fs_open_dir(a->rootfd, SR_STATUS, false, NULL);
	char name[80];

	snprintf(name, sizeof(name), "%s.json", d->id);
	if (dir >= 0)
		unlinkat(dir, name, 0);
	addon_free(d);
}

void agent_scan(struct agent *a)
{
	struct addon **p, *d;

	for (d = a->addons; d; d = d->next)
		d->seen = false;
	collect(a, SR_PACKAGED_ADDONS, "");
	collect(a, SR_ASSIGNMENTS, ".json");
	collect(a, SR_PUSHED, ".json");
	collect(a, SR_ADDONS, "");
	collect(a, SR_STATUS, ".json");
	for (p = &a->addons; (d = *p);) {
		if (d->seen)
			addon_refresh(d);
		/* Neither wanted, nor there, nor running: nothing is left to report. */
		if (!d->facts.assigned && !d->facts.installed && !d->facts.activated && !d->facts.call_pending) {
			*p = d->next;
			forget(a, d);
		} else {
			p = &d->next;
		}
	}
}
