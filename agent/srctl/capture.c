/* SPDX-License-Identifier: Apache-2.0 */
/* srctl capture: pcapng on the standard output, facts on the standard error. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include "agent/srctl/progress.h"
#include "agent/srctl/srctl.h"
#include "lib/capture.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"

#define LINE_MAX_BYTES 4096u
#define REDRAW_MS      250 /* when nothing comes: the time goes on */

struct stream {
	const struct srctl *s;
	int fd, signals;
	char buffer[64 * 1024];
	size_t used;
	uint64_t raw;                 /* bytes of pcapng that come before the next line */
	uint64_t packets, bytes;      /* so far */
	bool begun, stopping;
	struct progress progress;
	struct json_object *result;   /* the last line; NULL: none yet */
};

/* ---- the request ---- */

static int add_number(struct json_object *o, const char *option, const char *key, const char *text, unsigned long long max)
{
	unsigned long long n;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || n == 0 || n > max) {
		fprintf(stderr, "srctl: --%s: \"%s\" is not a number from 1 to %llu\n", option, text, max);
		return -EINVAL;
	}
	json_object_object_add(o, key, json_object_new_int64((int64_t)n));
	return 0;
}

static int make_request(const struct srctl *s, struct json_object *o)
{
	const char *direction = s->capture[CAPTURE_DIRECTION] ? s->capture[CAPTURE_DIRECTION] : "both";

	if (!s->capture[CAPTURE_INTERFACE]) {
		fputs("srctl: capture: --interface says where; the interfaces that may be captured are in capture_interfaces of netprobe's assignment\n",
		      stderr);
		return -EINVAL;
	}
	if (strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0 && strcmp(direction, "both") != 0) {
		fprintf(stderr, "srctl: --direction: \"%s\" is none of in, out, both\n", direction);
		return -EINVAL;
	}
	json_object_object_add(o, "request", json_object_new_string("capture"));
	json_object_object_add(o, "interface", json_object_new_string(s->capture[CAPTURE_INTERFACE]));
	json_object_object_add(o, "filter", json_object_new_string(s->capture[CAPTURE_FILTER] ? s->capture[CAPTURE_FILTER] : ""));
	json_object_object_add(o, "direction", json_object_new_string(direction));
	json_object_object_add(o, "process_comments", json_object_new_boolean(s->comments));
	json_object_object_add(o, "promiscuous", json_object_new_boolean(s->promiscuous));
	if (add_number(o, "duration", "duration_s", s->capture[CAPTURE_DURATION], CAPTURE_DURATION_MAX) < 0 ||
	    add_number(o, "byte-cap", "byte_cap", s->capture[CAPTURE_BYTE_CAP], CAPTURE_BYTES_MAX) < 0 ||
	    add_number(o, "snaplen", "snaplen", s->capture[CAPTURE_SNAPLEN], CAPTURE_SNAPLEN_MAX) < 0)
		return -EINVAL;
	return 0;
}

static int connect_agent(const struct srctl *s)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	_cleanup_free_ char *line = NULL;

	if (make_request(s, o) < 0)
		return -EINVAL;
	if (asprintf(&line, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
		return -ENOMEM;
	if (strlen(line) > LINE_MAX_BYTES) {
		fputs("srctl: --filter: too long: the whole request may have 4096 bytes\n", stderr);
		return -EINVAL;
	}
	return agent_request(s, line);
}

/* ---- the answer ---- */

static int write_out(struct progress *p, const char *bytes, size_t n)
{
	while (n) {
		ssize_t w = write(STDOUT_FILENO, bytes, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0) {
			progress_clear(p);
			fprintf(stderr, "srctl: standard output: %s\n", strerror(errno));
			return -errno;
		}
		bytes += w;
		n -= (size_t)w;
	}
	return 0;
}

static void drop(struct stream *t, size_t n)
{
	t->used -= n;
	memmove(t->buffer, t->buffer + n, t->used);
}

/* A line between the pieces of pcapng. 1 when it is the last one. */
static int take_line(struct stream *t, size_t length)
{
	_cleanup_json_ struct json_object *o = NULL;
	int r = json_parse(t->buffer, length, "agent.sock", &o, NULL);

	drop(t, length + 1);
	if (r < 0)
		return -EBADMSG;
	if (strcmp(text_at(o, "type"), "pcapng") != 0) {
		t->result = json_object_get(o);
		return 1;
	}
	t->raw = strtoull(text_at(o, "bytes"), NULL, 10);
	t->bytes += t->raw;
	t->packets = strtoull(text_at(o, "packets"), NULL, 10);
	if (!t->begun) {
		if (!t->s->json && isatty(STDERR_FILENO))
			fprintf(stderr, "srctl: capturing on %s; Ctrl-C ends it\n", t->s->capture[CAPTURE_INTERFACE]);
		progress_begin(&t->progress, t->s->json);
	}
	t->begun = true;
	return 0;
}

/* What is counted is the time, for only that has a known end. */
static void draw(struct stream *t)
{
	const char *seconds = t->s->capture[CAPTURE_DURATION];
	char note[80];
	struct progress_at at = { .what = t->s->capture[CAPTURE_INTERFACE], .note = note };

	if (!progress_due(&t->progress))
		return;
	if (seconds) {
		at.done = clock_us() - t->progress.begun_us;
		at.total = strtoull(seconds, NULL, 10) * 1000000;
	}
	(void)snprintf(note, sizeof(note), "%" PRIu64 " packets, %" PRIu64 " KiB", t->packets, t->bytes / 1024);
	progress_draw(&t->progress, &at);
}

/* 1 when the last line has come, 0 when more is to be read. */
static int take(struct stream *t)
{
	while (t->used) {
		size_t n = t->raw < t->used ? (size_t)t->raw : t->used;
		const char *end;
		int r;

		if (n) {
			r = write_out(&t->progress, t->buffer, n);
			if (r < 0)
				return r;
			t->raw -= n;
			drop(t, n);
			continue;
		}
		end = memchr(t->buffer, '\n', t->used);
		if (!end)
			return t->used < LINE_MAX_BYTES ? 0 : -EBADMSG;
		r = take_line(t, (size_t)(end - t->buffer));
		if (r != 0)
			return r;
	}
	return 0;
}

/* The first signal asks for what there is still and the end; the second one does not wait for it. */
static int on_signal(struct stream *t)
{
	struct signalfd_siginfo info;

	if (read(t->signals, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (t->stopping)
		return -EINTR;
	t->stopping = true;
	return send(t->fd, "stop\n", 5, MSG_NOSIGNAL) == 5 ? 0 : -EPIPE;
}

static int stream(struct stream *t)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = t->fd, .events = POLLIN }, { .fd = t->signals, .events = POLLIN } };
		ssize_t n;
		int r;

		if (poll(p, 2, t->progress.on ? REDRAW_MS : -1) < 0 && errno != EINTR)
			return -errno;
		draw(t);
		r = p[1].revents ? on_signal(t) : 0;
		if (r < 0)
			return r;
		if (!p[0].revents)
			continue;
		n = read(t->fd, t->buffer + t->used, sizeof(t->buffer) - t->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		t->used += (size_t)n;
		r = take(t);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static const char *advice(const char *code)
{
	static const struct {
		const char *code, *text;
	} known[] = {
		{ "capture_interface_denied", "add it to config.capture_interfaces: srctl addon enable netprobe --config FILE" },
		{ "capture_session_active", "wait for it to end; journalctl -u serviceradar-agent says whose it is" },
		{ "capture_filter_invalid", "pcap-filter(7) has the syntax" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(known[i].code, code) == 0)
			return known[i].text;
	return NULL;
}

/* Facts, and what they come to. */
static int report(const struct srctl *s, struct json_object *o)
{
	char message[512], reason[32];
	const char *help = advice(text_at(o, "code"));
	bool error = strcmp(text_at(o, "type"), "error") == 0, down = strcmp(text_at(o, "reason"), "interface_down") == 0;

	if (s->json)
		fprintf(stderr, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else if (error)
		fprintf(stderr, "srctl: capture: %s%s%s\n", printable(text_at(o, "message"), message, sizeof(message)), help ? "\n       " : "",
			help ? help : "");
	else
		fprintf(stderr, "srctl: %s packets, %s dropped, %s bytes; ended by: %s\n", text_at(o, "packets"), text_at(o, "dropped"),
			text_at(o, "bytes"), printable(text_at(o, "reason"), reason, sizeof(reason)));
	if (error)
		return strcmp(text_at(o, "code"), "connection_lost") == 0 ? EXIT_FAILED : EXIT_NOT_DONE;
	return down ? EXIT_FAILED : EXIT_DONE;
}

int verb_capture(struct srctl *s, const char *unused)
{
	struct stream t = { .s = s };
	_cleanup_close_ int fd = -1, signals = -1;
	sigset_t set;
	int r;

	(void)unused;
	if (isatty(STDOUT_FILENO)) {
		fputs("srctl: capture: the standard output is a terminal; packets are for a file or a program:\n"
		      "       srctl capture --interface eth0 | tshark -r -\n"
		      "       srctl capture --interface eth0 | wireshark -k -i -\n"
		      "       srctl capture --interface eth0 >eth0.pcapng\n", stderr);
		return EXIT_USAGE;
	}
	fd = connect_agent(s);
	if (fd < 0)
		return fd == -EINVAL ? EXIT_USAGE : EXIT_NO_AGENT;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	t.fd = fd;
	t.signals = signals;
	r = signals < 0 ? -errno : stream(&t);
	progress_clear(&t.progress);
	if (r == 0)
		r = report(s, t.result);
	else if (r == -EPIPE || r == -EBADMSG)
		fprintf(stderr, "srctl: capture: %s\n", r == -EPIPE ? "the agent closed the connection" : "the agent says what is not understood");
	json_object_put(t.result);
	return r < 0 ? EXIT_FAILED : r;
}
