/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/protojson.h"

#define FLUSH_AT      (64u * 1024)
#define RETRY_US      1000000u
#define DRAIN_BYTES   (4u << 20) /* of what waits, in one go */
#define QUEUE         "file"

void event_file_init(struct event_file *f, int rootfd, const char *path)
{
	*f = (struct event_file){ .rootfd = rootfd, .path = path, .limit = EVENT_FILE_BYTES, .files = EVENT_FILES, .fd = -1 };
}

/* Says what is wrong, once until it changes or is well again; `error` is 0 then. Returns -error. */
static int trouble(struct event_file *f, int error, const char *what)
{
	char dropped[24];

	if (f->last_error == error)
		return -error;
	f->last_error = error;
	f->error[0] = '\0';
	(void)snprintf(dropped, sizeof(dropped), "%llu", (unsigned long long)f->dropped);
	if (error) {
		(void)snprintf(f->error, sizeof(f->error), "%s: %s", what, strerror(error));
		log_event(LOG_LEVEL_ERROR, "the event file takes no events; they wait", "file", f->path, "what", what, "error",
			  strerror(error), NULL);
	} else {
		log_event(LOG_LEVEL_INFO, "events are written again", "file", f->path, "dropped", dropped, NULL);
	}
	return -error;
}

/* The directory, and the file's name in it. */
static int open_parent(struct event_file *f, const char **name)
{
	_cleanup_free_ char *dir = strdup(f->path);
	char *slash;

	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	*name = f->path + (slash - dir) + 1;
	*slash = '\0';
	return fs_open_dir(f->rootfd, dir, false, NULL);
}

static int open_file(struct event_file *f)
{
	_cleanup_close_ int dir = -1, fd = -1;
	const char *name;
	struct stat st;

	if (f->fd >= 0)
		return 0;
	dir = open_parent(f, &name);
	if (dir < 0)
		return trouble(f, -dir, "open directory");
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (fd < 0 || fstat(fd, &st) < 0)
		return trouble(f, errno, "open");
	if (!S_ISREG(st.st_mode))
		return trouble(f, EINVAL, "not a regular file");
	f->size = st.st_size;
	f->fd = steal_fd(&fd);
	return 0;
}

static void rotate(struct event_file *f)
{
	_cleanup_close_ int dir = -1;
	char from[256], to[256];
	const char *name;

	dir = open_parent(f, &name);
	if (dir < 0)
		return;
	for (unsigned i = f->files - 1; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", name, i);
		if (i == 1)
			snprintf(from, sizeof(from), "%s", name);
		else
			snprintf(from, sizeof(from), "%s.%u", name, i - 1);
		if (renameat(dir, from, dir, to) < 0 && errno != ENOENT)
			(void)trouble(f, errno, "rotate");
	}
	close(f->fd);
	f->fd = -1;
}

/* Writes whole lines, all or none. */
static int write_lines(struct event_file *f, const void *text, size_t length)
{
	size_t done;
	int r = open_file(f);

	if (r == 0 && f->size > 0 && f->size + (off_t)length > f->limit) {
		rotate(f);
		r = open_file(f);
	}
	if (r < 0)
		return r;
	r = fs_write_all(f->fd, text, length, &done);
	if (r == 0) {
		f->size += (off_t)length;
		return 0;
	}
	if (done && ftruncate(f->fd, f->size) < 0)
		f->size += (off_t)done; /* half a line stays; it can only be on a broken disk */
	return trouble(f, -r, "write");
}

/* ---- what waits ---- */

static void close_queue(struct event_file *f)
{
	if (!f->queued)
		return;
	f->lost_bytes += f->out.lost;
	diskqueue_close(&f->in);
	diskqueue_reader_close(&f->out);
	f->queued = false;
}

static int open_queue(struct event_file *f, bool create)
{
	_cleanup_close_ int dir = sink_queue_dir(f->rootfd, QUEUE, create);
	struct error err = { .text = "" };
	int copy, r;

	if (dir < 0)
		return dir;
	copy = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (copy < 0)
		return -errno;
	r = diskqueue_reader_open(&f->out, copy, &err);
	if (r < 0)
		return r;
	if (!create && diskqueue_waiting(&f->out) == 0) {
		diskqueue_reader_close(&f->out);
		return 0;
	}
	r = diskqueue_open(&f->in, steal_fd(&dir), SINK_QUEUE_BYTES, &err);
	if (r < 0) {
		diskqueue_reader_close(&f->out);
		return r;
	}
	f->queued = true;
	return 0;
}

/* The lines in memory, behind all that waits. */
static int put_by(struct event_file *f)
{
	int r = f->queued ? 0 : open_queue(f, true);

	if (r == 0)
		r = diskqueue_append(&f->in, (uint32_t)f->lines, f->buf, f->used);
	return r < 0 ? r : diskqueue_flush(&f->in);
}

/* Some of what waits. Afterwards nothing is queued, or there is a time for the next attempt. */
static void drain(struct event_file *f)
{
	struct diskqueue_record record;
	size_t bytes = 0;
	int r = 1;

	if (clock_us() < f->retry_us)
		return;
	while (bytes < DRAIN_BYTES) {
		r = diskqueue_read(&f->out, &record);
		if (r < 0)
			(void)trouble(f, -r, "read its queue");
		if (r == 1)
			r = write_lines(f, record.bytes, record.size) < 0 ? -EAGAIN : 1;
		if (r <= 0)
			break;
		f->written += record.type;
		bytes += record.size;
		(void)diskqueue_confirm(&f->out, f->out.at); /* else they come again */
	}
	if (r < 0) {
		diskqueue_rewind(&f->out);
		f->retry_us = clock_us() + RETRY_US;
	} else if (r == 0) {
		close_queue(f);
		sink_queue_remove(f->rootfd, QUEUE);
	}
	if (bytes && !f->queued)
		(void)trouble(f, 0, "");
}

void event_file_flush(struct event_file *f)
{
	uint64_t before = f->dropped;

	if (f->queued)
		drain(f);
	if (!f->lines)
		return;
	if (!f->queued && write_lines(f, f->buf, f->used) == 0) {
		f->written += f->lines;
		(void)trouble(f, 0, "");
	} else if (put_by(f) < 0) {
		f->dropped += f->lines;
	}
	if (f->dropped != before && !f->dropping)
		log_event(LOG_LEVEL_ERROR, "events are being dropped: neither their file nor its queue takes them", "file", f->path, NULL);
	f->dropping = f->dropped != before;
	f->used = 0;
	f->lines = 0;
}

uint64_t event_file_due(const struct event_file *f)
{
	uint64_t now = clock_us();

	return !f->queued ? 0 : f->retry_us > now ? f->retry_us : now;
}

void event_file_configure(struct event_file *f, bool on, off_t limit, unsigned files)
{
	event_file_flush(f);
	f->on = on;
	f->limit = limit;
	f->files = files;
	if (on && !f->queued)
		(void)open_queue(f, false);
	if (on)
		return;
	close_queue(f);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* ---- events ---- */

static int append(struct event_file *f, const char *text, size_t length)
{
	if (f->used + length + 1 > f->capacity) {
		size_t capacity = f->used + length + 1 > FLUSH_AT ? f->used + length + 1 : FLUSH_AT;
		char *bigger = realloc(f->buf, capacity);

		if (!bigger)
			return -ENOMEM;
		f->buf = bigger;
		f->capacity = capacity;
	}
	memcpy(f->buf + f->used, text, length);
	f->used += length;
	f->buf[f->used++] = '\n';
	f->lines++;
	return 0;
}

void event_file_line(struct event_file *f, const char *text, size_t length)
{
	if (!f->on)
		return;
	if (text && f->used + length + 1 > FLUSH_AT)
		event_file_flush(f);
	if (!text || append(f, text, length) < 0)
		f->dropped++;
}

void event_file_message(struct event_file *f, const char *type, const ProtobufCMessage *m)
{
	struct protojson_line line;
	const char *text;
	size_t length;

	if (!f->on)
		return;
	text = protojson_line(&line, m, type, &length);
	event_file_line(f, text, length);
	protojson_line_free(&line);
}

struct sink_status event_file_status(const struct event_file *f)
{
	return (struct sink_status){
		.name = "file",
		.connected = f->last_error == 0,
		.delivered = f->written,
		.waiting_bytes = f->used + (f->queued ? diskqueue_waiting(&f->out) : 0),
		.dropped = f->dropped,
		.lost_bytes = f->lost_bytes + (f->queued ? f->out.lost : 0),
		.error = f->error,
	};
}

void event_file_close(struct event_file *f)
{
	event_file_flush(f);
	close_queue(f);
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	free(f->buf);
	f->buf = NULL;
	f->capacity = 0;
}
