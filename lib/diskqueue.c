/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/diskqueue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/fs.h"

#define MAGIC       "SRQUEUE1"
#define MAGIC_BYTES 8u
#define NAME_BYTES  32u
#define CURSOR      "cursor"
#define CURSOR_TEXT "%016" PRIx64 " %016" PRIx64 "\n"
#define CURSOR_LENGTH 34u
#define RECOUNT_US  200000u
#define FLUSH_AT    (256u * 1024)
#define READ_BYTES  (256u * 1024)

struct header {
	uint32_t length, type, crc;
};

static uint32_t crc_of(const struct header *h, const uint8_t *bytes)
{
	uint32_t fields[2] = { h->length, h->type };
	uLong crc = crc32(0, (const Bytef *)fields, sizeof(fields));

	return (uint32_t)crc32(crc, bytes, h->length);
}

static void name_of(uint64_t segment, char name[NAME_BYTES])
{
	(void)snprintf(name, NAME_BYTES, "%016" PRIx64 ".q", segment);
}

static bool parse_name(const char *name, uint64_t *segment)
{
	char again[NAME_BYTES];

	if (sscanf(name, "%16" SCNx64, segment) != 1)
		return false;
	name_of(*segment, again);
	return strcmp(name, again) == 0;
}

/* Calls `fn` for each segment; the order is the directory's. */
static int each_segment(int dir, void (*fn)(int dir, uint64_t segment, const char *name, void *userdata), void *userdata)
{
	_cleanup_close_ int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* an offset of its own */
	_cleanup_closedir_ DIR *d = fdopendir_steal(&again);
	struct dirent *e;
	uint64_t segment;

	if (!d)
		return -errno;
	while (errno = 0, (e = readdir(d)))
		if (parse_name(e->d_name, &segment))
			fn(dir, segment, e->d_name, userdata);
	return -errno;
}

/* ---- to append ---- */

struct totals {
	uint64_t bytes, highest;
};

static void add_segment(int dir, uint64_t segment, const char *name, void *userdata)
{
	struct totals *t = userdata;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		t->bytes += (uint64_t)st.st_size;
	if (segment > t->highest)
		t->highest = segment;
}

static int count(struct diskqueue *q, struct totals *t)
{
	int r;

	*t = (struct totals){ 0 };
	r = each_segment(q->dir, add_segment, t);
	q->looked_us = clock_us();
	if (r == 0)
		q->used = t->bytes;
	return r;
}

static int begin_segment(struct diskqueue *q, uint64_t segment)
{
	_cleanup_close_ int fd = -1;
	char name[NAME_BYTES];

	name_of(segment, name);
	fd = openat(q->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, MAGIC, MAGIC_BYTES) != MAGIC_BYTES) {
		int r = errno ? -errno : -ENOSPC;

		(void)unlinkat(q->dir, name, 0);
		return r;
	}
	if (q->fd >= 0)
		close(q->fd);
	q->fd = steal_fd(&fd);
	q->segment = segment;
	q->size = MAGIC_BYTES;
	q->used += MAGIC_BYTES;
	return 0;
}

int diskqueue_open(struct diskqueue *q, int dir, uint64_t limit, struct error *err)
{
	struct totals t;
	int r;

	*q = (struct diskqueue){ .dir = dir, .fd = -1, .limit = limit };
	q->segment_bytes = limit / 8 < DISKQUEUE_SEGMENT_MAX ? limit / 8 : DISKQUEUE_SEGMENT_MAX;
	r = count(q, &t);
	if (r == 0)
		r = begin_segment(q, t.highest + 1);
	if (r < 0) {
		(void)error_set(err, r, "the queue cannot be opened: %s", strerror(-r));
		diskqueue_close(q);
	}
	return r;
}

static bool has_room(struct diskqueue *q, size_t more)
{
	struct totals t;

	if (q->used + q->buffered + more <= q->limit)
		return true;
	if (clock_us() - q->looked_us < RECOUNT_US || count(q, &t) < 0)
		return false;
	return q->used + q->buffered + more <= q->limit;
}

static int make_space(struct diskqueue *q, size_t more)
{
	size_t capacity = q->capacity ? q->capacity : 4096;
	uint8_t *bigger;

	if (q->buffered + more <= q->capacity)
		return 0;
	while (capacity < q->buffered + more)
		capacity *= 2;
	bigger = realloc(q->buf, capacity);
	if (!bigger)
		return -ENOMEM;
	q->buf = bigger;
	q->capacity = capacity;
	return 0;
}

int diskqueue_append(struct diskqueue *q, uint32_t type, const void *bytes, size_t size)
{
	struct header h = { (uint32_t)size, type, 0 };
	size_t more = sizeof(h) + size;
	int r = size > DISKQUEUE_RECORD_MAX ? -EMSGSIZE : !has_room(q, more) ? -ENOSPC : 0;

	if (r == 0 && q->buffered && q->buffered + more > FLUSH_AT)
		(void)diskqueue_flush(q);
	if (r == 0)
		r = make_space(q, more);
	if (r < 0) {
		q->dropped++;
		return r;
	}
	h.crc = crc_of(&h, bytes);
	memcpy(q->buf + q->buffered, &h, sizeof(h));
	memcpy(q->buf + q->buffered + sizeof(h), bytes, size);
	q->buffered += more;
	q->buffered_records++;
	return 0;
}

static int write_buffered(struct diskqueue *q)
{
	size_t done;
	int r = fs_write_all(q->fd, q->buf, q->buffered, &done);

	if (r == 0) {
		q->size += done;
		q->used += done;
	} else if (done && ftruncate(q->fd, (off_t)q->size) < 0) {
		(void)begin_segment(q, q->segment + 1); /* the torn record is the last of its segment */
	}
	return r;
}

int diskqueue_flush(struct diskqueue *q)
{
	int r = 0;

	if (!q->buffered)
		return 0;
	if (q->size + q->buffered > q->segment_bytes && q->size > MAGIC_BYTES)
		r = begin_segment(q, q->segment + 1);
	if (r == 0)
		r = write_buffered(q);
	if (r < 0)
		q->dropped += q->buffered_records;
	else
		q->appended += q->buffered_records;
	q->last_error = -r;
	q->buffered = 0;
	q->buffered_records = 0;
	return r;
}

void diskqueue_close(struct diskqueue *q)
{
	if (q->fd >= 0)
		(void)diskqueue_flush(q);
	if (q->fd >= 0)
		close(q->fd);
	if (q->dir >= 0)
		close(q->dir);
	free(q->buf);
	*q = (struct diskqueue){ .dir = -1, .fd = -1 };
}

/* ---- to take away ---- */

static void read_cursor(struct diskqueue_reader *r)
{
	char text[CURSOR_LENGTH + 1] = "";
	struct diskqueue_position p;

	if (pread(r->cursor, text, CURSOR_LENGTH, 0) == (ssize_t)CURSOR_LENGTH && text[CURSOR_LENGTH - 1] == '\n' &&
	    sscanf(text, "%16" SCNx64 " %16" SCNx64, &p.segment, &p.offset) == 2)
		r->confirmed = p;
}

int diskqueue_reader_open(struct diskqueue_reader *r, int dir, struct error *err)
{
	*r = (struct diskqueue_reader){ .dir = dir, .fd = -1, .cursor = -1 };
	r->cursor = openat(dir, CURSOR, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->cursor < 0) {
		int e = errno;

		diskqueue_reader_close(r);
		return error_set(err, -e, "the queue's cursor cannot be opened: %s", strerror(e));
	}
	read_cursor(r);
	r->at = r->confirmed;
	return 0;
}

struct search {
	uint64_t from, found;
	bool any;
};

static void nearer(int dir, uint64_t segment, const char *name, void *userdata)
{
	struct search *s = userdata;

	(void)dir;
	(void)name;
	if (segment < s->from || (s->any && segment >= s->found))
		return;
	s->found = segment;
	s->any = true;
}

/* The lowest segment from `from` on. */
static bool find_segment(const struct diskqueue_reader *r, uint64_t from, uint64_t *found)
{
	struct search s = { .from = from };

	if (each_segment(r->dir, nearer, &s) < 0 || !s.any)
		return false;
	*found = s.found;
	return true;
}

static void leave_segment(struct diskqueue_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->start = r->filled = 0;
}

/* 1 when the segment at `at` is open, 0 when there is none yet. */
static int open_segment(struct diskqueue_reader *r)
{
	char magic[MAGIC_BYTES], name[NAME_BYTES];
	uint64_t segment;

	if (r->fd >= 0)
		return 1;
	if (!find_segment(r, r->at.segment, &segment))
		return 0;
	if (segment != r->at.segment || r->at.offset < MAGIC_BYTES)
		r->at = (struct diskqueue_position){ segment, MAGIC_BYTES };
	name_of(segment, name);
	r->fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0)
		return -errno;
	if (pread(r->fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) && memcmp(magic, MAGIC, sizeof(magic)) == 0)
		return 1;
	leave_segment(r); /* its header is not written yet; or never will be, and a later one is there */
	if (!find_segment(r, segment + 1, &segment))
		return 0;
	r->at = (struct diskqueue_position){ segment, MAGIC_BYTES };
	return open_segment(r);
}

/* Has at least `want` bytes in the buffer, if the file has them. */
static int fill(struct diskqueue_reader *r, size_t want)
{
	if (r->filled - r->start >= want)
		return 0;
	if (want > r->capacity) {
		size_t capacity = want > READ_BYTES ? want : READ_BYTES;
		uint8_t *bigger = realloc(r->buf, capacity);

		if (!bigger)
			return -ENOMEM;
		r->buf = bigger;
		r->capacity = capacity;
	}
	memmove(r->buf, r->buf + r->start, r->filled - r->start);
	r->filled -= r->start;
	r->start = 0;
	while (r->filled < want) {
		ssize_t n = pread(r->fd, r->buf + r->filled, r->capacity - r->filled, (off_t)(r->at.offset + r->filled));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		r->filled += (size_t)n;
	}
	return 0;
}

/* 1: a whole record that is right. 0: not (yet). */
static int look(struct diskqueue_reader *r, struct diskqueue_record *out)
{
	struct header h;
	int e = fill(r, sizeof(h));

	if (e < 0)
		return e;
	if (r->filled - r->start < sizeof(h))
		return 0;
	memcpy(&h, r->buf + r->start, sizeof(h));
	if (h.length > DISKQUEUE_RECORD_MAX)
		return 0;
	e = fill(r, sizeof(h) + h.length);
	if (e < 0)
		return e;
	if (r->filled - r->start < sizeof(h) + h.length || crc_of(&h, r->buf + r->start + sizeof(h)) != h.crc)
		return 0;
	*out = (struct diskqueue_record){ h.type, h.length, r->buf + r->start + sizeof(h), r->at };
	r->start += sizeof(h) + h.length;
	r->at.offset += sizeof(h) + h.length;
	return 1;
}

int diskqueue_read(struct diskqueue_reader *r, struct diskqueue_record *out)
{
	for (;;) {
		uint64_t next;
		struct stat st;
		int e = open_segment(r);

		if (e <= 0)
			return e;
		e = look(r, out);
		if (e != 0)
			return e;
		/* A segment is written to its end before a later one is there: so look once more when there is one. */
		if (!find_segment(r, r->at.segment + 1, &next))
			return 0;
		r->filled = r->start; /* what was read may have been half written */
		e = look(r, out);
		if (e != 0)
			return e;
		if (fstat(r->fd, &st) == 0 && (uint64_t)st.st_size > r->at.offset)
			r->lost += (uint64_t)st.st_size - r->at.offset;
		leave_segment(r);
		r->at = (struct diskqueue_position){ next, MAGIC_BYTES };
	}
}

static void forget_segment(int dir, uint64_t segment, const char *name, void *userdata)
{
	if (segment < *(const uint64_t *)userdata)
		(void)unlinkat(dir, name, 0);
}

int diskqueue_confirm(struct diskqueue_reader *r, struct diskqueue_position to)
{
	bool left = to.segment != r->confirmed.segment;
	char text[CURSOR_LENGTH + 1];

	if (!left && to.offset == r->confirmed.offset)
		return 0;
	(void)snprintf(text, sizeof(text), CURSOR_TEXT, to.segment, to.offset);
	if (pwrite(r->cursor, text, CURSOR_LENGTH, 0) != (ssize_t)CURSOR_LENGTH)
		return errno ? -errno : -ENOSPC;
	r->confirmed = to;
	return left ? each_segment(r->dir, forget_segment, &to.segment) : 0;
}

void diskqueue_rewind(struct diskqueue_reader *r)
{
	leave_segment(r);
	r->at = r->confirmed;
}

struct sum {
	struct diskqueue_position confirmed;
	uint64_t bytes;
};

static void add_waiting(int dir, uint64_t segment, const char *name, void *userdata)
{
	struct sum *s = userdata;
	uint64_t from = segment == s->confirmed.segment && s->confirmed.offset > MAGIC_BYTES ? s->confirmed.offset : MAGIC_BYTES;
	struct stat st;

	if (segment >= s->confirmed.segment && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size > from)
		s->bytes += (uint64_t)st.st_size - from;
}

uint64_t diskqueue_waiting(const struct diskqueue_reader *r)
{
	struct sum s = { r->confirmed, 0 };

	(void)each_segment(r->dir, add_waiting, &s);
	return s.bytes;
}

void diskqueue_reader_close(struct diskqueue_reader *r)
{
	leave_segment(r);
	if (r->cursor >= 0)
		close(r->cursor);
	if (r->dir >= 0)
		close(r->dir);
	free(r->buf);
	*r = (struct diskqueue_reader){ .dir = -1, .fd = -1, .cursor = -1 };
}

/* ---- neither ---- */

static void delete_segment(int dir, uint64_t segment, const char *name, void *userdata)
{
	(void)segment;
	(void)userdata;
	(void)unlinkat(dir, name, 0);
}

int diskqueue_clear(int dir)
{
	struct diskqueue_reader r;
	struct error err = { .text = "" };
	int copy = fcntl(dir, F_DUPFD_CLOEXEC, 0), e;
	uint64_t waiting;

	if (copy < 0)
		return -errno;
	e = diskqueue_reader_open(&r, copy, &err);
	if (e < 0)
		return e;
	waiting = diskqueue_waiting(&r);
	diskqueue_reader_close(&r);
	if (waiting > 0)
		return -EBUSY;
	/* The cursor first: without it segments are read again, with it and without them new ones would be taken for confirmed. */
	if (unlinkat(dir, CURSOR, 0) < 0)
		return -errno;
	return each_segment(dir, delete_segment, NULL);
}
