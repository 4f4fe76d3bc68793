/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "lib/fs.h"
#include "lib/paths.h"

#define MAX_KEYS      64
#define REVOKED_BYTES 65536

static int read_owned(int dirfd, const char *name, const char *shown, size_t limit, char **text, size_t *size, struct error *err)
{
	_cleanup_close_ int fd = fs_open_file(dirfd, name, shown, err);
	struct error why;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", shown, strerror(errno));
	if (st.st_uid != 0 || (st.st_mode & 022))
		return error_set(err, -EPERM, "%s: must be root's and writable by nobody else (owner %u, mode %04o)", shown, st.st_uid,
				 st.st_mode & 07777u);
	r = fs_read_fd(fd, shown, limit, text, size, &why);
	return r < 0 ? error_set(err, r, "%s: %s", shown, strerror(-r)) : 0;
}

static int add(struct keyring *k, const struct minisign_key *key)
{
	struct minisign_key *more;

	if (k->n >= MAX_KEYS)
		return -E2BIG;
	more = reallocarray(k->keys, k->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	k->keys = more;
	k->keys[k->n++] = *key;
	return 0;
}

static int load_key(struct keyring *k, int dirfd, const char *name, const char *shown)
{
	_cleanup_free_ char *text = NULL;
	struct minisign_key key;
	size_t size = 0;

	if (read_owned(dirfd, name, shown, MINISIGN_MAX_BYTES, &text, &size, &k->skipped) < 0 ||
	    minisign_key_parse(text, size, shown, &key, &k->skipped) < 0)
		return 0;
	return add(k, &key);
}

static int load_dir(struct keyring *k, int rootfd, const char *path, struct error *err)
{
	_cleanup_close_ int fd = fs_open_dir(rootfd, path, true, err);
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *e;
	int r = 0;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	dir = fdopendir_steal(&fd);
	while (dir && r == 0 && (e = readdir(dir))) {
		size_t n = strlen(e->d_name);
		char shown[512];

		if (e->d_name[0] == '.' || n < 5 || strcmp(e->d_name + n - 4, ".pub") != 0)
			continue;
		(void)snprintf(shown, sizeof(shown), "%s/%s", path, e->d_name);
		r = load_key(k, dirfd(dir), e->d_name, shown);
		if (r < 0)
			return error_set(err, r, "%s: %s", shown, r == -E2BIG ? "more than 64 keys" : strerror(-r));
	}
	return 0;
}

static int add_revoked(struct keyring *k, char *text, const char *shown, struct error *err)
{
	unsigned number = 0;
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n"));) {
		uint8_t(*more)[8];

		number++;
		line[strcspn(line, "#")] = '\0';
		line += strspn(line, " \t\r");
		line[strcspn(line, " \t\r")] = '\0';
		if (!*line)
			continue;
		more = reallocarray(k->revoked, k->n_revoked + 1, sizeof(*more));
		if (!more)
			return error_set(err, -ENOMEM, "%s: out of memory", shown);
		k->revoked = more;
		if (minisign_id_parse(line, k->revoked[k->n_revoked]) < 0)
			return error_set(err, -EINVAL, "%s:%u: \"%.40s\" is no key id (16 hex digits, or those that minisign prints): as long as it is there nothing verifies",
					 shown, number, line);
		k->n_revoked++;
	}
	return 0;
}

static int load_revoked(struct keyring *k, int rootfd, struct error *err)
{
	static const char shown[] = SR_KEYS_OPERATOR "/revoked";
	_cleanup_close_ int dir = fs_open_dir(rootfd, SR_KEYS_OPERATOR, true, err);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	r = read_owned(dir, "revoked", shown, REVOKED_BYTES, &text, &size, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (!text || strlen(text) != size)
		return error_set(err, -EINVAL, "%s: holds a NUL byte", shown);
	return add_revoked(k, text, shown, err);
}

int keyring_load(int rootfd, struct keyring *out, struct error *err)
{
	_cleanup_keyring_ struct keyring k = { 0 };
	int r = load_dir(&k, rootfd, SR_KEYS_VENDOR, err);

	*out = (struct keyring){ 0 };
	if (r == 0)
		r = load_dir(&k, rootfd, SR_KEYS_OPERATOR, err);
	if (r == 0)
		r = load_revoked(&k, rootfd, err);
	if (r < 0)
		return r;
	*out = k;
	k = (struct keyring){ 0 };
	return 0;
}

int keyring_add_file(struct keyring *k, const char *path, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct minisign_key key;
	size_t size = 0;
	int r = fs_read_file(AT_FDCWD, path, MINISIGN_MAX_BYTES, &text, &size, err);

	if (r == 0)
		r = minisign_key_parse(text, size, path, &key, err);
	if (r < 0)
		return r;
	r = add(k, &key);
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

void keyring_free(struct keyring *k)
{
	free(k->keys);
	free(k->revoked);
	*k = (struct keyring){ 0 };
}

bool keyring_revoked(const struct keyring *k, const uint8_t id[8])
{
	for (size_t i = 0; i < k->n_revoked; i++)
		if (memcmp(k->revoked[i], id, 8) == 0)
			return true;
	return false;
}

int keyring_verify(const struct keyring *k, const struct minisign_signature *sig, const uint8_t hash[MINISIGN_HASH_BYTES],
		   const char *where, struct error *err)
{
	bool known = false;
	char id[17];

	minisign_id_format(sig->id, id);
	for (size_t i = 0; i < k->n; i++) {
		int r = minisign_verify(&k->keys[i], sig, hash);

		if (r == 0 && keyring_revoked(k, sig->id))
			return error_set(err, -EKEYREVOKED, "%s: signed by the key %s, which is revoked: " SR_KEYS_OPERATOR "/revoked", where, id);
		if (r == 0)
			return 0;
		known = known || r != -ENOKEY;
	}
	if (known)
		return error_set(err, -EPERM, "%s: the signature does not hold: the file or its signature was changed (key %s)", where, id);
	return error_set(err, -EPERM, "%s: signed by the key %s, which this host does not trust%s%s", where, id,
			 *k->skipped.text ? "; not usable: " : ": keys are in " SR_KEYS_VENDOR " and " SR_KEYS_OPERATOR, k->skipped.text);
}
