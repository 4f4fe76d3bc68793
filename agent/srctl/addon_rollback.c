/* SPDX-License-Identifier: Apache-2.0 */
/* srctl addon rollback: the version that was active before, assigned by name and digest, so that it stays. */
#include <stdlib.h>
#include <string.h>

#include "agent/srctl/srctl.h"
#include "lib/json.h"
#include "lib/paths.h"

static int say(const char *id, const char *what)
{
	fprintf(stderr, "srctl: %s: %s\n", id, what);
	return EXIT_NOT_DONE;
}

/* A version that is staged: the bundle that it came from is not fetched again, its digest tells which one it was. */
static int pin(const struct srctl *s, const char *id, const char *version, struct json_object *o)
{
	_cleanup_json_ struct json_object *origin = NULL;
	struct json_object *artifact;
	char path[256];

	snprintf(path, sizeof(path), SR_ADDONS "/%s/versions/%s/.origin.json", id, version);
	if (json_read_file(s->rootfd, path + 1, &origin, NULL) < 0 || !*text_at(origin, "sha256"))
		return -1;
	if (strcmp(text_at(o, "artifact.sha256"), text_at(origin, "sha256")) != 0) {
		snprintf(path, sizeof(path), "file://" SR_ADDONS "/%s/versions/%s", id, version);
		artifact = json_object_new_object();
		json_object_object_add(artifact, "url", json_object_new_string(path));
		json_object_object_add(artifact, "sha256", json_object_new_string(text_at(origin, "sha256")));
		json_object_object_add(o, "artifact", artifact);
	}
	json_object_object_add(o, "delivery", json_object_new_string("pushed-artifact"));
	json_object_object_add(o, "version", json_object_new_string(version));
	return 0;
}

int verb_addon_rollback(struct srctl *s, const char *id)
{
	_cleanup_json_ struct json_object *state = NULL, *o = read_assignment(s, id);
	const char *previous;
	char path[160];

	if (needs_root(id))
		return EXIT_NOT_DONE;
	snprintf(path, sizeof(path), SR_ADDONS "/%s/state.json", id);
	if (json_read_file(s->rootfd, path + 1, &state, NULL) < 0 || !*text_at(state, "previous"))
		return say(id, "there is nothing to roll back to");
	if (!o)
		return say(id, "it is not assigned");
	previous = text_at(state, "previous");
	if (strcmp(previous, "packaged") == 0) {
		json_object_object_add(o, "delivery", json_object_new_string("os-package"));
		json_object_object_del(o, "version");
		json_object_object_del(o, "artifact");
	} else if (pin(s, id, previous, o) < 0) {
		return say(id, "the version before is no longer staged");
	}
	json_object_object_add(o, "enabled", json_object_new_boolean(true));
	return put_assignment(s, id, o, "active");
}
