/* SPDX-License-Identifier: Apache-2.0 */
/* recover: finishes or undoes what a crash interrupted. Runs at boot and before every verb that changes something. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>

#include "helper/activation.h"
#include "lib/fs.h"
#include "lib/paths.h"

/* An activation goes back to nothing and is made again by whoever wanted it; a deactivation is finished. */
static int recover_one(struct updater *u, const char *id)
{
	struct state state;
	int r;

	if (journal_read(u, id) == JOURNAL_NONE)
		return 0;
	if (state_read(u, id, &state) < 0)
		state = (struct state){ 0 };
	r = activation_undo(u, id);
	state.activated = false;
	if (r == 0)
		r = state_write(u, id, &state);
	if (r == 0)
		r = journal_end(u, id);
	return r < 0 ? r : 1;
}

enum result verb_recover(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_close_ int fd = fs_open_dir(u->rootfd, SR_ADDONS, true, NULL);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	struct json_object *done = out ? json_object_new_array() : NULL;
	const struct dirent *e;
	enum result result = RESULT_DONE;

	(void)id;
	(void)arg;
	while (dir && (e = readdir(dir))) {
		int r = addon_id_valid(e->d_name) ? recover_one(u, e->d_name) : 0;

		if (r < 0)
			result = RESULT_BROKEN;
		else if (r > 0 && done)
			json_object_array_add(done, json_object_new_string(e->d_name));
	}
	if (out)
		json_object_object_add(out, "recovered", done);
	return result;
}
