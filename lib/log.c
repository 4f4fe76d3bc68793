/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lib/utf8.h"

#define LINE_BYTES 2048

static struct {
	const char *program;
	enum log_format format;
	enum log_level max_level;
	bool journal;
} state = { .program = "serviceradar", .max_level = LOG_LEVEL_INFO };

struct line {
	char text[LINE_BYTES];
	size_t used;
	bool cut; /* something did not fit */
};

/* systemd.exec(5): $JOURNAL_STREAM is "device:inode" of the stream that stderr was connected to. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	uintmax_t dev, ino;
	char *end;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	dev = strtoumax(stream, &end, 10);
	if (*end != ':')
		return false;
	ino = strtoumax(end + 1, &end, 10);
	return !*end && dev == st.st_dev && ino == st.st_ino;
}

void log_setup(const char *program, enum log_format format, enum log_level max_level)
{
	state.program = program;
	state.format = format;
	state.max_level = max_level;
	state.journal = stderr_is_journal();
}

int log_format_parse(const char *s, enum log_format *out)
{
	if (strcmp(s, "text") == 0)
		*out = LOG_FORMAT_TEXT;
	else if (strcmp(s, "json") == 0)
		*out = LOG_FORMAT_JSON;
	else
		return -EINVAL;
	return 0;
}

bool log_enabled(enum log_level level)
{
	return level <= state.max_level;
}

/* The last byte is kept for the newline. */
static void put_raw(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof(l->text) - 1 - l->used;

	if (n > room) {
		n = room;
		l->cut = true;
	}
	memcpy(l->text + l->used, s, n);
	l->used += n;
}

static void put(struct line *l, const char *s)
{
	put_raw(l, s, strlen(s));
}

/* Escapes as JSON does, in both formats: a value can then end neither its quotes nor its line. Bytes that are no UTF-8
 * become U+FFFD; C1 controls, which some terminals obey, are escaped too. */
static void put_escaped(struct line *l, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;

	while (*p) {
		size_t n = utf8_length(p);
		char esc[8];

		if (n == 0) {
			put(l, "\\ufffd");
			p++;
			continue;
		}
		if (*p == '"' || *p == '\\') {
			esc[0] = '\\';
			esc[1] = (char)*p;
			put_raw(l, esc, 2);
		} else if (*p < 0x20 || *p == 0x7f) {
			(void)snprintf(esc, sizeof(esc), "\\u%04x", *p);
			put(l, esc);
		} else if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) {
			(void)snprintf(esc, sizeof(esc), "\\u%04x", p[1]);
			put(l, esc);
		} else {
			put_raw(l, (const char *)p, n);
		}
		p += n;
	}
}

static void put_quoted(struct line *l, const char *s)
{
	put(l, "\"");
	put_escaped(l, s);
	put(l, "\"");
}

static bool plain(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || strchr("\"\\=", *s))
			return false;
	return true;
}

static void put_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char text[48], ms[8];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(ms, sizeof(ms), ".%03dZ", (int)(now.tv_nsec / 1000000) % 1000);
	put(l, "\"time\":\"");
	put(l, text);
	put(l, ms);
	put(l, "\"");
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_DEBUG:
		return "debug";
	case LOG_LEVEL_INFO:
		break;
	}
	return "info";
}

static void begin_json(struct line *l, enum log_level level, const char *message)
{
	put(l, "{");
	put_time(l);
	put(l, ",\"level\":\"");
	put(l, level_name(level));
	put(l, "\",\"program\":");
	put_quoted(l, state.program);
	put(l, ",\"message\":");
	put_quoted(l, message);
}

static void begin_text(struct line *l, enum log_level level, const char *message)
{
	if (state.journal) {
		char priority[16];

		(void)snprintf(priority, sizeof(priority), "<%d>", (int)level);
		put(l, priority);
	} else {
		put(l, state.program);
		put(l, level == LOG_LEVEL_WARNING ? ": warning: " : ": ");
	}
	put_escaped(l, message);
}

/* One write for one line, so that lines of several processes do not mix. */
static void emit(struct line *l)
{
	ssize_t n;

	l->text[l->used] = '\n';
	do
		n = write(STDERR_FILENO, l->text, l->used + 1);
	while (n < 0 && errno == EINTR);
}

void log_event(enum log_level level, const char *message, ...)
{
	struct line l = { .used = 0 };
	bool json = state.format == LOG_FORMAT_JSON;
	const char *key, *value;
	va_list ap;

	if (!log_enabled(level))
		return;
	if (json)
		begin_json(&l, level, message);
	else
		begin_text(&l, level, message);
	va_start(ap, message);
	while ((key = va_arg(ap, const char *)) && (value = va_arg(ap, const char *))) {
		size_t before = l.used;

		if (json) {
			put(&l, ",");
			put_quoted(&l, key);
			put(&l, ":");
			put_quoted(&l, value);
		} else {
			put(&l, " ");
			put(&l, key);
			put(&l, "=");
			if (plain(value))
				put(&l, value);
			else
				put_quoted(&l, value);
		}
		/* A field that does not fit whole is left out: the line stays valid, and the brace has room. */
		if (l.cut || l.used + 2 > sizeof(l.text)) {
			l.used = before;
			l.cut = false;
		}
	}
	va_end(ap);
	if (json)
		put(&l, "}");
	emit(&l);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LINE_BYTES / 7]; /* even wholly escaped it fits a line */
	char longer[1024];
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(longer, sizeof(longer), fmt, ap);
	va_end(ap);
	if (state.format == LOG_FORMAT_JSON && strlen(longer) >= sizeof(text)) {
		struct line probe = { .used = 0 };

		put_escaped(&probe, longer);
		if (probe.used > LINE_BYTES - 256)
			longer[sizeof(text) - 1] = '\0';
	}
	log_event(level, longer, NULL);
}
