/* SPDX-License-Identifier: Apache-2.0 */
/* remove ID, for purge: units, capabilities and state are gone afterwards. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "helper/activation.h"
#include "lib/fs.h"
#include "lib/paths.h"

/* The state directory holds files and links of the updater's own, no directories yet. */
static int remove_state(struct updater *u, const char *id)
{
	_cleanup_close_ int parent = fs_open_dir(u->rootfd, SR_ADDONS, true, NULL);
	_cleanup_close_ int fd = payload_state_dir(u, id, false);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;

	if (parent < 0 || !dir)
		return 0;
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlinkat(dirfd(dir), e->d_name, 0) < 0)
			return error_set(&u->err, -errno, SR_ADDONS "/%s/%s: %s", id, e->d_name, strerror(errno));
	if (unlinkat(parent, id, AT_REMOVEDIR) < 0)
		return error_set(&u->err, -errno, SR_ADDONS "/%s: %s", id, strerror(errno));
	return 0;
}

enum result verb_remove(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	enum result r = verb_deactivate(u, id, arg, out);

	if (r != RESULT_DONE)
		return r;
	u->note[0] = '\0';
	if (payload_open(u, id, &p) == 0 && capability_revoke(u, &p) < 0)
		return RESULT_FAILED;
	u->err.text[0] = '\0';
	return remove_state(u, id) < 0 ? RESULT_FAILED : RESULT_DONE;
}
