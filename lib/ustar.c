/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/ustar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK  512u
#define BUFFER 65536u

/* IEEE Std 1003.1, "ustar Header Block" */
struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2], user[32],
		group[32], major[8], minor[8], prefix[155], padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

struct reader {
	int fd;
	const char *where;
	const struct ustar_limits *limits;
	struct error *err;
	z_stream z;
	off_t offset;       /* of the next read */
	uint64_t unpacked;
	int ended;          /* the gzip member is at its end */
	size_t pos, filled; /* of out */
	unsigned char in[BUFFER], out[BUFFER];
};

static int fill_input(struct reader *r)
{
	ssize_t n;

	do
		n = pread(r->fd, r->in, sizeof(r->in), r->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(r->err, -errno, "%s: cannot read: %s", r->where, strerror(errno));
	r->offset += n;
	if ((uint64_t)r->offset > r->limits->packed)
		return error_set(r->err, -EFBIG, "%s: larger than %llu bytes", r->where, (unsigned long long)r->limits->packed);
	r->z.next_in = r->in;
	r->z.avail_in = (uInt)n;
	return n == 0 ? error_set(r->err, -EINVAL, "%s: ends in the middle: it was cut off", r->where) : 0;
}

/* Makes more output. At the end of the compressed data nothing is made and `ended` is set. */
static int more(struct reader *r)
{
	r->pos = r->filled = 0;
	r->z.next_out = r->out;
	r->z.avail_out = sizeof(r->out);
	while (!r->ended && r->z.avail_out == sizeof(r->out)) {
		int e = r->z.avail_in ? 0 : fill_input(r);

		if (e < 0)
			return e;
		e = inflate(&r->z, Z_NO_FLUSH);
		if (e == Z_STREAM_END)
			r->ended = 1;
		else if (e != Z_OK && e != Z_BUF_ERROR)
			return error_set(r->err, -EINVAL, "%s: not gzip, or damaged: %s", r->where, r->z.msg ? r->z.msg : "no reason given");
	}
	r->filled = sizeof(r->out) - r->z.avail_out;
	r->unpacked += r->filled;
	if (r->unpacked > r->limits->unpacked)
		return error_set(r->err, -EFBIG, "%s: unpacks to more than %llu bytes", r->where, (unsigned long long)r->limits->unpacked);
	return 0;
}

/* Up to `size` bytes where they lie; they stay valid until the next call. */
static int take(struct reader *r, uint64_t size, const unsigned char **data, size_t *n)
{
	*data = r->out;
	*n = 0;
	if (r->pos == r->filled) {
		int e = more(r);

		if (e < 0)
			return e;
		if (r->filled == 0)
			return error_set(r->err, -EINVAL, "%s: the archive ends in the middle: two zero blocks must end it", r->where);
	}
	*n = r->filled - r->pos < size ? r->filled - r->pos : (size_t)size;
	*data = r->out + r->pos;
	r->pos += *n;
	return 0;
}

static int take_block(struct reader *r, unsigned char block[BLOCK])
{
	size_t have = 0;

	while (have < BLOCK) {
		const unsigned char *data;
		size_t n;
		int e = take(r, BLOCK - have, &data, &n);

		if (e < 0)
			return e;
		memcpy(block + have, data, n);
		have += n;
	}
	return 0;
}

static int all_zero(const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		if (p[i])
			return 0;
	return 1;
}

/* Octal digits that fill the field up to one NUL or space at its end; every ustar writer pads with zeros. */
static int octal(const char *field, size_t n, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n - 1; i++) {
		if (field[i] < '0' || field[i] > '7')
			return -EINVAL;
		*out = *out << 3 | (unsigned)(field[i] - '0');
	}
	return field[n - 1] == '\0' || field[n - 1] == ' ' ? 0 : -EINVAL;
}

/* The sum of all bytes, with the field itself taken as spaces: six digits, NUL, space. */
static int checksum_holds(const struct header *h)
{
	const unsigned char *p = (const void *)h;
	uint64_t sum = 0, said;

	for (size_t i = 0; i < BLOCK; i++)
		sum += i >= offsetof(struct header, checksum) && i < offsetof(struct header, type) ? ' ' : p[i];
	return octal(h->checksum, 7, &said) == 0 && h->checksum[7] == ' ' && said == sum;
}

static int optional_octal(const char *field, size_t n)
{
	uint64_t v;

	return all_zero(field, n) || (octal(field, n, &v) == 0 && v == 0);
}

/* A name for messages, whatever the bytes are: error_set makes them printable. */
static int bad(struct reader *r, const struct ustar_entry *e, const char *what)
{
	return error_set(r->err, -EINVAL, "%s: entry \"%s\": %s", r->where, e->name, what);
}

static int check_type(struct reader *r, const struct ustar_entry *e, char type)
{
	static const struct {
		char type;
		const char *what;
	} known[] = {
		{ '1', "a hard link; only regular files are allowed" }, { '2', "a symbolic link; only regular files are allowed" },
		{ '3', "a device; only regular files are allowed" },    { '4', "a device; only regular files are allowed" },
		{ '5', "a directory; only regular files are allowed" }, { '6', "a FIFO; only regular files are allowed" },
		{ 'x', "a pax extended header; only ustar is allowed" }, { 'g', "a pax global header; only ustar is allowed" },
		{ 'L', "a GNU long name; only ustar is allowed" },       { 'K', "a GNU long link; only ustar is allowed" },
		{ 'S', "a GNU sparse file; only ustar is allowed" },
	};

	if (type == '0')
		return 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].type == type)
			return bad(r, e, known[i].what);
	return bad(r, e, "of an unknown type; only regular files (type 0) are allowed");
}

static int parse(struct reader *r, const struct header *h, struct ustar_entry *e)
{
	uint64_t mode, ignored;

	memcpy(e->name, h->name, sizeof(h->name));
	e->name[sizeof(h->name)] = '\0';
	if (!checksum_holds(h))
		return bad(r, e, "the header's checksum is wrong");
	if (memcmp(h->magic, "ustar", 6) != 0 || memcmp(h->version, "00", 2) != 0)
		return bad(r, e, "not a ustar header (GNU and old formats are not allowed: tar --format=ustar)");
	if (check_type(r, e, h->type) < 0)
		return -EINVAL;
	if (!memchr(h->name, '\0', sizeof(h->name)) || !all_zero(h->name + strlen(e->name), sizeof(h->name) - strlen(e->name)))
		return bad(r, e, "the name is longer than 99 bytes, or something follows it");
	if (!all_zero(h->prefix, sizeof(h->prefix)) || !all_zero(h->link, sizeof(h->link)) || !all_zero(h->padding, sizeof(h->padding)))
		return bad(r, e, "name prefix, link name and padding must be empty");
	if (octal(h->mode, sizeof(h->mode), &mode) < 0 || octal(h->size, sizeof(h->size), &e->size) < 0)
		return bad(r, e, "mode or size is no octal number");
	if (octal(h->uid, sizeof(h->uid), &ignored) < 0 || octal(h->gid, sizeof(h->gid), &ignored) < 0 ||
	    octal(h->mtime, sizeof(h->mtime), &ignored) < 0)
		return bad(r, e, "owner, group or time is no octal number");
	if (!optional_octal(h->major, sizeof(h->major)) || !optional_octal(h->minor, sizeof(h->minor)))
		return bad(r, e, "a regular file has a device number");
	e->mode = (unsigned)mode & 07777u;
	return mode > 07777u ? bad(r, e, "mode has bits above 07777") : 0;
}

static int file(struct reader *r, const struct ustar_entry *e, const struct ustar_sink *sink)
{
	uint64_t left = e->size;
	int x = sink->begin(sink->arg, e, r->err);

	while (x >= 0 && left > 0) {
		const unsigned char *data;
		size_t n;

		x = take(r, left, &data, &n);
		if (x >= 0)
			x = sink->data(sink->arg, data, n, r->err);
		if (x >= 0)
			left -= n;
	}
	for (left = (BLOCK - e->size % BLOCK) % BLOCK; x >= 0 && left > 0;) {
		const unsigned char *data;
		size_t n;

		x = take(r, left, &data, &n);
		if (x >= 0 && !all_zero(data, n))
			x = bad(r, e, "its last block is not filled up with zeros");
		if (x >= 0)
			left -= n;
	}
	return x < 0 ? x : sink->end(sink->arg, r->err);
}

/* After the first of the two blocks that end an archive. */
static int finish(struct reader *r)
{
	unsigned char block[BLOCK];
	char byte;
	ssize_t n;
	int x = take_block(r, block);

	if (x < 0)
		return x;
	if (!all_zero(block, BLOCK))
		return error_set(r->err, -EINVAL, "%s: one zero block is in the middle of the archive", r->where);
	x = r->pos == r->filled ? more(r) : 0;
	if (x < 0)
		return x;
	if (r->pos != r->filled)
		return error_set(r->err, -EINVAL, "%s: something follows the two zero blocks that end the archive", r->where);
	do
		n = r->z.avail_in ? 1 : pread(r->fd, &byte, 1, r->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(r->err, -errno, "%s: cannot read: %s", r->where, strerror(errno));
	return n == 0 ? 0 : error_set(r->err, -EINVAL, "%s: something follows the compressed archive", r->where);
}

static int archive(struct reader *r, const struct ustar_sink *sink)
{
	for (unsigned i = 0;; i++) {
		struct ustar_entry e = { 0 };
		union {
			unsigned char block[BLOCK];
			struct header h;
		} u;
		int x = take_block(r, u.block);

		if (x < 0)
			return x;
		if (all_zero(u.block, BLOCK))
			return finish(r);
		if (i >= r->limits->entries)
			return error_set(r->err, -EFBIG, "%s: more than %u entries", r->where, r->limits->entries);
		x = parse(r, &u.h, &e);
		if (x == 0)
			x = file(r, &e, sink);
		if (x < 0)
			return x;
	}
}

int ustar_read(int fd, const char *where, const struct ustar_limits *limits, const struct ustar_sink *sink, struct error *err)
{
	struct reader *r = calloc(1, sizeof(*r));
	int x;

	if (!r)
		return error_set(err, -ENOMEM, "%s: out of memory", where);
	r->fd = fd;
	r->where = where;
	r->limits = limits;
	r->err = err;
	if (inflateInit2(&r->z, 15 + 16) != Z_OK) { /* 16: gzip alone, no zlib or raw deflate */
		free(r);
		return error_set(err, -ENOMEM, "%s: out of memory", where);
	}
	x = archive(r, sink);
	(void)inflateEnd(&r->z);
	free(r);
	return x;
}
