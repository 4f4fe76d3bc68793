/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/inbox_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/json.h"

bool inbox_name_valid(const char *name)
{
	size_t n = strlen(name), suffix = strlen(INBOX_SUFFIX);

	return n > suffix && n <= 128 && *name != '.' && strcmp(name + n - suffix, INBOX_SUFFIX) == 0 &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static int check_stat(const struct stat *st, uid_t owner, struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, -EBADMSG, "no regular file");
	if (st->st_uid != owner)
		return error_set(err, -EBADMSG, "owned by uid %u; the add-on runs as uid %u", st->st_uid, owner);
	if (st->st_nlink != 1)
		return error_set(err, -EBADMSG, "has %lu names; it must have one", (unsigned long)st->st_nlink);
	if (st->st_size > (off_t)INBOX_FILE_BYTES)
		return error_set(err, -EBADMSG, "%lld bytes; at most %u are taken", (long long)st->st_size, INBOX_FILE_BYTES);
	return 0;
}

/* What it is is looked at before it is opened, which can do something to a device, and again on what was opened. */
static int read_all(int dirfd, const char *name, uid_t owner, struct inbox_file *f, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(err, -errno, "%s", strerror(errno));
	r = check_stat(&st, owner, err);
	if (r < 0)
		return r;
	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) /* a mode that shuts the agent out stays so */
		return error_set(err, errno == EACCES || errno == ELOOP ? -EBADMSG : -errno, "%s", strerror(errno));
	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s", strerror(errno));
	r = check_stat(&st, owner, err);
	if (r == 0)
		r = fs_read_fd(fd, name, INBOX_FILE_BYTES, &f->text, &f->size, err);
	return r == -EFBIG ? -EBADMSG : r;
}

/* Length of the line at the offset without its newline; SIZE_MAX when there is no newline any more. */
static size_t line_length(const struct inbox_file *f)
{
	const char *at = f->text + f->offset, *end = memchr(at, '\n', f->size - f->offset);

	return end ? (size_t)(end - at) : SIZE_MAX;
}

/* The line becomes a text of its own, as the parser wants it. */
static int parse_line(struct inbox_file *f, size_t length, struct json_object **out, struct error *err)
{
	char where[32];
	int r;

	(void)snprintf(where, sizeof(where), "line %u", f->line + 1);
	f->text[f->offset + length] = '\0';
	r = json_parse(f->text + f->offset, length, where, out, err);
	f->text[f->offset + length] = '\n';
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (!json_object_is_type(*out, json_type_object)) {
		json_object_put(*out);
		*out = NULL;
		return error_set(err, -EBADMSG, "%s: no JSON object", where);
	}
	return 0;
}

static int check_lines(struct inbox_file *f, struct error *err)
{
	if (f->size == 0)
		return error_set(err, -EBADMSG, "empty");
	while (f->offset < f->size) {
		_cleanup_json_ struct json_object *o = NULL;
		size_t length = line_length(f);
		int r;

		if (f->line == INBOX_FILE_LINES)
			return error_set(err, -EBADMSG, "more than %u lines", INBOX_FILE_LINES);
		if (length == SIZE_MAX)
			return error_set(err, -EBADMSG, "line %u: cut off, no newline at its end", f->line + 1);
		if (length > INBOX_LINE_BYTES)
			return error_set(err, -EBADMSG, "line %u: %zu bytes; at most %u are taken", f->line + 1, length, INBOX_LINE_BYTES);
		r = parse_line(f, length, &o, err);
		if (r < 0)
			return r;
		f->offset += length + 1;
		f->line++;
	}
	f->offset = 0;
	f->line = 0;
	return 0;
}

int inbox_file_open(int dirfd, const char *name, uid_t owner, struct inbox_file *out, struct error *err)
{
	struct inbox_file f = { NULL, 0, 0, 0 };
	int r = read_all(dirfd, name, owner, &f, err);

	if (r == 0)
		r = check_lines(&f, err);
	if (r < 0)
		inbox_file_close(&f);
	*out = f;
	return r;
}

int inbox_file_next(struct inbox_file *f, struct json_object **out)
{
	size_t length;
	int r;

	*out = NULL;
	if (f->offset >= f->size)
		return 0;
	length = line_length(f);
	r = parse_line(f, length, out, NULL);
	if (r < 0)
		return r;
	f->offset += length + 1;
	f->line++;
	return 1;
}

void inbox_file_close(struct inbox_file *f)
{
	free(f->text);
	*f = (struct inbox_file){ NULL, 0, 0, 0 };
}
