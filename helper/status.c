/* SPDX-License-Identifier: Apache-2.0 */
/* status [ID]: what is installed, active and running, as JSON. */
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "helper/activation.h"
#include "lib/fs.h"
#include "lib/paths.h"

static void add_payload(struct updater *u, const char *id, const char *label, struct json_object *o, struct json_object *versions)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	struct json_object *v;
	int r = payload_open(u, id, label, &p);

	if (r == -ENOENT)
		return;
	v = json_object_new_object();
	json_object_object_add(v, "payload", json_object_new_string(label));
	if (r == 0) {
		json_object_array_add(versions, json_object_new_string(p.manifest.version));
		json_object_object_add(v, "version", json_object_new_string(p.manifest.version));
		json_object_object_add(v, "binary_sha256", json_object_new_string(p.sha256));
		if (*p.bundle_sha256) {
			json_object_object_add(v, "bundle_sha256", json_object_new_string(p.bundle_sha256));
			json_object_object_add(v, "key_id", json_object_new_string(p.key_id));
		} else {
			json_object_object_add(o, "packaged_sha256", json_object_new_string(p.sha256));
		}
	} else {
		json_object_object_add(v, "error", json_object_new_string(u->err.text));
		if (strcmp(label, PAYLOAD_PACKAGED) == 0)
			json_object_object_add(o, "payload_error", json_object_new_string(u->err.text));
	}
	json_object_array_add(json_object_object_get(o, "payloads"), v);
}

static struct json_object *describe(struct updater *u, const char *id)
{
	_cleanup_(payload_versions_free) struct strings staged = { 0 };
	struct json_object *o = json_object_new_object(), *versions = json_object_new_array();

	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "installed_versions", versions);
	json_object_object_add(o, "payloads", json_object_new_array());
	add_payload(u, id, PAYLOAD_PACKAGED, o, versions);
	(void)payload_versions(u, id, &staged);
	for (size_t i = 0; i < staged.n; i++)
		add_payload(u, id, staged.v[i], o, versions);
	activation_describe(u, id, o);
	return o;
}

static bool known(struct json_object *list, const char *id)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *v;

		if (json_object_object_get_ex(json_object_array_get_idx(list, i), "id", &v) &&
		    !strcmp(json_object_get_string(v), id))
			return true;
	}
	return false;
}

static void add_all(struct updater *u, const char *path, struct json_object *list)
{
	_cleanup_close_ int fd = fs_open_dir(u->rootfd, path, true, NULL);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (addon_id_valid(e->d_name) && !known(list, e->d_name))
			json_object_array_add(list, describe(u, e->d_name));
}

enum result verb_status(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	struct json_object *list = json_object_new_array();

	(void)arg;
	if (id) {
		json_object_array_add(list, describe(u, id));
	} else {
		add_all(u, SR_PACKAGED_ADDONS, list);
		add_all(u, SR_ADDONS, list);
	}
	json_object_object_add(out, "addons", list);
	u->err.text[0] = '\0';
	return RESULT_DONE;
}
