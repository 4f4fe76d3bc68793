/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "agent/addon.h"
#include "lib/catalog.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/keyring.h"
#include "lib/paths.h"
#include "lib/render.h"
#include "lib/schema.h"

/* The updater's record; `label` is the payload that is active. */
static void read_record(struct addon *d, char label[80])
{
	_cleanup_json_ struct json_object *o = NULL;
	char path[160];

	d->facts.activated = false;
	d->active_dir[0] = d->active_mark[0] = d->grant_mode[0] = d->active_sha256[0] = label[0] = d->facts.version[0] = '\0';
	snprintf(path, sizeof(path), SR_ADDONS "/%s/state.json", d->id);
	if (json_read_file(d->agent->rootfd, path + 1, &o, NULL) < 0)
		return;
	d->facts.activated = json_flag(o, "activated");
	snprintf(d->grant_mode, sizeof(d->grant_mode), "%s", json_text(o, "grant_mode"));
	if (!d->facts.activated)
		return;
	snprintf(label, 80, "%s", json_text(o, "active"));
	snprintf(d->active_sha256, sizeof(d->active_sha256), "%s", json_text(o, "binary_sha256"));
	snprintf(d->active_mark, sizeof(d->active_mark), "%s", json_text(o, "binary_mark"));
	snprintf(d->facts.version, sizeof(d->facts.version), "%s", json_text(o, "active_version"));
}

static void path_of(const struct addon *d, const char *label, char path[512])
{
	if (!*label || strcmp(label, "packaged") == 0)
		snprintf(path, 512, SR_PACKAGED_ADDONS "/%s", d->id);
	else
		snprintf(path, 512, SR_ADDONS "/%s/versions/%s", d->id, label);
}

/* The digest of a binary, read again only when the file is another. */
static const char *digest(struct digest *cache, int dir, const char *name)
{
	_cleanup_close_ int fd = fs_open_file(dir, name, name, NULL);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return "";
	if (st.st_ino != cache->st.st_ino || st.st_dev != cache->st.st_dev || st.st_size != cache->st.st_size ||
	    memcmp(&st.st_ctim, &cache->st.st_ctim, sizeof(st.st_ctim)) != 0) {
		cache->st = st;
		if (fs_sha256_fd(fd, cache->sha256, NULL) < 0)
			cache->sha256[0] = '\0';
	}
	return cache->sha256;
}

/* What the updater wrote beside a staged version. */
static struct json_object *read_origin(const struct addon *d, const char *label)
{
	_cleanup_close_ int dir = -1;
	struct json_object *o = NULL;
	char path[512];

	path_of(d, label, path);
	dir = fs_open_dir(d->agent->rootfd, path, false, NULL);
	return dir >= 0 && json_read_file(dir, ".origin.json", &o, NULL) == 0 ? o : NULL;
}

static const char *origin_digest(struct json_object *origin, const char *name)
{
	struct json_object *files;

	if (!json_object_object_get_ex(origin, "files", &files) || !json_object_is_type(files, json_type_array))
		return "";
	for (size_t i = 0; i < json_object_array_length(files); i++) {
		struct json_object *f = json_object_array_get_idx(files, i);

		if (strcmp(json_text(f, "name"), name) == 0)
			return json_text(f, "sha256");
	}
	return "";
}

/* The wanted version is staged from the wanted bundle and its binary is still the one that was in it. */
static bool is_staged(struct addon *d)
{
	_cleanup_json_ struct json_object *origin = read_origin(d, d->facts.want_version);
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_close_ int dir = -1;
	char path[512];

	if (!origin || !d->artifact_sha256 || strcmp(json_text(origin, "sha256"), d->artifact_sha256) != 0)
		return false;
	path_of(d, d->facts.want_version, path);
	dir = fs_open_dir(d->agent->rootfd, path, false, NULL);
	if (dir < 0 || manifest_read(dir, path, &m, NULL) < 0)
		return false;
	return strcmp(digest(&d->digests[1], dir, m.exec.binary), origin_digest(origin, m.exec.binary)) == 0;
}

static bool key_revoked(const struct addon *d, const char *label)
{
	_cleanup_json_ struct json_object *origin = read_origin(d, label);
	_cleanup_keyring_ struct keyring keys = { 0 };
	uint8_t id[8];

	return origin && keyring_load(d->agent->rootfd, &keys, NULL) == 0 && minisign_id_parse(json_text(origin, "key_id"), id) == 0 &&
	       keyring_revoked(&keys, id);
}

/* Whether the wanted bundle may be assigned. */
static void ask_catalog(struct addon *d)
{
	_cleanup_keyring_ struct keyring keys = { 0 };
	_cleanup_catalog_ struct catalog c = { 0 };
	struct error err = { .text = "" };
	int r = keyring_load(d->agent->rootfd, &keys, &err);

	if (r == 0)
		r = catalog_read(d->agent->rootfd, &keys, &c, &err);
	if (r == 0)
		r = catalog_allows(&c, d->id, d->facts.want_version, d->artifact_sha256, &err);
	d->facts.not_approved = r < 0;
	addon_complain(&d->approval_error, r < 0 ? err.text : "");
}

static bool is_masked(const struct addon *d, const char *suffix)
{
	static const char *const dirs[] = { SR_UNITS_RENDERED, "/run/systemd/system" };
	char path[256], target[16];

	for (size_t i = 0; i < 2; i++) {
		ssize_t n;

		snprintf(path, sizeof(path), "%s/" SR_UNIT_PREFIX "%s.%s", dirs[i], d->id, suffix);
		n = readlinkat(d->agent->rootfd, path + 1, target, sizeof(target));
		if (n == (ssize_t)strlen("/dev/null") && memcmp(target, "/dev/null", (size_t)n) == 0)
			return true;
	}
	return false;
}

static bool unit_differs(const struct addon *d, const struct manifest *m, const char *suffix)
{
	_cleanup_free_ char *want = render_unit(m, suffix), *now = NULL;
	char path[256];

	if (!want || !*want || is_masked(d, suffix))
		return false;
	snprintf(path, sizeof(path), SR_UNITS_RENDERED "/" SR_UNIT_PREFIX "%s.%s", d->id, suffix);
	if (fs_read_file(d->agent->rootfd, path + 1, 65536, &now, NULL, NULL) < 0) {
		snprintf(path, sizeof(path), SR_UNITS_PACKAGED "/" SR_UNIT_PREFIX "%s.%s", d->id, suffix);
		if (fs_read_file(d->agent->rootfd, path + 1, 65536, &now, NULL, NULL) < 0)
			return true;
	}
	return strcmp(want, now) != 0;
}

/* Whether an owner or a mode is what the updater would refuse, or keeps it from being started. */
static void check_mode(struct addon *d, const struct stat *st, const char *name)
{
	const char *what = NULL;

	if (st->st_uid != 0)
		what = "is not root's";
	else if (st->st_mode & 022)
		what = "can be written by others";
	else if (st->st_mode & (S_ISUID | S_ISGID))
		what = "has a setuid or setgid bit";
	else if (!(st->st_mode & 0100))
		what = "cannot be executed";
	if (!what)
		return;
	d->facts.binary_modified = true;
	snprintf(d->modified, sizeof(d->modified), "%s: mode %04o, uid %u: it %s", name, st->st_mode & 07777u, st->st_uid, what);
}

/* A binary that the agent may not read, such as root's own, is told by what the updater noted of it. */
static void check_binary(struct addon *d, int dir, const char *name)
{
	_cleanup_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char mark[BINARY_MARK_BYTES];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		d->facts.binary_modified = true;
		snprintf(d->modified, sizeof(d->modified), "%s: not there", name);
		return;
	}
	binary_mark(&st, mark);
	if (faccessat(dir, name, R_OK, AT_EACCESS) == 0)
		d->facts.binary_modified = strcmp(digest(&d->digests[0], dir, name), d->active_sha256) != 0;
	else
		d->facts.binary_modified = strcmp(mark, d->active_mark) != 0;
	if (d->facts.binary_modified)
		snprintf(d->modified, sizeof(d->modified), "%s: not the one that was activated", name);
	check_mode(d, &st, name);
}

static void check_file_capabilities(struct addon *d, int dir, const struct manifest *m)
{
	caps_mask mask = 0, want = m->requires.os_capabilities;

	if (strcmp(d->grant_mode, "file+ambient") == 0 && caps_get_file_at(dir, m->exec.binary, &mask) == 0)
		d->facts.capability_missing = (mask & want) != want;
}

/* Of the payload that is active: does it still have its bytes, its capabilities, its units, its key? */
static void inspect_active(struct addon *d, const char *label)
{
	static const char *const suffixes[] = { "service", "socket", "timer" };
	_cleanup_manifest_ struct manifest m = { 0 };
	struct addon_facts *f = &d->facts;
	_cleanup_close_ int dir = -1;

	path_of(d, label, d->active_dir);
	dir = fs_open_dir(d->agent->rootfd, d->active_dir, false, NULL);
	if (dir < 0 || manifest_read(dir, d->active_dir, &m, NULL) < 0)
		return;
	check_binary(d, dir, m.exec.binary);
	check_file_capabilities(d, dir, &m);
	for (size_t i = 0; i < 3; i++) {
		if (!unit_differs(d, &m, suffixes[i]))
			continue;
		f->unit_modified = true;
		snprintf(d->modified_unit, sizeof(d->modified_unit), SR_UNIT_PREFIX "%s.%s: not what the manifest renders to", d->id, suffixes[i]);
	}
	f->key_revoked = key_revoked(d, label);
}

/* Opens the payload that is wanted, else the one that is active, else the packaged one. */
static int open_payload(struct addon *d, const char *active)
{
	int fd = -1;

	if (d->facts.pushed && d->facts.staged) {
		path_of(d, d->facts.want_version, d->payload_dir);
		fd = fs_open_dir(d->agent->rootfd, d->payload_dir, false, NULL);
	}
	if (fd < 0 && (d->facts.pushed || !d->facts.enabled)) {
		path_of(d, active, d->payload_dir);
		fd = fs_open_dir(d->agent->rootfd, d->payload_dir, false, NULL);
	}
	if (fd < 0) {
		path_of(d, "packaged", d->payload_dir);
		fd = fs_open_dir(d->agent->rootfd, d->payload_dir, false, NULL);
	}
	return fd;
}

static void not_there(struct addon *d)
{
	char text[512];

	if (!d->facts.assigned || !d->facts.enabled)
		return;
	snprintf(text, sizeof(text), SR_ASSIGNMENTS "/%s.json: addon_id: \"%s\" is not installed; apt install serviceradar-%s", d->id, d->id,
		 d->id);
	addon_complain(&d->payload_error, d->facts.pushed ? "" : text);
}

static void reset_facts(struct addon *d)
{
	struct addon_facts *f = &d->facts;

	manifest_free(&d->manifest);
	memset(&d->manifest, 0, sizeof(d->manifest));
	f->installed = f->capability_missing = f->binary_modified = f->unit_modified = f->key_revoked = f->staged = false;
	f->masked = is_masked(d, "service") || is_masked(d, "timer");
	f->wanted_current = true;
	d->modified[0] = d->modified_unit[0] = '\0';
	f->unsupported = SUPPORTED;
}

struct json_object *payload_read(struct addon *d)
{
	_cleanup_json_ struct json_object *schema = NULL;
	struct addon_facts *f = &d->facts;
	_cleanup_close_ int dir = -1;
	struct error err = { 0 };
	char active[80];
	int r;

	reset_facts(d);
	read_record(d, active);
	if (f->activated)
		inspect_active(d, active);
	f->staged = f->pushed && is_staged(d);
	f->not_approved = false;
	if (f->pushed && f->enabled)
		ask_catalog(d);
	f->key_revoked = f->key_revoked || d->refused_key || (f->staged && key_revoked(d, f->want_version));
	if (f->activated && f->enabled)
		f->wanted_current = strcmp(active, f->pushed ? f->want_version : "packaged") == 0;
	dir = open_payload(d, active);
	if (dir < 0) {
		not_there(d);
		return NULL;
	}
	r = manifest_read(dir, d->payload_dir, &d->manifest, &err);
	if (r == 0)
		r = json_read_file(dir, d->manifest.config_schema, &schema, &err);
	if (r == 0)
		r = schema_check(schema, d->manifest.config_schema, &err);
	if (r < 0) {
		addon_complain(&d->payload_error, err.text);
		return NULL;
	}
	f->installed = true;
	d->toggle = d->manifest.supervision == SUPERVISION_CONFIG_TOGGLE && !f->pushed ? toggle_find(d->id) : NULL;
	f->toggle = d->toggle != NULL;
	f->helper = d->manifest.supervision == SUPERVISION_EPHEMERAL_HELPER;
	f->spools = d->manifest.spool_dir != NULL;
	f->unsupported = manifest_unsupported(&d->manifest, f->toggle, &err);
	addon_complain(&d->payload_error, f->unsupported != SUPPORTED ? err.text : "");
	if (!f->activated)
		snprintf(f->version, sizeof(f->version), "%s", d->manifest.version);
	f->has_socket = d->manifest.socket.path != NULL;
	return steal_ptr(&schema);
}
