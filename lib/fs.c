/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

static int check_trusted(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (st.st_uid != 0)
		return error_set(err, -EPERM, "%s: a directory on the way is owned by uid %u, not by root", path, st.st_uid);
	if ((st.st_mode & 022) && !(st.st_mode & S_ISVTX))
		return error_set(err, -EPERM, "%s: a directory on the way is writable by others (mode %04o)", path,
				 st.st_mode & 07777u);
	return 0;
}

/* A root-owned relative link directly below the root, as merged /usr has (/lib -> usr/lib), to one directory. */
static int open_root_link(int rootfd, const char *name)
{
	char target[256];
	struct stat st;
	ssize_t n;

	if (fstatat(rootfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode) || st.st_uid != 0)
		return -ELOOP;
	n = readlinkat(rootfd, name, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	if (n == 0 || target[0] == '/' || strstr(target, ".."))
		return -ELOOP;
	n = openat(rootfd, target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return n < 0 ? -errno : (int)n;
}

static int walk(int rootfd, const char *path, bool trusted, bool make, mode_t mode, struct error *err)
{
	_cleanup_close_ int fd = -1;
	const char *p = path;
	bool top = true;
	int r;

	if (*p != '/')
		return error_set(err, -EINVAL, "%s: not an absolute path", path);
	fd = openat(rootfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: cannot open the root: %s", path, strerror(errno));
	while (*p == '/') {
		char name[NAME_MAX + 1];
		size_t n = strcspn(++p, "/");
		int next;

		if (n == 0 && !*p && top)
			break; /* "/" itself */
		if (n == 0 || n > NAME_MAX || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return error_set(err, -EINVAL, "%s: not a plain path", path);
		memcpy(name, p, n);
		name[n] = '\0';
		next = openat(fd, name, DIR_FLAGS);
		if (next < 0 && errno == ENOENT && make) {
			if (mkdirat(fd, name, mode) < 0 && errno != EEXIST)
				return error_set(err, -errno, "%s: cannot make %s: %s", path, name, strerror(errno));
			next = openat(fd, name, DIR_FLAGS);
			if (next >= 0 && fchmod(next, mode) < 0) { /* the umask may have taken bits */
				r = -errno;
				close(next);
				return error_set(err, r, "%s: cannot set the mode of %s: %s", path, name, strerror(-r));
			}
		}
		if (next < 0) {
			r = -errno;
			if (top && (r == -ELOOP || r == -ENOTDIR)) {
				next = open_root_link(fd, name);
				if (next < 0 && next != -ELOOP)
					r = next;
			}
			if (next < 0) {
				if (r == -ENOTDIR) {
					struct stat st;

					if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
						r = -ELOOP;
				}
				return error_set(err, r, "%s: cannot open directory %s: %s", path, name,
						 r == -ELOOP ? "it is a symbolic link" : strerror(-r));
			}
		}
		close(fd);
		fd = next;
		if (trusted) {
			r = check_trusted(fd, path, err);
			if (r < 0)
				return r;
		}
		p += n;
		top = false;
	}
	return steal_fd(&fd);
}

int fs_open_dir(int rootfd, const char *path, bool trusted, struct error *err)
{
	return walk(rootfd, path, trusted, false, 0, err);
}

int fs_make_dirs(int rootfd, const char *path, mode_t mode, struct error *err)
{
	return walk(rootfd, path, true, true, mode, err);
}

int fs_open_file(int dirfd, const char *name, const char *shown, struct error *err)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", shown,
				 errno == ELOOP ? "is a symbolic link; a regular file is needed" : strerror(errno));
	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", shown, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", shown);
	return steal_fd(&fd);
}

int fs_read_file(int dirfd, const char *path, size_t limit, char **data, size_t *size, struct error *err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	return fs_read_fd(fd, path, limit, data, size, err);
}

int fs_read_fd(int fd, const char *path, size_t limit, char **data, size_t *size, struct error *err)
{
	_cleanup_free_ char *buf = NULL;
	size_t used = 0, capacity = 4096;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", path);
	if (st.st_size > 0 && (uintmax_t)st.st_size > limit)
		return error_set(err, -EFBIG, "%s: larger than %zu bytes", path, limit);
	if ((size_t)st.st_size >= capacity)
		capacity = (size_t)st.st_size + 1;
	buf = malloc(capacity);
	if (!buf)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	for (;;) { /* until the end: files of /proc and /sys say size 0 */
		ssize_t n;

		if (used + 1 >= capacity) {
			char *more = realloc(buf, capacity * 2);

			if (!more)
				return error_set(err, -ENOMEM, "%s: out of memory", path);
			buf = more;
			capacity *= 2;
		}
		n = read(fd, buf + used, capacity - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -errno, "%s: %s", path, strerror(errno));
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > limit)
			return error_set(err, -EFBIG, "%s: larger than %zu bytes", path, limit);
	}
	buf[used] = '\0';
	*data = steal_ptr(&buf);
	if (size)
		*size = used;
	return 0;
}

int fs_write_all(int fd, const void *data, size_t size, size_t *done)
{
	const char *p = data;
	size_t at = 0;
	int r = 0;

	while (at < size && r == 0) {
		ssize_t n = write(fd, p + at, size - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = n == 0 ? -ENOSPC : -errno;
	}
	if (done)
		*done = at;
	return r;
}

static int temporary_name(char *buf, size_t size, const char *name)
{
	int n = snprintf(buf, size, ".%s.new", name);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int fill(int fd, const void *data, size_t size, mode_t mode, uid_t uid, gid_t gid)
{
	int r = fs_write_all(fd, data, size, NULL);

	if (r < 0)
		return r;
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
		return -errno;
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

int fs_write_atomic(int dirfd, const char *name, const void *data, size_t size, mode_t mode, uid_t uid, gid_t gid,
		    struct error *err)
{
	_cleanup_close_ int fd = -1;
	char tmp[NAME_MAX + 1];
	int r = temporary_name(tmp, sizeof(tmp), name);

	if (r < 0)
		return error_set(err, r, "%s: name too long", name);
	(void)unlinkat(dirfd, tmp, 0); /* left by a crash */
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, -errno, "%s: cannot write: %s", name, strerror(errno));
	r = fill(fd, data, size, mode, uid, gid);
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r == 0 && fsync(dirfd) < 0)
		return error_set(err, -errno, "%s: cannot sync the directory: %s", name, strerror(errno));
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return error_set(err, r, "%s: cannot write: %s", name, strerror(-r));
	}
	return 0;
}

int fs_symlink_atomic(int dirfd, const char *name, const char *target, struct error *err)
{
	char tmp[NAME_MAX + 1], now[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, now, sizeof(now) - 1);
	int r;

	if (n >= 0) {
		now[n] = '\0';
		if (strcmp(now, target) == 0)
			return 0;
	}
	r = temporary_name(tmp, sizeof(tmp), name);
	if (r < 0)
		return error_set(err, r, "%s: name too long", name);
	(void)unlinkat(dirfd, tmp, 0);
	if (symlinkat(target, dirfd, tmp) < 0)
		return error_set(err, -errno, "%s: cannot make the link: %s", name, strerror(errno));
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		r = -errno;
		(void)unlinkat(dirfd, tmp, 0);
		return error_set(err, r, "%s: cannot move the link: %s", name, strerror(-r));
	}
	if (fsync(dirfd) < 0)
		return error_set(err, -errno, "%s: cannot sync the directory: %s", name, strerror(errno));
	return 0;
}

static void free_digest(EVP_MD_CTX **ctx)
{
	EVP_MD_CTX_free(*ctx);
}

int fs_sha256_fd(int fd, char hex[65], struct error *err)
{
	_cleanup_(free_digest) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE], buf[16384];
	unsigned int size = 0;
	off_t offset = 0;

	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		return error_set(err, -ENOMEM, "SHA-256 is not available");
	for (;;) {
		ssize_t n = pread(fd, buf, sizeof(buf), offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -errno, "cannot read for the digest: %s", strerror(errno));
		if (n == 0)
			break;
		if (EVP_DigestUpdate(ctx, buf, (size_t)n) != 1)
			return error_set(err, -EIO, "SHA-256 failed");
		offset += n;
	}
	if (EVP_DigestFinal_ex(ctx, digest, &size) != 1 || size != 32)
		return error_set(err, -EIO, "SHA-256 failed");
	for (unsigned int i = 0; i < size; i++)
		(void)snprintf(hex + (size_t)i * 2, 3, "%02x", digest[i]);
	return 0;
}

static int lookup_below(const char *root, const char *name, uid_t *uid, gid_t *gid)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	struct passwd *pw;

	if (asprintf(&path, "%s/etc/passwd", root) < 0)
		return -ENOMEM;
	f = fopen(path, "re");
	if (!f)
		return -ENOENT;
	while ((pw = fgetpwent(f))) {
		if (strcmp(pw->pw_name, name) != 0)
			continue;
		if (uid)
			*uid = pw->pw_uid;
		if (gid)
			*gid = pw->pw_gid;
		return 0;
	}
	return -ENOENT;
}

int fs_lookup_user(const char *root, const char *name, uid_t *uid, gid_t *gid)
{
	struct passwd pw, *found = NULL;
	char buf[4096];
	int r;

	if (root && *root && strcmp(root, "/") != 0)
		return lookup_below(root, name, uid, gid);
	r = getpwnam_r(name, &pw, buf, sizeof(buf), &found);
	if (r != 0 || !found)
		return -ENOENT;
	if (uid)
		*uid = pw.pw_uid;
	if (gid)
		*gid = pw.pw_gid;
	return 0;
}

#define TREE_DEPTH 16

static int remove_tree(int parent, const char *name, unsigned depth)
{
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int fd = -1;
	const struct dirent *e;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (depth >= TREE_DEPTH)
		return -ELOOP;
	if (geteuid() == 0 && fchownat(parent, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir_steal(&fd);
	if (!dir)
		return -errno;
	for (errno = 0; (e = readdir(dir)); errno = 0) {
		int r = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ? 0 : remove_tree(dirfd(dir), e->d_name, depth + 1);

		if (r < 0)
			return r;
	}
	if (errno)
		return -errno;
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int fs_remove_tree(int dirfd, const char *name, struct error *err)
{
	int r = remove_tree(dirfd, name, 0);

	return r < 0 ? error_set(err, r, "%s: cannot remove: %s", name, strerror(-r)) : 0;
}

bool fs_temporary(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && name[0] == '.' && strcmp(name + n - 4, ".new") == 0;
}
