/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/json.h"
#include "lib/schema.h"
#include "lib/ustar.h"

#define TEXT_BYTES     (256u * 1024)  /* what a small file is: manifest, schema */
#define ALL_TEXT_BYTES (1024u * 1024) /* of all small files together */

static void free_digest(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

static void hex(const unsigned char *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Both digests of the raw bytes in one reading. */
static int digests(int fd, const char *where, uint8_t blake[MINISIGN_HASH_BYTES], char sha256[65], struct error *err)
{
	_cleanup_(free_digest) EVP_MD_CTX *b = EVP_MD_CTX_new(), *s = EVP_MD_CTX_new();
	_cleanup_free_ unsigned char *buf = malloc(131072);
	unsigned char sha[32];
	off_t offset = 0;

	if (!buf || !b || !s || EVP_DigestInit_ex(b, EVP_blake2b512(), NULL) != 1 || EVP_DigestInit_ex(s, EVP_sha256(), NULL) != 1)
		return error_set(err, -ENOMEM, "%s: BLAKE2b-512 or SHA-256 is not available", where);
	for (;;) {
		ssize_t n = pread(fd, buf, 131072, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -errno, "%s: cannot read: %s", where, strerror(errno));
		if (n == 0)
			break;
		offset += n;
		if ((uint64_t)offset > BUNDLE_PACKED_BYTES)
			return error_set(err, -EFBIG, "%s: larger than %llu bytes", where, BUNDLE_PACKED_BYTES);
		if (EVP_DigestUpdate(b, buf, (size_t)n) != 1 || EVP_DigestUpdate(s, buf, (size_t)n) != 1)
			return error_set(err, -EIO, "%s: a digest failed", where);
	}
	if (EVP_DigestFinal_ex(b, blake, NULL) != 1 || EVP_DigestFinal_ex(s, sha, NULL) != 1)
		return error_set(err, -EIO, "%s: a digest failed", where);
	hex(sha, sizeof(sha), sha256);
	return 0;
}

/* The one form: it is written again from what was read, and must be the same. */
static int parse_comment(const char *text, const char *where, struct bundle *out, struct error *err)
{
	char said[65], again[512];
	bool fits = sscanf(text, "addon=%79[^ ] version=%79[^ ] os=linux arch=%15[^ ] sha256=%64[0-9a-f]", out->id, out->version, out->arch,
			   said) == 4;

	if (fits)
		(void)snprintf(again, sizeof(again), "addon=%s version=%s os=linux arch=%s sha256=%s", out->id, out->version, out->arch, said);
	if (!fits || strcmp(text, again) != 0)
		return error_set(err, -EINVAL,
				 "%s: trusted comment \"%.128s\": must be addon=ID version=VERSION os=linux arch=ARCH sha256=DIGEST", where, text);
	if (!addon_id_valid(out->id) || !semver_valid(out->version))
		return error_set(err, -EINVAL, "%s: trusted comment \"%.128s\": no valid id or version", where, text);
	if (strcmp(out->arch, "amd64") != 0 && strcmp(out->arch, "arm64") != 0)
		return error_set(err, -EINVAL, "%s: trusted comment: arch \"%s\" is neither amd64 nor arm64", where, out->arch);
	if (strcmp(said, out->sha256) != 0)
		return error_set(err, -EPERM, "%s: trusted comment: sha256 %.16s… is not that of the file, %.16s…", where, said, out->sha256);
	return 0;
}

int bundle_authenticate(int fd, const char *signature, size_t size, const struct keyring *keys, const char *where,
			struct bundle *out, struct error *err)
{
	uint8_t hash[MINISIGN_HASH_BYTES];
	struct minisign_signature sig;
	char sig_where[512];
	struct stat st;
	int r;

	*out = (struct bundle){ 0 };
	(void)snprintf(sig_where, sizeof(sig_where), "%.400s" BUNDLE_SIGNATURE_SUFFIX, where);
	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", where, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", where);
	if ((uint64_t)st.st_size > BUNDLE_PACKED_BYTES)
		return error_set(err, -EFBIG, "%s: larger than %llu bytes", where, BUNDLE_PACKED_BYTES);
	r = minisign_signature_parse(signature, size, sig_where, &sig, err);
	if (r == 0)
		r = digests(fd, where, hash, out->sha256, err);
	if (r == 0)
		r = keyring_verify(keys, &sig, hash, where, err);
	if (r < 0)
		return r;
	minisign_id_format(sig.id, out->key_id);
	return parse_comment(sig.trusted_comment, sig_where, out, err);
}

struct unpacking {
	struct bundle *b;
	const char *where;
	int into, fd;
	size_t text_bytes;
	uint64_t left;
	EVP_MD_CTX *digest;
};

static struct bundle_file *current(struct unpacking *u)
{
	return &u->b->files[u->b->n_files - 1];
}

static int bad_name(struct unpacking *u, const char *name, const char *what, struct error *err)
{
	return error_set(err, -EINVAL, "%s: entry \"%s\": %s", u->where, name, what);
}

/* What systemd reads (systemd.unit(5)), and drop-ins: units are rendered, never carried. */
static bool unit_file(const char *name)
{
	static const char *const suffixes[] = { "service", "socket",    "timer",  "path",  "mount", "automount", "swap", "target",
						"slice",   "scope",     "device", "conf",  "network", "netdev",  "link", "preset",
						"nspawn",  "dnssd" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (strcasecmp(dot + 1, suffixes[i]) == 0)
			return true;
	return false;
}

static int check_name(struct unpacking *u, const char *name, struct error *err)
{
	if (!*name || *name == '.')
		return bad_name(u, name, "the name is empty or begins with a dot", err);
	if (strchr(name, '/'))
		return bad_name(u, name, "a path; a bundle is flat", err);
	if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") != strlen(name))
		return bad_name(u, name, "the name has characters other than A-Z a-z 0-9 . _ -", err);
	if (unit_file(name))
		return bad_name(u, name, "a unit or a drop-in; units are rendered from the manifest, never carried", err);
	for (unsigned i = 0; i < u->b->n_files; i++)
		if (strcmp(u->b->files[i].name, name) == 0)
			return bad_name(u, name, "is there twice", err);
	return 0;
}

static int on_begin(void *arg, const struct ustar_entry *e, struct error *err)
{
	struct unpacking *u = arg;
	struct bundle_file *more, *f;
	int r = check_name(u, e->name, err);

	if (r < 0)
		return r;
	if (e->mode != 0755 && e->mode != 0644)
		return error_set(err, -EINVAL, "%s: entry \"%s\": mode %04o; only 0755 and 0644 are allowed", u->where, e->name, e->mode);
	more = reallocarray(u->b->files, u->b->n_files + 1, sizeof(*more));
	if (!more || EVP_DigestInit_ex(u->digest, EVP_sha256(), NULL) != 1)
		return error_set(err, -ENOMEM, "%s: out of memory", u->where);
	u->b->files = more;
	f = &more[u->b->n_files++];
	*f = (struct bundle_file){ .size = e->size, .mode = e->mode };
	(void)snprintf(f->name, sizeof(f->name), "%s", e->name);
	u->left = e->size;
	if (e->size <= TEXT_BYTES && u->text_bytes + e->size <= ALL_TEXT_BYTES) {
		f->text = malloc((size_t)e->size + 1);
		if (!f->text)
			return error_set(err, -ENOMEM, "%s: out of memory", u->where);
		f->text[e->size] = '\0';
		u->text_bytes += (size_t)e->size;
	}
	if (u->into < 0)
		return 0;
	u->fd = openat(u->into, f->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	return u->fd < 0 ? error_set(err, -errno, "%s: cannot write %s: %s", u->where, f->name, strerror(errno)) : 0;
}

static int on_data(void *arg, const void *data, size_t size, struct error *err)
{
	struct unpacking *u = arg;
	struct bundle_file *f = current(u);
	const char *p = data;

	if (EVP_DigestUpdate(u->digest, data, size) != 1)
		return error_set(err, -EIO, "%s: a digest failed", u->where);
	if (f->text)
		memcpy(f->text + (f->size - u->left), data, size);
	u->left -= size;
	while (u->fd >= 0 && size > 0) {
		ssize_t n = write(u->fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(err, n < 0 ? -errno : -EIO, "%s: cannot write %s: %s", u->where, f->name,
					 strerror(n < 0 ? errno : EIO));
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int on_end(void *arg, struct error *err)
{
	struct unpacking *u = arg;
	struct bundle_file *f = current(u);
	unsigned char sha[32];

	if (EVP_DigestFinal_ex(u->digest, sha, NULL) != 1)
		return error_set(err, -EIO, "%s: a digest failed", u->where);
	hex(sha, sizeof(sha), f->sha256);
	if (u->fd < 0)
		return 0;
	if (fchown(u->fd, 0, 0) < 0 || fchmod(u->fd, f->mode) < 0 || fsync(u->fd) < 0)
		return error_set(err, -errno, "%s: cannot write %s: %s", u->where, f->name, strerror(errno));
	close(u->fd);
	u->fd = -1;
	return 0;
}

static const struct bundle_file *find(const struct bundle *b, const char *name)
{
	for (unsigned i = 0; i < b->n_files; i++)
		if (strcmp(b->files[i].name, name) == 0)
			return &b->files[i];
	return NULL;
}

static int check_schema(const struct bundle *b, const char *where, struct error *err)
{
	_cleanup_json_ struct json_object *schema = NULL;
	const struct bundle_file *f = find(b, b->manifest.config_schema);
	char name[512];
	int r;

	(void)snprintf(name, sizeof(name), "%.300s: %s", where, b->manifest.config_schema);
	if (!f)
		return error_set(err, -EINVAL, "%s: the manifest's config_schema is not in the bundle", name);
	if (!f->text)
		return error_set(err, -EFBIG, "%s: larger than %u bytes", name, TEXT_BYTES);
	r = json_parse(f->text, (size_t)f->size, name, &schema, err);
	return r < 0 ? r : schema_check(schema, name, err);
}

/* One executable, the one that the manifest names. */
static int check_files(const struct bundle *b, const char *where, struct error *err)
{
	const struct bundle_file *binary = find(b, b->manifest.exec.binary);

	if (!binary || binary->mode != 0755)
		return error_set(err, -EINVAL, "%s: exec.binary \"%s\" is not in the bundle as an executable (mode 0755)", where,
				 b->manifest.exec.binary);
	for (unsigned i = 0; i < b->n_files; i++)
		if (&b->files[i] != binary && b->files[i].mode != 0644)
			return error_set(err, -EINVAL, "%s: entry \"%s\": executable; only %s may be", where, b->files[i].name,
					 b->manifest.exec.binary);
	return 0;
}

static int check_manifest(struct bundle *b, const char *where, struct error *err)
{
	const struct bundle_file *f = find(b, "addon.yaml");
	char name[512];
	int r;

	(void)snprintf(name, sizeof(name), "%.400s: addon.yaml", where);
	if (!f)
		return error_set(err, -EINVAL, "%s: is not in the bundle", name);
	if (!f->text || f->size > MANIFEST_MAX_BYTES)
		return error_set(err, -EFBIG, "%s: larger than %u bytes", name, MANIFEST_MAX_BYTES);
	r = manifest_parse(f->text, (size_t)f->size, name, &b->manifest, err);
	if (r < 0)
		return r;
	if (strcmp(b->manifest.id, b->id) != 0)
		return error_set(err, -EINVAL, "%s: id: \"%s\", but \"%s\" was signed", name, b->manifest.id, b->id);
	if (strcmp(b->manifest.version, b->version) != 0)
		return error_set(err, -EINVAL, "%s: version: \"%s\", but \"%s\" was signed", name, b->manifest.version, b->version);
	if (b->manifest.delivery == DELIVERY_COMPILED_IN)
		return error_set(err, -EINVAL, "%s: delivery: compiled-in cannot come in a bundle", name);
	return 0;
}

int bundle_unpack(int fd, int into, const char *where, struct bundle *b, struct error *err)
{
	const struct ustar_limits limits = { BUNDLE_PACKED_BYTES, BUNDLE_UNPACKED_BYTES, BUNDLE_FILES };
	struct unpacking u = { .b = b, .where = where, .into = into, .fd = -1, .digest = EVP_MD_CTX_new() };
	const struct ustar_sink sink = { on_begin, on_data, on_end, &u };
	int r = u.digest ? ustar_read(fd, where, &limits, &sink, err) : error_set(err, -ENOMEM, "%s: out of memory", where);

	EVP_MD_CTX_free(u.digest);
	if (u.fd >= 0)
		close(u.fd);
	if (r == 0)
		r = check_manifest(b, where, err);
	if (r == 0)
		r = check_files(b, where, err);
	return r < 0 ? r : check_schema(b, where, err);
}

enum unsupported bundle_unsupported(const struct bundle *b, struct error *err)
{
	const char *arch = strchr(platform_name(), '/') + 1;

	if (strcmp(b->arch, arch) == 0)
		return manifest_unsupported(&b->manifest, false, err);
	(void)error_set(err, -ENOTSUP, "%s %s: built for %s; this host is %s", b->id, b->version, b->arch, arch);
	return UNSUPPORTED_ARCH;
}

struct json_object *bundle_to_json(const struct bundle *b)
{
	struct json_object *o = json_object_new_object(), *files = json_object_new_array();
	char caps[256];

	json_object_object_add(o, "id", json_object_new_string(b->id));
	json_object_object_add(o, "version", json_object_new_string(b->version));
	json_object_object_add(o, "os", json_object_new_string("linux"));
	json_object_object_add(o, "arch", json_object_new_string(b->arch));
	json_object_object_add(o, "sha256", json_object_new_string(b->sha256));
	json_object_object_add(o, "key_id", json_object_new_string(b->key_id));
	json_object_object_add(o, "supervision", json_object_new_string(supervision_name(b->manifest.supervision)));
	json_object_object_add(o, "os_capabilities",
			       json_object_new_string(caps_format(b->manifest.requires.os_capabilities, caps, sizeof(caps))));
	for (unsigned i = 0; i < b->n_files; i++) {
		struct json_object *f = json_object_new_object();

		json_object_object_add(f, "name", json_object_new_string(b->files[i].name));
		json_object_object_add(f, "size", json_object_new_int64((int64_t)b->files[i].size));
		json_object_object_add(f, "sha256", json_object_new_string(b->files[i].sha256));
		json_object_array_add(files, f);
	}
	json_object_object_add(o, "files", files);
	return o;
}

void bundle_free(struct bundle *b)
{
	for (unsigned i = 0; i < b->n_files; i++)
		free(b->files[i].text);
	free(b->files);
	manifest_free(&b->manifest);
	*b = (struct bundle){ 0 };
}
