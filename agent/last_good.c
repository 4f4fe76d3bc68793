/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/last_good.h"

#include <string.h>

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

#define NAME "assignments.json"

static void load(struct agent *a)
{
	_cleanup_close_ int dir = -1;

	if (a->last_good)
		return;
	dir = fs_open_dir(a->rootfd, SR_AGENT_STATE, false, NULL);
	if (dir < 0 || json_read_file(dir, NAME, &a->last_good, NULL) < 0 ||
	    !json_object_is_type(a->last_good, json_type_object)) {
		json_object_put(a->last_good);
		a->last_good = json_object_new_object();
	}
}

struct json_object *last_good_get(struct agent *a, const char *id)
{
	struct json_object *found = NULL;

	load(a);
	return json_object_object_get_ex(a->last_good, id, &found) ? found : NULL;
}

void last_good_put(struct agent *a, const char *id, struct json_object *assignment)
{
	struct json_object *before = last_good_get(a, id);
	_cleanup_close_ int dir = -1;
	struct error err;
	const char *text;

	if (before == assignment || (before && assignment && json_object_equal(before, assignment)))
		return;
	if (assignment)
		json_object_object_add(a->last_good, id, json_object_get(assignment));
	else
		json_object_object_del(a->last_good, id);
	dir = fs_open_dir(a->rootfd, SR_AGENT_STATE, false, &err);
	text = json_object_to_json_string_ext(a->last_good, JSON_C_TO_STRING_PRETTY);
	if (dir < 0 || fs_write_atomic(dir, NAME, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1, &err) < 0)
		log_warning(SR_AGENT_STATE "/" NAME ": cannot be written: %s", err.text);
}
