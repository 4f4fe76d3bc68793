/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/protojson.h"

#define FLUSH_AT (64u * 1024)

int sink_kind_parse(const char *s, enum sink_kind *out)
{
	static const char *const names[] = { "file", "journal", "none" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(s, names[i])) {
			*out = (enum sink_kind)i;
			return 0;
		}
	return -EINVAL;
}

void sink_init(struct sink *s, enum sink_kind kind, int rootfd, const char *path)
{
	*s = (struct sink){ .kind = kind, .rootfd = rootfd, .path = path, .limit = SINK_FILE_BYTES, .files = SINK_FILES, .fd = -1 };
}

/* Says once what is wrong, until it changes or is well again. */
static void trouble(struct sink *s, int error, const char *what)
{
	char dropped[24];

	if (s->last_error == error)
		return;
	s->last_error = error;
	snprintf(dropped, sizeof(dropped), "%llu", (unsigned long long)s->dropped);
	if (error)
		log_event(LOG_LEVEL_ERROR, "events are being dropped", "file", s->path, "what", what, "error",
			  strerror(error), "dropped", dropped, NULL);
	else
		log_event(LOG_LEVEL_INFO, "events are written again", "file", s->path, "dropped", dropped, NULL);
}

/* The directory, and the file's name in it. */
static int open_parent(struct sink *s, const char **name)
{
	_cleanup_free_ char *dir = strdup(s->path);
	char *slash;

	if (!dir)
		return -ENOMEM;
	slash = strrchr(dir, '/');
	*name = s->path + (slash - dir) + 1;
	*slash = '\0';
	return fs_open_dir(s->rootfd, dir, false, NULL);
}

static int open_file(struct sink *s)
{
	_cleanup_close_ int dir = -1, fd = -1;
	const char *name;
	struct stat st;

	if (s->fd >= 0)
		return 0;
	if (clock_us() < s->retry_us)
		return -EAGAIN;
	s->retry_us = clock_us() + 1000000;
	dir = open_parent(s, &name);
	if (dir < 0) {
		trouble(s, -dir, "open directory");
		return dir;
	}
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (fd < 0 || fstat(fd, &st) < 0) {
		trouble(s, errno, "open");
		return -EIO;
	}
	if (!S_ISREG(st.st_mode)) {
		trouble(s, EINVAL, "not a regular file");
		return -EINVAL;
	}
	s->size = st.st_size;
	s->fd = steal_fd(&fd);
	return 0;
}

static void rotate(struct sink *s)
{
	_cleanup_close_ int dir = -1;
	char from[256], to[256];
	const char *name;

	dir = open_parent(s, &name);
	if (dir < 0)
		return;
	for (unsigned i = s->files - 1; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", name, i);
		if (i == 1)
			snprintf(from, sizeof(from), "%s", name);
		else
			snprintf(from, sizeof(from), "%s.%u", name, i - 1);
		if (renameat(dir, from, dir, to) < 0 && errno != ENOENT)
			trouble(s, errno, "rotate");
	}
	close(s->fd);
	s->fd = -1;
	s->retry_us = 0;
}

/* Writes whole lines of buf[0, length) or nothing. */
static int write_lines(struct sink *s, size_t length)
{
	size_t done;
	int r = open_file(s);

	if (r < 0)
		return r;
	if (s->size > 0 && s->size + (off_t)length > s->limit) {
		rotate(s);
		r = open_file(s);
		if (r < 0)
			return r;
	}
	r = fs_write_all(s->fd, s->buf, length, &done);
	if (r == 0) {
		s->size += (off_t)length;
		return 0;
	}
	trouble(s, -r, "write");
	if (done && ftruncate(s->fd, s->size) < 0)
		s->size += (off_t)done; /* half a line stays; it can only be on a broken disk */
	return r;
}

void sink_flush(struct sink *s)
{
	if (!s->lines)
		return;
	if (write_lines(s, s->used) < 0) {
		s->dropped += s->lines;
	} else {
		s->written += s->lines;
		trouble(s, 0, "");
	}
	s->used = 0;
	s->lines = 0;
}

void sink_configure(struct sink *s, enum sink_kind kind, off_t limit, unsigned files)
{
	sink_flush(s);
	if (kind != SINK_FILE && s->fd >= 0) {
		close(s->fd);
		s->fd = -1;
	}
	s->kind = kind;
	s->limit = limit;
	s->files = files;
}

static int append(struct sink *s, const char *text, size_t length)
{
	if (s->used + length + 1 > s->capacity) {
		size_t capacity = s->used + length + 1 > FLUSH_AT ? s->used + length + 1 : FLUSH_AT;
		char *bigger = realloc(s->buf, capacity);

		if (!bigger)
			return -ENOMEM;
		s->buf = bigger;
		s->capacity = capacity;
	}
	memcpy(s->buf + s->used, text, length);
	s->used += length;
	s->buf[s->used++] = '\n';
	s->lines++;
	return 0;
}

static void to_file(struct sink *s, const char *type, const ProtobufCMessage *m)
{
	struct protojson_line line;
	size_t length;
	const char *text = protojson_line(&line, m, type, &length);

	if (s->used + length + 1 > FLUSH_AT)
		sink_flush(s);
	if (!text || append(s, text, length) < 0)
		s->dropped++;
	protojson_line_free(&line);
}

static void journal_done(struct sink *s, int r)
{
	if (r < 0) {
		s->dropped++;
		trouble(s, -r, "journal");
	} else {
		s->written++;
	}
}

static void to_journal(struct sink *s, const NpFlowEvent *e)
{
	journal_done(s, sd_journal_send(
		"MESSAGE=%s[%u] %s %s:%u %s:%u", e->comm, e->pid, e->transport_protocol, e->local_ip, e->local_port,
		e->remote_ip, e->remote_port, "PRIORITY=6", "SR_TYPE=flow_attribution_event", "SR_EVENT_KIND=%u",
		e->event_kind, "SR_COMM=%s", e->comm, "SR_PID=%u", e->pid, "SR_UID=%u", e->uid, "SR_GID=%u", e->gid,
		"SR_PROTOCOL=%s", e->transport_protocol, "SR_LOCAL_IP=%s", e->local_ip, "SR_LOCAL_PORT=%u", e->local_port,
		"SR_REMOTE_IP=%s", e->remote_ip, "SR_REMOTE_PORT=%u", e->remote_port, "SR_CONTAINER_ID=%s",
		e->container_id, "SR_OBSERVED_AT_UNIX_NANO=%lld", (long long)e->observed_at_unix_nano, NULL));
}

/* The journal takes fields of any name, and a message of many kinds as JSON. */
static void message_to_journal(struct sink *s, const char *type, const ProtobufCMessage *m)
{
	struct protojson_line line;
	size_t length;
	const char *text = protojson_line(&line, m, type, &length);

	journal_done(s, text ? sd_journal_send("MESSAGE=%s", text, "PRIORITY=6", "SR_TYPE=%s", type, NULL) : -ENOMEM);
	protojson_line_free(&line);
}

void sink_event(struct sink *s, const NpFlowEvent *e)
{
	if (s->kind == SINK_FILE)
		to_file(s, "flow_attribution_event", &e->base);
	else if (s->kind == SINK_JOURNAL)
		to_journal(s, e);
}

void sink_message(struct sink *s, const char *type, const ProtobufCMessage *m)
{
	if (s->kind == SINK_FILE)
		to_file(s, type, m);
	else if (s->kind == SINK_JOURNAL)
		message_to_journal(s, type, m);
}

void sink_record(struct sink *s, const char *type, struct json_object *object)
{
	size_t length;
	const char *text = NULL;

	if (json_object_object_add(object, "type", json_object_new_string(type)) == 0)
		text = json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
	if (s->kind == SINK_JOURNAL) {
		journal_done(s, text ? sd_journal_send("MESSAGE=%s", text, "PRIORITY=6", "SR_TYPE=%s", type, NULL) : -ENOMEM);
		return;
	}
	if (s->kind != SINK_FILE)
		return;
	if (text && s->used + length + 1 > FLUSH_AT)
		sink_flush(s);
	if (!text || append(s, text, length) < 0)
		s->dropped++;
}

void sink_close(struct sink *s)
{
	sink_flush(s);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(s->buf);
	s->buf = NULL;
	s->capacity = 0;
}
