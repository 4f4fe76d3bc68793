/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/srctl/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/clock.h"

#define FIRST_US    500000u
#define AGAIN_US    100000u
#define WIDTH       80u  /* when the terminal does not say */
#define WIDTH_MAX   200u
#define NARROW      40u  /* below it there is no room for a bar */
#define BAR_COLUMNS 10u  /* at least, without its ends */

struct line {
	char *out;
	size_t size, used, room; /* room: columns for text */
};

/* Whole or not at all. */
static void add(struct line *l, const char *text)
{
	size_t gap = l->used ? 2 : 0, n = strlen(text);

	if (!n || l->used + gap + n > l->room || l->used + gap + n >= l->size)
		return;
	l->used += (size_t)snprintf(l->out + l->used, l->size - l->used, "%*s%s", (int)gap, "", text);
}

static const struct unit {
	const char *name;
	double bytes;
} units[] = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "B", 1 } };

static const struct unit *unit_for(double bytes)
{
	size_t i = 0;

	while (i < 3 && bytes < units[i].bytes)
		i++;
	return &units[i];
}

static void add_bytes(struct line *l, uint64_t done, uint64_t total)
{
	const struct unit *u = unit_for((double)(total ? total : done));
	int digits = u->bytes > 1 ? 1 : 0;
	char text[64];

	if (total)
		(void)snprintf(text, sizeof(text), "%.*f/%.*f %s", digits, (double)done / u->bytes, digits, (double)total / u->bytes, u->name);
	else
		(void)snprintf(text, sizeof(text), "%.*f %s", digits, (double)done / u->bytes, u->name);
	add(l, text);
}

static void add_rate(struct line *l, double per_second)
{
	const struct unit *u = unit_for(per_second);
	char text[64];

	(void)snprintf(text, sizeof(text), "%.*f %s/s", u->bytes > 1 ? 1 : 0, per_second / u->bytes, u->name);
	add(l, text);
}

static void add_time(struct line *l, double seconds, const char *suffix)
{
	unsigned long s = seconds < 359999 ? (unsigned long)seconds : 359999; /* 99:59:59 */
	char text[64];

	if (s >= 3600)
		(void)snprintf(text, sizeof(text), "%lu:%02lu:%02lu%s", s / 3600, s / 60 % 60, s % 60, suffix);
	else
		(void)snprintf(text, sizeof(text), "%lu:%02lu%s", s / 60, s % 60, suffix);
	add(l, text);
}

/* Behind the `at` columns of the name, or in front of all. */
static void insert_bar(struct line *l, size_t at, size_t columns, double part)
{
	size_t length = columns + 4, bar = at ? at + 2 : 0, filled = (size_t)(part * (double)columns);

	if (l->used + length >= l->size)
		return;
	memmove(l->out + at + length, l->out + at, l->used - at + 1);
	memset(l->out + at, ' ', length);
	memset(l->out + bar + 1, '-', columns);
	memset(l->out + bar + 1, '#', filled);
	l->out[bar] = '[';
	l->out[bar + 1 + columns] = ']';
	l->used += length;
}

size_t progress_line(char *out, size_t size, unsigned width, const struct progress_at *at, uint64_t elapsed_us)
{
	uint64_t done = at->total && at->done > at->total ? at->total : at->done; /* a file may grow meanwhile */
	double seconds = (double)elapsed_us / 1e6, part = at->total ? (double)done / (double)at->total : 0;
	double rate = seconds > 0 && done > at->from ? (double)(done - at->from) / seconds : 0;
	bool wide = width >= NARROW, bar = wide && at->total;
	struct line l = { .out = out, .size = size };
	size_t name;
	char text[16];

	if (size)
		*out = '\0';
	if (!size || !width)
		return 0;
	l.room = width - 1 - (bar ? BAR_COLUMNS + 4 : 0);
	if (wide)
		add(&l, at->what);
	name = l.used;
	if (at->total) {
		(void)snprintf(text, sizeof(text), "%3u %%", (unsigned)(part * 100));
		add(&l, text);
	}
	if (at->bytes)
		add_bytes(&l, done, at->total);
	if (at->bytes && rate > 0)
		add_rate(&l, rate);
	if (!at->total)
		add_time(&l, seconds, "");
	else if (rate > 0)
		add_time(&l, (double)(at->total - done) / rate + 0.5, " left");
	add(&l, at->note ? at->note : "");
	if (bar)
		insert_bar(&l, name, width - 1 - l.used - 4, part);
	return l.used;
}

void progress_begin(struct progress *p, bool quiet)
{
	const char *term = getenv("TERM");

	*p = (struct progress){ .begun_us = clock_us(), .on = !quiet && term && strcmp(term, "dumb") != 0 && isatty(STDERR_FILENO) };
}

bool progress_due(const struct progress *p)
{
	uint64_t now;

	if (!p->on)
		return false;
	now = clock_us();
	return now >= p->begun_us + FIRST_US && now >= p->drawn_us + AGAIN_US;
}

static unsigned terminal_width(void)
{
	struct winsize w = { .ws_col = 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_col)
		return WIDTH;
	return w.ws_col < WIDTH_MAX ? w.ws_col : WIDTH_MAX;
}

void progress_draw(struct progress *p, const struct progress_at *at)
{
	char line[WIDTH_MAX];

	if (!p->on)
		return;
	p->drawn_us = clock_us();
	(void)progress_line(line, sizeof(line), terminal_width(), at, p->drawn_us - p->begun_us);
	fprintf(stderr, "\r%s\033[K", line);
}

void progress_clear(struct progress *p)
{
	if (p->drawn_us)
		fputs("\r\033[K", stderr);
	p->drawn_us = 0;
}
