/* SPDX-License-Identifier: Apache-2.0 */
/* agent-forward: a child of serviceradar-agent that takes events out of a sink's queue and delivers them to the journal or to another host. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "agent/backoff.h"
#include "agent/forward/forward.h"
#include "lib/clock.h"
#include "lib/json.h"

#define PROGRAM      program_invocation_short_name /* two programs have this file */
#define SETTINGS_MAX 65536u
#define BATCH        512u
#define IDLE_MS      1000      /* between two looks when nothing is said */
#define SETTLE_US    1000000u  /* what arrived, and no complaint came for so long, counts as read */
#define REPORT_US    1000000u
#define RETRY_FIRST_US 500000u
#define RETRY_MAX_US   30000000u

static volatile sig_atomic_t stopping;

static void on_signal(int signal)
{
	(void)signal;
	stopping = 1;
}

struct counts {
	uint64_t records, refused; /* refused of them */
};

struct run {
	const struct destination *to;
	void *self;
	bool open, up;           /* up: nothing was wrong for a while, or something was delivered */
	uint64_t opened_us;
	struct diskqueue_reader queue;
	struct backoff backoff;
	uint64_t delivered, refused;
	struct counts read;                /* since the last confirmed position */
	/* What was sent and is not confirmed yet, for a destination that does not answer. */
	struct {
		bool set;
		struct diskqueue_position position;
		struct counts read;
		uint64_t sent, arrived_us; /* arrived_us 0: not yet */
	} mark;
	struct error error;
	uint64_t reported_us;
	char report[1024];
};

/* One line on standard output, when it says something new; at most one a second unless `now`. */
static void report(struct run *r, bool now)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *text;

	if (!now && clock_us() - r->reported_us < REPORT_US)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "connected", json_object_new_boolean(r->open && r->up));
	json_object_object_add(o, "delivered", json_object_new_int64((int64_t)r->delivered));
	json_object_object_add(o, "refused", json_object_new_int64((int64_t)r->refused));
	json_object_object_add(o, "lost_bytes", json_object_new_int64((int64_t)r->queue.lost));
	json_object_object_add(o, "waiting_bytes", json_object_new_int64((int64_t)diskqueue_waiting(&r->queue)));
	json_object_object_add(o, "error", json_object_new_string(r->error.text));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	r->reported_us = clock_us();
	if (!text || strcmp(text, r->report) == 0)
		return;
	(void)snprintf(r->report, sizeof(r->report), "%s", text);
	puts(text);
	(void)fflush(stdout);
}

/* Until the agent says that there is more, or is gone, or the time is over. */
static void wait_ms(int ms)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char said[256];
	ssize_t n;

	if (stopping || poll(&p, 1, ms) <= 0)
		return;
	n = read(STDIN_FILENO, said, sizeof(said));
	if (n == 0)
		stopping = 1;
}

/* Such as wait_ms, whatever the agent says meanwhile. */
static void pause_us(struct run *r, uint64_t us)
{
	uint64_t end = clock_us() + us, now;

	while (!stopping && (now = clock_us()) < end) {
		wait_ms((int)((end - now) / 1000 + 1));
		report(r, false);
	}
}

static void confirm(struct run *r, struct diskqueue_position position, struct counts done)
{
	int e = diskqueue_confirm(&r->queue, position);

	if (e < 0) {
		(void)error_set(&r->error, e, "the queue's cursor cannot be written: %s", strerror(-e));
		return; /* they will come again */
	}
	r->delivered += done.records - done.refused;
	r->refused += done.refused;
	r->read.records -= done.records;
	r->read.refused -= done.refused;
}

static void lose(struct run *r)
{
	(void)r->to->close(r->self);
	r->open = r->up = false;
	r->mark.set = false;
	r->read = (struct counts){ 0 };
	diskqueue_rewind(&r->queue);
	report(r, true);
	pause_us(r, backoff_next(&r->backoff));
}

static bool connect_to(struct run *r)
{
	if (r->open)
		return true;
	if (r->to->open(r->self, &r->error) < 0) {
		report(r, true);
		pause_us(r, backoff_next(&r->backoff));
		return false;
	}
	r->open = true;
	r->opened_us = clock_us();
	return true;
}

/* Of one that does not answer we know what has reached its kernel; that the connection lives for a while longer says that it was read. */
static int settle_silent(struct run *r)
{
	uint64_t sent = 0, arrived = 0;
	int e;

	e = r->to->progress(r->self, &sent, &arrived, &r->error);
	if (e < 0)
		return e;
	if (r->mark.set && !r->mark.arrived_us && arrived >= r->mark.sent)
		r->mark.arrived_us = clock_us();
	if (r->mark.set && r->mark.arrived_us && clock_us() - r->mark.arrived_us >= SETTLE_US) {
		confirm(r, r->mark.position, r->mark.read);
		r->mark.set = false;
	}
	if (!r->mark.set && (r->read.records || r->queue.at.segment != r->queue.confirmed.segment)) {
		r->mark.set = true;
		r->mark.position = r->queue.at;
		r->mark.sent = sent;
		r->mark.read = r->read;
		r->mark.arrived_us = 0;
	}
	return 0;
}

/* A destination that answers has confirmed all it was sent. */
static int settle(struct run *r)
{
	uint64_t before = r->delivered + r->refused;
	int e = r->to->progress ? settle_silent(r) : 0;

	if (e < 0)
		return e;
	if (!r->to->progress)
		confirm(r, r->queue.at, r->read);
	if (r->up || (r->delivered + r->refused == before && clock_us() - r->opened_us < SETTLE_US))
		return 0;
	r->up = true;
	r->error.text[0] = '\0';
	backoff_reset(&r->backoff);
	report(r, true);
	return 0;
}

/* Records into a batch. The number of them, or a negative errno. */
static int gather(struct run *r)
{
	struct diskqueue_record record;
	unsigned n = 0;

	while (n < BATCH) {
		int e = diskqueue_read(&r->queue, &record);

		if (e <= 0)
			return e < 0 ? error_set(&r->error, e, "the queue cannot be read: %s", strerror(-e)) : (int)n;
		e = r->to->add(r->self, &record);
		if (e == -ENOMEM)
			return error_set(&r->error, e, "out of memory");
		n++;
		r->read.records++;
		if (e == -EBADMSG)
			r->read.refused++;
		else if (e == 1)
			break;
	}
	return (int)n;
}

static void turn(struct run *r)
{
	int n;

	if (!connect_to(r))
		return;
	n = gather(r);
	if (n >= 0 && r->to->send(r->self, &r->read.refused, &r->error) < 0)
		n = -EIO;
	if (n < 0 || settle(r) < 0) {
		lose(r);
		return;
	}
	report(r, false);
	if (n > 0)
		return;
	wait_ms(r->mark.set ? 100 : IDLE_MS);
	if (r->to->linger_ms && !stopping)
		pause_us(r, r->to->linger_ms * 1000u);
}

/* An orderly end: what the other end has read needs not be sent to it again by the next process. */
static void finish(struct run *r)
{
	bool alive = r->open && settle(r) == 0;

	if (r->open && r->to->close(r->self) && alive)
		confirm(r, r->queue.at, r->read);
	r->open = false;
	report(r, true);
}

/* ---- start ---- */

static void usage(FILE *f)
{
	fputs("Usage: agent-forward --queue DIR KIND <SETTINGS\n"
	      "Deliver the events of a sink's queue; a child of serviceradar-agent.\n\n"
	      "  --queue DIR        where the events wait\n"
	      "  --version, --help\n\n"
	      "KIND is ipfix, journal, otlp or syslog, and nats for agent-forward-nats; SETTINGS is one line, the sink's part of agent.json.\n"
	      "Exit status: 0 told to end, 1 usage or settings, 3 failed.\n"
	      "Manual: agent-forward(8)\n",
	      f);
}

static const struct destination *find_kind(const char *kind)
{
	for (size_t i = 0; destinations[i]; i++)
		if (strcmp(destinations[i]->kind, kind) == 0)
			return destinations[i];
	return NULL;
}

static int read_settings(struct json_object **out, struct error *err)
{
	_cleanup_free_ char *line = malloc(SETTINGS_MAX);
	size_t n = 0;

	while (line && n < SETTINGS_MAX && read(STDIN_FILENO, line + n, 1) == 1 && line[n] != '\n')
		n++;
	if (!line || n == SETTINGS_MAX)
		return error_set(err, -EINVAL, "standard input: no line of settings");
	line[n] = '\0';
	return json_parse(line, n, "settings", out, err);
}

static int run(const struct destination *to, const char *queue)
{
	struct run r = { .to = to, .backoff = { .min_us = RETRY_FIRST_US, .max_us = RETRY_MAX_US } };
	_cleanup_json_ struct json_object *settings = NULL;
	int dir, e = read_settings(&settings, &r.error);

	if (e == 0)
		e = to->new(settings, &r.self, &r.error);
	if (e < 0) {
		fprintf(stderr, "%s: %s: %s\n", PROGRAM, to->kind, r.error.text);
		return 1;
	}
	dir = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || diskqueue_reader_open(&r.queue, dir, &r.error) < 0) {
		fprintf(stderr, "%s: %s: %s\n", PROGRAM, queue, dir < 0 ? strerror(errno) : r.error.text);
		to->free(r.self);
		return 3;
	}
	while (!stopping)
		turn(&r);
	finish(&r);
	diskqueue_reader_close(&r.queue);
	to->free(r.self);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "queue", required_argument, NULL, 'q' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct sigaction stop = { .sa_handler = on_signal }; /* without SA_RESTART: waits end */
	const struct destination *to;
	const char *queue = NULL;

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) >= 0;) {
		if (c == 'q') {
			queue = optarg;
		} else if (c == 'V') {
			printf("%s " SR_VERSION "\n", PROGRAM);
			return 0;
		} else if (c == 'h') {
			usage(stdout);
			return 0;
		} else {
			usage(stderr);
			return 1;
		}
	}
	to = optind + 1 == argc ? find_kind(argv[optind]) : NULL;
	if (!queue || !to) {
		usage(stderr);
		return 1;
	}
	sigemptyset(&stop.sa_mask);
	(void)sigaction(SIGTERM, &stop, NULL);
	(void)sigaction(SIGINT, &stop, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	return run(to, queue);
}
