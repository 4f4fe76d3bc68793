/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "lib/schema.h"

#define SUFFIX   ".json"
#define MIGRATED ".migrated"
#define MAX_FILES 16

/* "netprobe" of "netprobe.json", or of the names that dpkg-maintscript-helper(1) gives it in between; false for any other name. */
static bool id_of(const char *name, char id[80])
{
	static const char *const suffixes[] = { SUFFIX, SUFFIX ".dpkg-remove", SUFFIX ".dpkg-backup" };
	const char *end = strstr(name, SUFFIX);

	for (size_t i = 0; end && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		if (strcmp(end, suffixes[i]) != 0)
			continue;
		(void)snprintf(id, 80, "%.*s", (int)(end - name), name);
		return end - name < 80 && addon_id_valid(id);
	}
	return false;
}

/* The directory was the service's own: what is in it is not trusted, and links are not followed. */
static int open_dir(struct updater *u)
{
	return fs_open_dir(u->rootfd, SR_SIDECARS, false, NULL);
}

static int read_text(struct updater *u, int dir, const char *name, char **text, size_t *size)
{
	_cleanup_close_ int fd = fs_open_file(dir, name, name, &u->err);
	char self[64];

	if (fd < 0)
		return fd;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return fs_read_file(AT_FDCWD, self, JSON_MAX_BYTES, text, size, &u->err);
}

struct json_object *sidecar_texts(struct updater *u)
{
	struct json_object *all = json_object_new_object();
	_cleanup_close_ int fd = open_dir(u);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
	const struct dirent *e;
	char id[80];

	while (dir && json_object_object_length(all) < MAX_FILES && (e = readdir(dir))) {
		_cleanup_free_ char *text = NULL;

		if (id_of(e->d_name, id) && read_text(u, dirfd(dir), e->d_name, &text, NULL) == 0)
			json_object_object_add(all, id, json_object_new_string(text));
	}
	return all;
}

int sidecar_restore(struct updater *u, struct json_object *texts)
{
	_cleanup_close_ int dir = -1;
	gid_t gid = (gid_t)-1;
	int r = 0;

	if (!texts || json_object_object_length(texts) == 0)
		return 0;
	dir = open_dir(u);
	if (dir < 0)
		dir = fs_make_dirs(u->rootfd, SR_SIDECARS, 0755, &u->err);
	if (dir < 0)
		return dir;
	(void)fs_lookup_user(u->root, SR_USER, NULL, &gid);
	json_object_object_foreach(texts, id, text)
	{
		char name[96];
		struct stat st;

		(void)snprintf(name, sizeof(name), "%.80s" SUFFIX, id);
		if (r < 0 || !addon_id_valid(id) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		r = fs_write_atomic(dir, name, json_object_get_string(text), (size_t)json_object_get_string_len(text), 0640, 0, gid, &u->err);
	}
	return r;
}

static bool packaged(struct updater *u, const char *id)
{
	_cleanup_close_ int payload = -1;
	char path[256];

	(void)snprintf(path, sizeof(path), SR_PACKAGED_ADDONS "/%.80s", id);
	payload = fs_open_dir(u->rootfd, path, false, NULL);
	return payload >= 0;
}

void sidecar_orphans(struct updater *u, char *out, size_t size)
{
	_cleanup_json_ struct json_object *texts = sidecar_texts(u);
	_cleanup_close_ int run = fs_open_dir(u->rootfd, "/run/serviceradar", true, NULL);

	*out = '\0';
	json_object_object_foreach(texts, id, text)
	{
		(void)text;
		if (packaged(u, id))
			continue;
		if (run >= 0)
			(void)fs_remove_tree(run, id, NULL);
		if (!*out)
			(void)snprintf(out, size, "%.60s is a package of its own now: install serviceradar-%.60s, which takes " SR_SIDECARS "/%.60s" SUFFIX " over",
				       id, id, id);
	}
}

/* Of the old keys those that the schema takes one by one, so that one that is not known any more does not cost the others. */
static struct json_object *convert(const struct payload *p, struct json_object *schema, struct json_object *old)
{
	struct json_object *config = json_object_new_object();

	json_object_object_add(config, "enabled", json_object_new_boolean(true));
	json_object_object_foreach(old, key, value)
	{
		struct error why;

		if (strcmp(key, "enabled") == 0)
			continue;
		json_object_object_add(config, key, json_object_get(value));
		if (schema_validate(schema, config, SR_SIDECARS, "", &why) == 0)
			continue;
		json_object_object_del(config, key);
		log_event(LOG_LEVEL_WARNING, "a key of the old configuration was left out", "id", p->manifest.id, "key", key, "error", why.text, NULL);
	}
	return config;
}

static struct json_object *assignment(const struct payload *p, struct json_object *schema, struct json_object *old)
{
	struct json_object *o = json_object_new_object(), *approved = json_object_new_array(), *v;
	bool enabled = !json_object_object_get_ex(old, "enabled", &v) || json_object_get_boolean(v);

	/* Whoever had it on had what it offers. */
	for (size_t i = 0; enabled && i < p->manifest.capabilities.n; i++)
		json_object_array_add(approved, json_object_new_string(p->manifest.capabilities.v[i]));
	json_object_object_add(o, "addon_id", json_object_new_string(p->manifest.id));
	json_object_object_add(o, "enabled", json_object_new_boolean(enabled));
	json_object_object_add(o, "delivery", json_object_new_string("os-package"));
	json_object_object_add(o, "approved_capabilities", approved);
	json_object_object_add(o, "config", convert(p, schema, old));
	return o;
}

static int write_assignment(struct updater *u, const struct payload *p, struct json_object *o)
{
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	_cleanup_close_ int dir = fs_make_dirs(u->rootfd, SR_ASSIGNMENTS, 0750, &u->err);
	gid_t gid = (gid_t)-1;
	char name[96];

	if (dir < 0)
		return dir;
	(void)fs_lookup_user(u->root, SR_USER, NULL, &gid);
	(void)snprintf(name, sizeof(name), "%s" SUFFIX, p->manifest.id);
	return fs_write_atomic(dir, name, text, strlen(text), 0640, 0, gid, &u->err);
}

/* Kept under a name that nobody takes for a config that is still to be taken over. */
static int retire(struct updater *u, int dir, const char *name)
{
	char kept[128];

	(void)snprintf(kept, sizeof(kept), "%s" MIGRATED, name);
	if (renameat(dir, name, dir, kept) < 0)
		return error_set(&u->err, -errno, SR_SIDECARS "/%s: cannot be renamed to %s: %s", name, kept, strerror(errno));
	return 1;
}

int sidecar_take_over(struct updater *u, const struct payload *p)
{
	_cleanup_json_ struct json_object *old = NULL, *schema = NULL, *o = NULL;
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int dir = open_dir(u);
	char name[96];
	size_t size = 0;
	int r;

	(void)snprintf(name, sizeof(name), "%s" SUFFIX, p->manifest.id);
	r = dir < 0 ? -ENOENT : read_text(u, dir, name, &text, &size);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = json_parse(text, size, SR_SIDECARS, &old, &u->err);
	if (r == 0 && !json_object_is_type(old, json_type_object))
		r = error_set(&u->err, -EINVAL, SR_SIDECARS "/%s: must be a JSON object", name);
	if (r == 0)
		r = json_read_file(p->dir, p->manifest.config_schema, &schema, &u->err);
	if (r == 0)
		r = schema_check(schema, p->manifest.config_schema, &u->err);
	if (r < 0)
		return r;
	o = assignment(p, schema, old);
	r = write_assignment(u, p, o);
	return r < 0 ? r : retire(u, dir, name);
}
