/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/assignment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/fs.h"
#include "lib/json.h"

#define LIST_MAX 64

static int wrong(struct error *err, const char *where, const char *key, struct json_object *value, const char *need)
{
	return error_set(err, -EINVAL, "%s: %s: %.64s: %s", where, key,
			 json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), need);
}

static int get_string(struct json_object *value, const char *where, const char *key, char **out, struct error *err)
{
	const char *s;

	if (!json_object_is_type(value, json_type_string))
		return wrong(err, where, key, value, "must be a string");
	s = json_object_get_string(value);
	if (!*s || strlen(s) != (size_t)json_object_get_string_len(value))
		return wrong(err, where, key, value, "must not be empty or hold a NUL");
	*out = strdup(s);
	return *out ? 0 : error_set(err, -ENOMEM, "%s: out of memory", where);
}

static bool sha256_valid(const char *s)
{
	return strlen(s) == 64 && s[strspn(s, "0123456789abcdef")] == '\0';
}

static int read_artifact(struct json_object *value, const char *where, struct assignment *a, struct error *err)
{
	if (!json_object_is_type(value, json_type_object))
		return wrong(err, where, "artifact", value, "must be an object");
	json_object_object_foreach(value, key, v)
	{
		char **out;
		int r;

		if (strcmp(key, "url") == 0)
			out = &a->artifact.url;
		else if (strcmp(key, "sha256") == 0)
			out = &a->artifact.sha256;
		else if (strcmp(key, "signature_url") == 0)
			out = &a->artifact.signature_url;
		else
			return error_set(err, -EINVAL, "%s: artifact.%s: unknown key", where, key);
		r = get_string(v, where, key, out, err);
		if (r < 0)
			return r;
	}
	if (a->artifact.sha256 && !sha256_valid(a->artifact.sha256))
		return error_set(err, -EINVAL, "%s: artifact.sha256: \"%s\" is not 64 lower-case hex digits", where,
				 a->artifact.sha256);
	return 0;
}

static int read_capabilities(struct json_object *value, const char *where, struct strings *out, struct error *err)
{
	size_t n;

	if (!json_object_is_type(value, json_type_array))
		return wrong(err, where, "approved_capabilities", value, "must be a list of strings");
	n = json_object_array_length(value);
	if (n > LIST_MAX)
		return error_set(err, -EINVAL, "%s: approved_capabilities: more than %d entries", where, LIST_MAX);
	out->v = calloc(n + 1, sizeof(*out->v));
	if (!out->v)
		return error_set(err, -ENOMEM, "%s: out of memory", where);
	for (size_t i = 0; i < n; i++) {
		int r = get_string(json_object_array_get_idx(value, i), where, "approved_capabilities", &out->v[i], err);

		if (r < 0)
			return r;
		out->n++;
	}
	return 0;
}

static int read_key(const char *key, struct json_object *value, const char *where, struct assignment *a,
		    bool *has_delivery, bool *has_enabled, struct error *err)
{
	if (strcmp(key, "addon_id") == 0) {
		int r = get_string(value, where, key, &a->addon_id, err);

		if (r == 0 && !addon_id_valid(a->addon_id))
			return wrong(err, where, key, value, "is no valid add-on id (^[a-z0-9][a-z0-9_-]*$)");
		return r;
	}
	if (strcmp(key, "enabled") == 0) {
		if (!json_object_is_type(value, json_type_boolean))
			return wrong(err, where, key, value, "must be true or false");
		a->enabled = json_object_get_boolean(value);
		*has_enabled = true;
		return 0;
	}
	if (strcmp(key, "delivery") == 0) {
		if (!json_object_is_type(value, json_type_string) ||
		    delivery_parse(json_object_get_string(value), &a->delivery) < 0)
			return wrong(err, where, key, value, "must be os-package, pushed-artifact or compiled-in");
		*has_delivery = true;
		return 0;
	}
	if (strcmp(key, "version") == 0) {
		int r = get_string(value, where, key, &a->version, err);

		if (r == 0 && !semver_valid(a->version))
			return wrong(err, where, key, value, "is no semantic version");
		return r;
	}
	if (strcmp(key, "artifact") == 0)
		return read_artifact(value, where, a, err);
	if (strcmp(key, "approved_capabilities") == 0)
		return read_capabilities(value, where, &a->approved_capabilities, err);
	if (strcmp(key, "config") == 0) {
		if (!json_object_is_type(value, json_type_object))
			return wrong(err, where, key, value, "must be an object");
		a->config = json_object_get(value);
		return 0;
	}
	return error_set(err, -EINVAL, "%s: %s: unknown key", where, key);
}

int assignment_parse(struct json_object *object, const char *where, struct assignment *out, struct error *err)
{
	_cleanup_assignment_ struct assignment a = { 0 };
	bool has_delivery = false, has_enabled = false;

	*out = (struct assignment){ 0 };
	if (!json_object_is_type(object, json_type_object))
		return error_set(err, -EINVAL, "%s: an assignment is a JSON object", where);
	json_object_object_foreach(object, key, value)
	{
		int r = read_key(key, value, where, &a, &has_delivery, &has_enabled, err);

		if (r < 0)
			return r;
	}
	if (!a.addon_id || !has_enabled || !has_delivery)
		return error_set(err, -EINVAL, "%s: %s: required, but missing", where,
				 !a.addon_id ? "addon_id" : (!has_enabled ? "enabled" : "delivery"));
	if (a.enabled && a.delivery == DELIVERY_PUSHED_ARTIFACT && (!a.version || !a.artifact.url || !a.artifact.sha256))
		return error_set(err, -EINVAL, "%s: %s: required for delivery pushed-artifact, but missing", where,
				 !a.version ? "version" : (!a.artifact.url ? "artifact.url" : "artifact.sha256"));
	*out = a;
	a = (struct assignment){ 0 };
	return 0;
}

int assignment_read(int dirfd, const char *shown_dir, const char *id, struct assignment *out, struct error *err)
{
	_cleanup_json_ struct json_object *object = NULL;
	_cleanup_free_ char *name = NULL, *where = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	struct error inner;
	size_t size;
	int r;

	*out = (struct assignment){ 0 };
	if (!addon_id_valid(id))
		return error_set(err, -EINVAL, "\"%s\" is no valid add-on id", id);
	if (asprintf(&name, "%s.json", id) < 0 || asprintf(&where, "%s/%s", shown_dir, name) < 0)
		return error_set(err, -ENOMEM, "%s: out of memory", id);
	fd = fs_open_file(dirfd, name, where, err);
	if (fd < 0)
		return fd;
	r = fs_read_fd(fd, where, JSON_MAX_BYTES, &text, &size, &inner);
	if (r < 0)
		return error_set(err, r, "%s: cannot be read: %s", where, strerror(-r));
	r = json_parse(text, size, where, &object, err);
	if (r == 0)
		r = assignment_parse(object, where, out, err);
	if (r == 0 && strcmp(out->addon_id, id) != 0) {
		r = error_set(err, -EINVAL, "%s: addon_id: \"%s\" does not fit the file's name", where, out->addon_id);
		assignment_free(out);
	}
	return r;
}

void assignment_mark(const struct stat *st, char out[ASSIGNMENT_MARK_BYTES])
{
	(void)snprintf(out, ASSIGNMENT_MARK_BYTES, "%llu %lld %lld.%09ld", (unsigned long long)st->st_ino, (long long)st->st_size,
		       (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

int assignment_approves(const struct assignment *a, const struct manifest *m, struct error *err)
{
	for (size_t i = 0; i < m->capabilities.n; i++) {
		bool found = false;

		for (size_t j = 0; j < a->approved_capabilities.n; j++)
			found = found || strcmp(m->capabilities.v[i], a->approved_capabilities.v[j]) == 0;
		if (!found)
			return error_set(err, -EPERM, "%s: approved_capabilities: \"%s\", which the add-on offers, is not approved",
					 m->id, m->capabilities.v[i]);
	}
	return 0;
}

void assignment_free(struct assignment *a)
{
	free(a->addon_id);
	free(a->version);
	free(a->artifact.url);
	free(a->artifact.sha256);
	free(a->artifact.signature_url);
	for (size_t i = 0; a->approved_capabilities.v && i < a->approved_capabilities.n; i++)
		free(a->approved_capabilities.v[i]);
	free(a->approved_capabilities.v);
	json_object_put(a->config);
	*a = (struct assignment){ 0 };
}
