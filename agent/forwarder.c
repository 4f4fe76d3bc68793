/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/forwarder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/agent.h"
#include "agent/spawn.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

#define RETRY_FIRST_US 1000000u
#define RETRY_MAX_US   60000000u
#define EXIT_NO_LIBRARY 127 /* of the dynamic linker, ld.so(8) */

static const struct kind {
	const char *name, *program;
} kinds[] = {
	{ "journal", SR_FORWARD },
	{ "ipfix", SR_FORWARD },
	{ "syslog", SR_FORWARD },
	{ "otlp", SR_FORWARD },
	{ "nats", SR_FORWARD "-nats" },
};

/* "noc" of "ipfix/noc", "" of "journal". */
static const char *own_name(const struct forwarder *f)
{
	const char *slash = strchr(f->name, '/');

	return slash ? slash + 1 : "";
}

/* "ipfix/noc" has the directory "ipfix-noc". */
static void directory_of(const struct forwarder *f, char name[40])
{
	(void)snprintf(name, 40, "%s", f->name);
	if (strchr(name, '/'))
		*strchr(name, '/') = '-';
}

/* ---- the queue ---- */

static int open_queue(struct forwarder *f)
{
	struct error err = { .text = "" };
	char name[40];
	int dir, r;

	if (f->open)
		return 0;
	directory_of(f, name);
	dir = sink_queue_dir(f->agent->rootfd, name, true);
	if (dir < 0)
		r = error_set(&err, dir, SR_SINKS ": %s", strerror(-dir));
	else
		r = diskqueue_open(&f->queue, dir, json_number(f->settings, "queue_max_bytes"), &err);
	f->open = r == 0;
	if (r < 0 && strcmp(f->error, err.text) != 0) {
		(void)snprintf(f->error, sizeof(f->error), "%s", err.text);
		log_event(LOG_LEVEL_ERROR, "events are being dropped", "sink", f->name, "error", err.text, NULL);
	}
	return r;
}

static void close_queue(struct forwarder *f)
{
	if (!f->open)
		return;
	(void)diskqueue_flush(&f->queue);
	f->unqueued += f->queue.dropped;
	diskqueue_close(&f->queue);
	f->open = false;
}

void forwarder_append(struct forwarder *f, enum stream stream, const void *bytes, size_t size)
{
	if (!forwarder_wants(f, stream))
		return;
	if (f->open && bytes)
		(void)diskqueue_append(&f->queue, stream, bytes, size);
	else
		f->unqueued++;
}

void forwarder_flush(struct forwarder *f)
{
	if (!f->open || !f->queue.buffered)
		return;
	(void)diskqueue_flush(&f->queue);
	if (f->in >= 0)
		(void)!write(f->in, "\n", 1); /* a full pipe says as much */
}

uint64_t forwarder_dropped(const struct forwarder *f)
{
	return f->unqueued + (f->open ? f->queue.dropped : 0);
}

/* ---- the child ---- */

static int start(struct forwarder *f);

static void close_pipes(struct forwarder *f)
{
	f->output = sd_event_source_disable_unref(f->output);
	if (f->in >= 0)
		close(f->in);
	if (f->out >= 0)
		close(f->out);
	f->in = f->out = -1;
	f->line_used = 0;
}

static void forwarder_free(struct forwarder *f)
{
	close_pipes(f);
	sd_event_source_disable_unref(f->child);
	sd_event_source_disable_unref(f->retry);
	close_queue(f);
	json_object_put(f->settings);
	free(f);
}

/* Of one that is no longer wanted, with its queue unless something waits in it. */
static void remove_forwarder(struct forwarder *f)
{
	char name[40];

	for (struct forwarder **p = &f->agent->sinks.forwarders; *p; p = &(*p)->next)
		if (*p == f) {
			*p = f->next;
			break;
		}
	directory_of(f, name);
	close_queue(f);
	sink_queue_remove(f->agent->rootfd, name);
	forwarder_free(f);
}

static void take_status(struct forwarder *f, const char *text, size_t length)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *error;
	bool was = f->connected;

	if (json_parse(text, length, SR_FORWARD, &o, NULL) < 0)
		return;
	f->connected = json_flag(o, "connected");
	f->delivered = f->delivered_before + json_number(o, "delivered");
	f->refused = f->refused_before + json_number(o, "refused");
	f->lost_bytes = f->lost_before + json_number(o, "lost_bytes");
	f->waiting_bytes = json_number(o, "waiting_bytes");
	error = json_text(o, "error");
	if (f->connected)
		backoff_reset(&f->backoff);
	if (f->connected && !was)
		log_event(LOG_LEVEL_INFO, "the sink takes events", "sink", f->name, NULL);
	else if (*error && strcmp(error, f->error) != 0)
		log_event(LOG_LEVEL_WARNING, "the sink takes no events; they wait", "sink", f->name, "error", error, NULL);
	(void)snprintf(f->error, sizeof(f->error), "%s", error);
}

static int on_output(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct forwarder *f = userdata;
	ssize_t n = read(fd, f->line + f->line_used, sizeof(f->line) - 1 - f->line_used);
	char *end;

	(void)events;
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			sd_event_source_set_enabled(s, SD_EVENT_OFF); /* its end is told by SIGCHLD */
		return 0;
	}
	f->line_used += (size_t)n;
	while ((end = memchr(f->line, '\n', f->line_used))) {
		size_t length = (size_t)(end - f->line);

		*end = '\0';
		take_status(f, f->line, length);
		f->line_used -= length + 1;
		memmove(f->line, end + 1, f->line_used);
	}
	if (f->line_used == sizeof(f->line) - 1)
		f->line_used = 0; /* longer than any line of its */
	return 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata);

static void try_later(struct forwarder *f)
{
	uint64_t at = clock_us() + backoff_next(&f->backoff);

	if (!f->retry && sd_event_add_time(f->agent->event, &f->retry, CLOCK_MONOTONIC, at, 10000, on_retry, f) < 0)
		return;
	sd_event_source_set_time(f->retry, at);
	sd_event_source_set_enabled(f->retry, SD_EVENT_ONESHOT);
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct forwarder *f = userdata;

	(void)s;
	(void)usec;
	if (f->pid == 0 && (open_queue(f) < 0 || start(f) < 0))
		try_later(f);
	return 0;
}

static int on_exit_of_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct forwarder *f = userdata;
	char status[24];

	(void)s;
	if (f->out >= 0)
		(void)on_output(f->output, f->out, 0, f); /* its last word */
	close_pipes(f);
	f->child = sd_event_source_disable_unref(f->child);
	f->pid = 0;
	f->connected = false;
	f->delivered_before = f->delivered;
	f->refused_before = f->refused;
	f->lost_before = f->lost_bytes;
	if (f->ending) {
		remove_forwarder(f);
		return 0;
	}
	if (si->si_code == CLD_EXITED && si->si_status == EXIT_NO_LIBRARY)
		(void)snprintf(f->error, sizeof(f->error), "%s: a library is missing that it needs; the journal says which", f->kind->program);
	if (si->si_code != CLD_EXITED || si->si_status != 0) {
		(void)snprintf(status, sizeof(status), "%d", si->si_status);
		log_event(LOG_LEVEL_WARNING, "the sink's process ended", "sink", f->name,
			  si->si_code == CLD_EXITED ? "status" : "signal", status, "error", f->error, NULL);
	}
	try_later(f);
	return 0;
}

/* The settings go by the pipe, for they are longer than an argument should be. */
static int write_settings(struct forwarder *f)
{
	const char *text = json_object_to_json_string_ext(f->settings, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t length = text ? strlen(text) : 0;

	if (!text || write(f->in, text, length) != (ssize_t)length || write(f->in, "\n", 1) != 1)
		return -EIO;
	return 0;
}

static int start(struct forwarder *f)
{
	_cleanup_close_ int in = -1, out = -1;
	_cleanup_free_ char *queue = NULL;
	char directory[40];
	const char *argv[] = { f->kind->program, "--queue", NULL, f->kind->name, NULL };
	int fds[2], r;

	directory_of(f, directory);
	if (asprintf(&queue, "%s" SR_SINKS "/%s", strcmp(f->agent->root, "/") == 0 ? "" : f->agent->root, directory) < 0)
		return -ENOMEM;
	argv[2] = queue;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	in = fds[0];
	f->in = fds[1];
	if (pipe2(fds, O_CLOEXEC) < 0) {
		r = -errno;
		close_pipes(f);
		return r;
	}
	f->out = fds[0];
	out = fds[1];
	r = fcntl(f->out, F_SETFL, O_NONBLOCK) < 0 || fcntl(f->in, F_SETFL, O_NONBLOCK) < 0 ? -errno : write_settings(f);
	if (r == 0)
		r = sd_event_add_io(f->agent->event, &f->output, f->out, EPOLLIN, on_output, f);
	if (r >= 0)
		r = spawn_child(argv, in, out, -1, &f->pid);
	if (r < 0) {
		(void)snprintf(f->error, sizeof(f->error), "%s: %s%s", f->kind->program, strerror(-r),
			       r == -ENOENT ? "; this package was built without it" : "");
		close_pipes(f);
		return r;
	}
	return sd_event_add_child(f->agent->event, &f->child, f->pid, WEXITED, on_exit_of_child, f);
}

/* ---- settings ---- */

static uint32_t streams_of(struct json_object *settings)
{
	struct json_object *list;
	uint32_t streams = 0;

	if (!json_object_object_get_ex(settings, "streams", &list))
		return UINT32_MAX & ~1u; /* 0 is no stream */
	for (size_t i = 0; i < json_object_array_length(list); i++)
		streams |= 1u << stream_parse(json_object_get_string(json_object_array_get_idx(list, i)));
	return streams & ~1u;
}

/* The sinks of a kind by their names; that of the journal has none. NULL: there are none. */
static struct json_object *wanted(struct agent *a, const char *kind)
{
	struct json_object *v = NULL;

	if (strcmp(kind, "journal") == 0)
		return a->sinks.journal;
	return a->config.sinks && json_object_object_get_ex(a->config.sinks, kind, &v) ? v : NULL;
}

static struct json_object *settings_of(struct agent *a, const struct forwarder *f)
{
	struct json_object *of_kind = wanted(a, f->kind->name), *v = NULL;

	return of_kind && json_object_object_get_ex(of_kind, own_name(f), &v) ? v : NULL;
}

static struct forwarder *find(struct agent *a, const struct kind *kind, const char *name)
{
	struct forwarder *f = a->sinks.forwarders;

	while (f && (f->kind != kind || strcmp(own_name(f), name) != 0))
		f = f->next;
	return f;
}

static void take_settings(struct forwarder *f, struct json_object *settings)
{
	json_object_put(f->settings);
	f->settings = json_object_get(settings);
	f->streams = streams_of(settings);
}

static void add(struct agent *a, const struct kind *kind, const char *name, struct json_object *settings)
{
	struct forwarder *f = calloc(1, sizeof(*f));

	if (!f)
		return;
	f->agent = a;
	f->kind = kind;
	f->in = f->out = -1;
	f->backoff = (struct backoff){ .min_us = RETRY_FIRST_US, .max_us = RETRY_MAX_US };
	(void)snprintf(f->name, sizeof(f->name), "%s%s%s", kind->name, *name ? "/" : "", name);
	take_settings(f, settings);
	f->next = a->sinks.forwarders;
	a->sinks.forwarders = f;
	if (open_queue(f) < 0 || start(f) < 0)
		try_later(f);
}

/* The child is told, and goes by itself; what comes next waits for its end, for two would deliver everything twice. */
static void end_child(struct forwarder *f)
{
	if (f->in >= 0)
		close(f->in);
	f->in = -1;
	if (f->pid > 0)
		(void)kill(f->pid, SIGTERM);
}

static void change(struct forwarder *f, struct json_object *settings)
{
	f->ending = !settings;
	if (settings) {
		take_settings(f, settings);
		f->error[0] = '\0';
		close_queue(f); /* its limit may be another */
		(void)open_queue(f);
	}
	backoff_reset(&f->backoff);
	end_child(f);
	if (f->pid == 0 && f->ending)
		remove_forwarder(f);
	else if (f->pid == 0)
		try_later(f); /* sooner than the old ones would have been tried again */
}

void forwarders_configure(struct agent *a)
{
	for (struct forwarder *f = a->sinks.forwarders, *next; f; f = next) {
		struct json_object *settings = settings_of(a, f);

		next = f->next;
		if (!settings || f->ending || !json_object_equal(settings, f->settings))
			change(f, settings);
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct json_object *of_kind = wanted(a, kinds[i].name);

		if (!of_kind)
			continue;
		json_object_object_foreach(of_kind, name, settings)
		{
			if (!find(a, &kinds[i], name))
				add(a, &kinds[i], name, settings);
		}
	}
}

struct sink_status forwarder_status(const struct forwarder *f)
{
	return (struct sink_status){
		.name = f->name,
		.connected = f->connected,
		.delivered = f->delivered,
		.waiting_bytes = f->waiting_bytes,
		.dropped = forwarder_dropped(f),
		.refused = f->refused,
		.lost_bytes = f->lost_bytes,
		.error = f->error,
	};
}

void forwarders_free(struct agent *a)
{
	while (a->sinks.forwarders) {
		struct forwarder *f = a->sinks.forwarders;

		a->sinks.forwarders = f->next;
		end_child(f);
		forwarder_free(f);
	}
}
