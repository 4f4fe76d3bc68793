/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

#define ENTRIES_MAX 4096u

static const char *const lifecycle_names[] = { "staged", "approved", "revoked" };

const char *lifecycle_name(enum lifecycle l)
{
	return lifecycle_names[l];
}

static int bad(const char *where, size_t i, const char *key, struct json_object *v, const char *rule, struct error *err)
{
	return error_set(err, -EINVAL, "%s: packages[%zu].%s: %.80s %s", where, i, key,
			 v ? json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN) : "missing:", rule);
}

static bool copy_text(struct json_object *v, char *out, size_t size)
{
	if (!json_object_is_type(v, json_type_string) || (size_t)json_object_get_string_len(v) >= size)
		return false;
	(void)snprintf(out, size, "%s", json_object_get_string(v));
	return strlen(out) == (size_t)json_object_get_string_len(v);
}

static bool digest_valid(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static int read_lifecycle(struct json_object *v, enum lifecycle *out)
{
	for (enum lifecycle l = LIFECYCLE_STAGED; l <= LIFECYCLE_REVOKED; l++)
		if (json_object_is_type(v, json_type_string) && strcmp(json_object_get_string(v), lifecycle_names[l]) == 0) {
			*out = l;
			return 0;
		}
	return -EINVAL;
}

static int read_value(const char *key, struct json_object *v, struct catalog_entry *e, bool *linux_, const char **rule)
{
	if (strcmp(key, "id") == 0)
		return copy_text(v, e->id, sizeof(e->id)) && addon_id_valid(e->id) ? 0 : (*rule = "is no add-on id", -EINVAL);
	if (strcmp(key, "version") == 0)
		return copy_text(v, e->version, sizeof(e->version)) && semver_valid(e->version) ? 0 : (*rule = "is no semantic version", -EINVAL);
	if (strcmp(key, "arch") == 0)
		return copy_text(v, e->arch, sizeof(e->arch)) ? 0 : (*rule = "is no architecture", -EINVAL);
	if (strcmp(key, "sha256") == 0)
		return copy_text(v, e->sha256, sizeof(e->sha256)) && digest_valid(e->sha256) ? 0 : (*rule = "is not 64 hex digits", -EINVAL);
	if (strcmp(key, "lifecycle") == 0)
		return read_lifecycle(v, &e->lifecycle) == 0 ? 0 : (*rule = "is not staged, approved or revoked", -EINVAL);
	if (strcmp(key, "os") == 0) {
		*linux_ = json_object_is_type(v, json_type_string) && strcmp(json_object_get_string(v), "linux") == 0;
		return json_object_is_type(v, json_type_string) ? 0 : (*rule = "is no string", -EINVAL);
	}
	*rule = "is an unknown key";
	return -EINVAL;
}

/* `full`: an entry of the catalog; else a decision of this host: id, version, lifecycle. */
static int read_entry(struct json_object *o, size_t i, const char *where, bool full, struct catalog_entry *e, bool *linux_,
		      struct error *err)
{
	static const char *const required[] = { "id", "version", "lifecycle", "os", "arch", "sha256" };
	const char *rule = "";

	*e = (struct catalog_entry){ 0 };
	if (!json_object_is_type(o, json_type_object))
		return bad(where, i, "", o, "is no object", err);
	json_object_object_foreach(o, key, v)
		if (read_value(key, v, e, linux_, &rule) < 0)
			return bad(where, i, key, v, rule, err);
	for (size_t k = 0; k < (full ? 6u : 3u); k++)
		if (!json_object_object_get_ex(o, required[k], NULL))
			return bad(where, i, required[k], NULL, "it is required", err);
	return 0;
}

static int read_list(struct json_object *list, const char *where, bool full, struct catalog_entry **out, size_t *n, struct error *err)
{
	size_t all;

	if (!json_object_is_type(list, json_type_array))
		return error_set(err, -EINVAL, "%s: packages: must be a list", where);
	all = json_object_array_length(list);
	if (all > ENTRIES_MAX)
		return error_set(err, -EINVAL, "%s: packages: more than %u entries", where, ENTRIES_MAX);
	*out = calloc(all + 1, sizeof(**out));
	if (!*out)
		return error_set(err, -ENOMEM, "%s: out of memory", where);
	for (size_t i = 0; i < all; i++) {
		bool linux_ = true;
		int r = read_entry(json_object_array_get_idx(list, i), i, where, full, &(*out)[*n], &linux_, err);

		if (r < 0)
			return r;
		*n += linux_;
	}
	return 0;
}

int catalog_parse(const char *text, size_t size, const char *where, struct catalog *out, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *serial = NULL, *packages = NULL;
	struct catalog c = { .present = true };
	int r = json_parse(text, size, where, &o, err);

	*out = (struct catalog){ 0 };
	if (r < 0)
		return r;
	if (!json_object_is_type(o, json_type_object))
		return error_set(err, -EINVAL, "%s: must be a JSON object", where);
	json_object_object_foreach(o, key, v)
	{
		if (strcmp(key, "serial") == 0)
			serial = v;
		else if (strcmp(key, "packages") == 0)
			packages = v;
		else
			return error_set(err, -EINVAL, "%s: %.64s: unknown key", where, key);
	}
	if (!json_object_is_type(serial, json_type_int) || json_object_get_int64(serial) < 0)
		return error_set(err, -EINVAL, "%s: serial: must be a number that grows with each edition", where);
	c.serial = (uint64_t)json_object_get_int64(serial);
	r = read_list(packages, where, true, &c.entries, &c.n_entries, err);
	if (r < 0) {
		catalog_free(&c);
		return r;
	}
	*out = c;
	return 0;
}

/* ---- files ---- */

static int read_file(int dir, const char *name, const char *shown, size_t limit, char **text, size_t *size, struct error *err)
{
	_cleanup_close_ int fd = fs_open_file(dir, name, shown, err);

	return fd < 0 ? fd : fs_read_fd(fd, shown, limit, text, size, err);
}

static int check_signature(const char *text, size_t size, const char *signature, size_t signature_size, const struct keyring *keys,
			   const struct catalog *c, struct error *err)
{
	uint8_t blake[MINISIGN_HASH_BYTES], sha[32];
	struct minisign_signature sig;
	char want[160], hex[65];
	int r = minisign_signature_parse(signature, signature_size, SR_CATALOG ".minisig", &sig, err);

	if (r < 0)
		return r;
	if (EVP_Digest(text, size, blake, NULL, EVP_blake2b512(), NULL) != 1 || EVP_Digest(text, size, sha, NULL, EVP_sha256(), NULL) != 1)
		return error_set(err, -EIO, SR_CATALOG ": a digest failed");
	r = keyring_verify(keys, &sig, blake, SR_CATALOG, err);
	if (r < 0 || !c)
		return r;
	for (size_t i = 0; i < sizeof(sha); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", sha[i]);
	(void)snprintf(want, sizeof(want), "catalog serial=%llu sha256=%s", (unsigned long long)c->serial, hex);
	if (strcmp(sig.trusted_comment, want) != 0)
		return error_set(err, -EPERM, SR_CATALOG ".minisig: trusted comment \"%.120s\": must be \"%s\"", sig.trusted_comment, want);
	return 0;
}

static int read_signed(int dir, const struct keyring *keys, struct catalog *out, struct error *err)
{
	_cleanup_free_ char *text = NULL, *signature = NULL;
	size_t size = 0, signature_size = 0;
	int r = read_file(dir, "catalog.json", SR_CATALOG, JSON_MAX_BYTES, &text, &size, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = read_file(dir, "catalog.json.minisig", SR_CATALOG ".minisig", MINISIGN_MAX_BYTES, &signature, &signature_size, err);
	if (r == 0) /* first the bytes, then what they say */
		r = check_signature(text, size, signature, signature_size, keys, NULL, err);
	if (r == 0)
		r = catalog_parse(text, size, SR_CATALOG, out, err);
	return r < 0 ? r : check_signature(text, size, signature, signature_size, keys, out, err);
}

static int read_decisions(int dir, struct json_object **out, struct catalog *c, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL;
	int r = json_read_file(dir, "approvals.json", &o, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = read_list(o, SR_APPROVALS, false, &c->decisions, &c->n_decisions, err);
	if (r == 0 && out)
		*out = json_object_get(o);
	return r;
}

int catalog_read(int rootfd, const struct keyring *keys, struct catalog *out, struct error *err)
{
	_cleanup_close_ int dir = fs_open_dir(rootfd, SR_CONFIG_DIR, true, err);
	_cleanup_catalog_ struct catalog c = { 0 };
	int r = 0;

	*out = (struct catalog){ 0 };
	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	r = read_signed(dir, keys, &c, err);
	if (r == 0)
		r = read_decisions(dir, NULL, &c, err);
	if (r < 0)
		return r;
	*out = c;
	c = (struct catalog){ 0 };
	return 0;
}

int catalog_allows(const struct catalog *c, const char *id, const char *version, const char *sha256, struct error *err)
{
	const char *arch = strchr(platform_name(), '/') + 1;

	for (size_t i = 0; i < c->n_decisions; i++) {
		const struct catalog_entry *e = &c->decisions[i];

		if (strcmp(e->id, id) != 0 || strcmp(e->version, version) != 0)
			continue;
		if (e->lifecycle == LIFECYCLE_APPROVED)
			return 0;
		return error_set(err, -EPERM, "%s %s: %s on this host by " SR_APPROVALS ": srctl addon approve %s %s", id, version,
				 lifecycle_names[e->lifecycle], id, version);
	}
	if (!c->present)
		return 0;
	for (size_t i = 0; i < c->n_entries; i++) {
		const struct catalog_entry *e = &c->entries[i];

		if (strcmp(e->id, id) != 0 || strcmp(e->version, version) != 0 || strcmp(e->arch, arch) != 0)
			continue;
		if (e->lifecycle != LIFECYCLE_APPROVED)
			return error_set(err, -EPERM, "%s %s: %s in " SR_CATALOG ", not approved", id, version, lifecycle_names[e->lifecycle]);
		if (strcmp(e->sha256, sha256) != 0)
			return error_set(err, -EPERM, "%s %s: " SR_CATALOG " approves other bytes, sha256 %.16s…", id, version, e->sha256);
		return 0;
	}
	return error_set(err, -EPERM, "%s %s for %s: not in " SR_CATALOG "; srctl addon approve %s %s allows it on this host", id, version, arch, id,
			 version);
}

int catalog_decide(int rootfd, const char *id, const char *version, enum lifecycle l, struct error *err)
{
	_cleanup_close_ int dir = fs_make_dirs(rootfd, SR_CONFIG_DIR, 0755, err);
	_cleanup_json_ struct json_object *list = NULL, *kept = json_object_new_array();
	_cleanup_catalog_ struct catalog c = { 0 };
	struct json_object *e;
	const char *text;
	int r = dir < 0 ? dir : read_decisions(dir, &list, &c, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c.n_decisions; i++)
		if (strcmp(c.decisions[i].id, id) != 0 || strcmp(c.decisions[i].version, version) != 0)
			json_object_array_add(kept, json_object_get(json_object_array_get_idx(list, i)));
	e = json_object_new_object();
	json_object_object_add(e, "id", json_object_new_string(id));
	json_object_object_add(e, "version", json_object_new_string(version));
	json_object_object_add(e, "lifecycle", json_object_new_string(lifecycle_names[l]));
	json_object_array_add(kept, e);
	text = json_object_to_json_string_ext(kept, JSON_C_TO_STRING_PRETTY);
	return fs_write_atomic(dir, "approvals.json", text, strlen(text), 0644, (uid_t)-1, (gid_t)-1, err);
}

void catalog_free(struct catalog *c)
{
	free(c->entries);
	free(c->decisions);
	*c = (struct catalog){ 0 };
}
