/* SPDX-License-Identifier: Apache-2.0 */
/* srctl flows: which process owns which connection; once, as they come, or as a table that is drawn anew. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "agent/srctl/srctl.h"
#include "lib/cleanup.h"
#include "lib/clock.h"

#define REQUEST "{\"request\":\"flows\"}\n"
#define FOLLOW  "{\"request\":\"flows\",\"follow\":true}\n"
#define ROWS    2048u /* as many as the agent keeps */
#define HEADER  "PROCESS             PID USER           LOCAL                  REMOTE                 STATE        AGE"

static void terminal_size(int *width, int *height)
{
	struct winsize w = { 0 };

	*width = 399;
	*height = 0;
	if (!isatty(1) || ioctl(1, TIOCGWINSZ, &w) != 0)
		return;
	if (w.ws_col >= 40)
		*width = w.ws_col;
	*height = w.ws_row;
}

static void print_row(struct json_object *o, int width)
{
	char comm[17], pid[12], user[33], local[64], remote[64], state[16], line[400];
	const char *direction = text_at(o, "direction");
	long long age = (long long)time(NULL) - strtoll(text_at(o, "opened_at_unix_nano"), NULL, 10) / 1000000000;

	endpoint(local, sizeof(local), text_at(o, "local_ip"), text_at(o, "local_port"));
	endpoint(remote, sizeof(remote), text_at(o, "remote_ip"), text_at(o, "remote_port"));
	snprintf(line, sizeof(line), "%-15s %7s %-12.12s %s %-22s %-22s %-12s %llds",
		 printable(text_at(o, "comm"), comm, sizeof(comm)), printable(text_at(o, "pid"), pid, sizeof(pid)),
		 user_name(o, user, sizeof(user)), !strcmp(direction, "out") ? ">" : !strcmp(direction, "in") ? "<" : "-",
		 local, remote, printable(text_at(o, "state"), state, sizeof(state)), age < 0 ? 0 : age);
	/* The arrow is one column but three bytes, so it goes in after the cut. */
	line[width < (int)sizeof(line) ? width : (int)sizeof(line) - 1] = '\0';
	if (strlen(line) > 37 && (line[37] == '>' || line[37] == '<'))
		printf("%.37s%s%s\n", line, line[37] == '>' ? "\u2192" : "\u2190", line + 38);
	else
		puts(line);
}

static int line_width;

static void on_flow(struct json_object *o, void *unused)
{
	(void)unused;
	print_row(o, line_width);
}

/* ---- the table that is drawn anew ---- */

struct row {
	struct json_object *flow;
};

struct table {
	struct row rows[ROWS];
	size_t n;
	uint64_t events; /* the highest number of an event so far */
};

static void keep(struct json_object *o, void *userdata)
{
	struct table *t = userdata;
	uint64_t number = strtoull(text_at(o, "number"), NULL, 10);

	if (number > t->events)
		t->events = number;
	if (t->n < ROWS)
		t->rows[t->n++].flow = json_object_get(o);
}

static const char *sort_key;

static int by_number(const char *a, const char *b)
{
	unsigned long long x = strtoull(a, NULL, 10), y = strtoull(b, NULL, 10);

	return (x > y) - (x < y);
}

/* Of two of the same the one with the later event comes first. */
static int by_key(const void *a, const void *b)
{
	struct json_object *x = ((const struct row *)a)->flow, *y = ((const struct row *)b)->flow;
	int r = 0;

	if (strcmp(sort_key, "process") == 0)
		r = strcmp(text_at(x, "comm"), text_at(y, "comm"));
	else if (strcmp(sort_key, "pid") == 0)
		r = by_number(text_at(x, "pid"), text_at(y, "pid"));
	else if (strcmp(sort_key, "user") == 0)
		r = by_number(text_at(x, "uid"), text_at(y, "uid"));
	else if (strcmp(sort_key, "port") == 0)
		r = by_number(text_at(x, "remote_port"), text_at(y, "remote_port"));
	else if (strcmp(sort_key, "state") == 0)
		r = strcmp(text_at(x, "state"), text_at(y, "state"));
	else if (strcmp(sort_key, "age") == 0)
		r = by_number(text_at(y, "opened_at_unix_nano"), text_at(x, "opened_at_unix_nano"));
	return r ? r : by_number(text_at(y, "number"), text_at(x, "number"));
}

static bool known_key(const char *key)
{
	static const char *const keys[] = { "age", "pid", "port", "process", "state", "user" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static void draw(const struct table *t, uint64_t before, double seconds)
{
	char at[16] = "";
	time_t now = time(NULL);
	int width, height;
	size_t shown = t->n;
	struct tm tm;

	terminal_size(&width, &height);
	if (localtime_r(&now, &tm))
		(void)strftime(at, sizeof(at), "%H:%M:%S", &tm);
	if (height > 3 && shown > (size_t)height - 3)
		shown = (size_t)height - 3;
	if (height)
		fputs("\033[H\033[J", stdout);
	printf("%s  %zu sockets", at, t->n);
	if (before)
		printf(", %.0f events/s", (double)(t->events - before) / seconds);
	printf("\n%.*s\n", width, HEADER);
	for (size_t i = 0; i < shown; i++)
		print_row(t->rows[i].flow, width);
	if (!height)
		putchar('\n');
	(void)fflush(stdout);
}

static int live(struct srctl *s)
{
	const struct timespec second = { .tv_sec = 1 };
	static struct table t;
	uint64_t at = clock_us(), now;

	for (;;) {
		uint64_t before = t.events;
		int r = agent_stream(s, REQUEST, "flow", keep, &t);

		if (r != EXIT_DONE)
			return r;
		now = clock_us();
		qsort(t.rows, t.n, sizeof(t.rows[0]), by_key);
		draw(&t, before, (double)(now - at) / 1e6);
		at = now;
		while (t.n > 0)
			json_object_put(t.rows[--t.n].flow);
		if (ferror(stdout))
			return EXIT_DONE;
		(void)nanosleep(&second, NULL);
	}
}

int verb_flows(struct srctl *s, const char *unused)
{
	_cleanup_fclose_ FILE *record = NULL;
	int height, r;

	(void)unused;
	sort_key = s->sort ? s->sort : "";
	if (s->sort && (!s->live || !known_key(s->sort))) {
		fputs("srctl: --sort age, pid, port, process, state or user, with --live\n", stderr);
		return EXIT_USAGE;
	}
	if (s->live && s->json) {
		fputs("srctl: --live is a table; --follow --json prints what comes\n", stderr);
		return EXIT_USAGE;
	}
	if (s->record) {
		_cleanup_close_ int fd = open(s->record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);

		record = fdopen_steal(&fd, "a");
		if (!record) {
			fprintf(stderr, "srctl: --record %s: %s\n", s->record, strerror(errno));
			return EXIT_FAILED;
		}
		(void)setvbuf(record, NULL, _IOLBF, 0);
		s->recording = record;
	}
	if (s->live)
		return live(s);
	terminal_size(&line_width, &height);
	if (!s->json)
		printf("%.*s\n", line_width, HEADER);
	r = agent_stream(s, s->follow ? FOLLOW : REQUEST, NULL, on_flow, NULL);
	return s->follow && r == EXIT_DONE ? EXIT_NO_AGENT : r;
}
