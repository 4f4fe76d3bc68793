/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's socket for srctl: one JSON line in, JSON lines out (docs/agent-socket.md). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/addon.h"
#include "agent/capture.h"
#include "agent/import.h"
#include "agent/listen.h"
#include "agent/peer.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

#define CLIENTS     16
#define REQUEST_MAX 4096u
#define OUT_BYTES   16384u /* filled only while there is room for a whole line */
#define LINE_ROOM   2048u
#define EVENT_BYTES 262144u /* of events that a client has not taken; those beyond are missed, and it is told how many */

struct client {
	struct control *control;
	sd_event_source *io;
	int fd;
	bool flows, follow, closing;
	bool events;             /* gets every event as it comes */
	struct import *import;   /* its further lines are external flows */
	struct capture *capture; /* its further line says stop */
	uint64_t streamed;       /* bytes of it, sent or in `out` */
	uint64_t number, missed;
	size_t in_used, out_used, out_done;
	char in[REQUEST_MAX], *out;
	size_t out_size;
};

struct control {
	struct agent *agent;
	sd_event_source *io;
	int fd;
	struct client *clients[CLIENTS];
};

static void client_free(struct client *c)
{
	for (int i = 0; i < CLIENTS; i++)
		if (c->control->clients[i] == c)
			c->control->clients[i] = NULL;
	import_free(c->import);
	capture_free(c->capture);
	sd_event_source_unref(c->io);
	close(c->fd);
	free(c->out);
	free(c);
}

static int put_bytes(struct client *c, const void *bytes, size_t n)
{
	if (c->out_done && c->out_done >= c->out_used - c->out_done) { /* more was sent than is to be moved */
		c->out_used -= c->out_done;
		memmove(c->out, c->out + c->out_done, c->out_used);
		c->out_done = 0;
	}
	if (c->out_used + n > c->out_size) {
		size_t size = c->out_used + n > OUT_BYTES ? c->out_used + n : OUT_BYTES;
		char *bigger = realloc(c->out, size);

		if (!bigger)
			return -ENOMEM;
		c->out = bigger;
		c->out_size = size;
	}
	memcpy(c->out + c->out_used, bytes, n);
	c->out_used += n;
	return 0;
}

static int put(struct client *c, struct json_object *o)
{
	size_t length;
	int r;
	const char *s = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
							  &length);

	if (!s)
		return -ENOMEM;
	r = put_bytes(c, s, length);
	return r < 0 ? r : put_bytes(c, "\n", 1);
}

static void put_error(struct client *c, const char *message)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("error"));
	json_object_object_add(o, "message", json_object_new_string(message));
	put(c, o);
}

static void put_gap(struct client *c)
{
	_cleanup_json_ struct json_object *gap = NULL;

	if (!c->missed)
		return;
	gap = json_object_new_object();
	json_object_object_add(gap, "type", json_object_new_string("dropped"));
	json_object_object_add(gap, "count", json_object_new_int64((int64_t)c->missed));
	put(c, gap);
	c->missed = 0;
}

static void fill(struct client *c)
{
	const struct flow *w;

	if (c->events)
		put_gap(c);
	while (c->flows && c->out_used + LINE_ROOM < OUT_BYTES) {
		_cleanup_json_ struct json_object *o = NULL;
		uint64_t missed = 0;

		w = flows_next(c->control->agent->flows, &c->number, &missed);
		c->missed += missed;
		put_gap(c);
		if (!w)
			break;
		if (w->superseded && !c->follow)
			continue;
		o = flow_to_json(w);
		if (o)
			put(c, o);
	}
	if (c->flows && !c->follow && c->number >= flows_end(c->control->agent->flows))
		c->closing = true;
}

/* Sends what there is; false when the client is gone. */
static bool pump(struct client *c)
{
	for (;;) {
		ssize_t n;

		if (c->out_done == c->out_used) {
			c->out_done = c->out_used = 0;
			fill(c);
			if (!c->out_used) {
				if (c->closing) {
					client_free(c);
					return false;
				}
				sd_event_source_set_io_events(c->io, EPOLLIN);
				return true;
			}
		}
		n = send(c->fd, c->out + c->out_done, c->out_used - c->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			sd_event_source_set_io_events(c->io, EPOLLIN | EPOLLOUT);
			return true;
		}
		if (n < 0) {
			client_free(c);
			return false;
		}
		c->out_done += (size_t)n;
		if (c->capture && c->streamed > c->out_used - c->out_done)
			capture_taken(c->capture, c->streamed - (c->out_used - c->out_done));
	}
}

static void status_lines(struct client *c)
{
	for (struct addon *d = c->control->agent->addons; d; d = d->next) {
		_cleanup_json_ struct json_object *o = addon_status(d);

		json_object_object_add(o, "type", json_object_new_string("status"));
		put(c, o);
	}
	c->closing = true;
}

/* Sent when the loop comes to it: the caller may be the client's own turn. */
static void send_soon(struct client *c)
{
	sd_event_source_set_io_events(c->io, EPOLLIN | EPOLLOUT);
}

static void put_line(struct json_object *line, void *userdata)
{
	put(userdata, line);
}

static void put_sink(const struct sink_status *k, void *userdata)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("sink"));
	json_object_object_add(o, "name", json_object_new_string(k->name));
	json_object_object_add(o, "connected", json_object_new_boolean(k->connected));
	json_object_object_add(o, "delivered", json_object_new_int64((int64_t)k->delivered));
	json_object_object_add(o, "waiting_bytes", json_object_new_int64((int64_t)k->waiting_bytes));
	json_object_object_add(o, "dropped", json_object_new_int64((int64_t)k->dropped));
	json_object_object_add(o, "refused", json_object_new_int64((int64_t)k->refused));
	json_object_object_add(o, "lost_bytes", json_object_new_int64((int64_t)k->lost_bytes));
	json_object_object_add(o, "error", json_object_new_string(k->error));
	put(userdata, o);
}

static void on_import_ack(void *userdata, const NpExternalFlowAck *ack)
{
	struct client *c = userdata;
	_cleanup_json_ struct json_object *o = NULL;

	if (!ack) {
		put_error(c, "the connection to the add-on was lost");
		c->closing = true;
	} else {
		o = json_object_new_object();
		json_object_object_add(o, "type", json_object_new_string("external_flow_ack"));
		json_object_object_add(o, "accepted", json_object_new_int64((int64_t)ack->accepted));
		json_object_object_add(o, "matched", json_object_new_int64((int64_t)ack->matched));
		json_object_object_add(o, "unmatched", json_object_new_int64((int64_t)ack->unmatched));
		json_object_object_add(o, "invalid", json_object_new_int64((int64_t)ack->invalid));
		put(c, o);
	}
	send_soon(c);
}

static void start_import(struct client *c)
{
	struct addon *d = c->control->agent->addons;

	while (d && !d->ipc.connected)
		d = d->next;
	c->import = d ? import_new(&d->ipc, on_import_ack, c) : NULL;
	c->closing = !c->import;
	if (!c->import)
		put_error(c, d ? "another import is going on" : "no add-on is connected that takes external flows");
}

static void import(struct client *c, size_t length)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct error err = { 0 };
	int r = json_parse(c->in, length, "flow", &o, &err);

	if (r < 0)
		put_error(c, err.text);
	else
		r = import_line(c->import, o);
	if (r < 0 && !err.text[0])
		put_error(c, r == -ENOBUFS ? "too many flows without an ack" : "the connection to the add-on was lost");
	c->closing = c->closing || r < 0;
}

static void on_capture_bytes(void *userdata, const void *bytes, size_t n, uint64_t packets)
{
	struct client *c = userdata;
	char line[96];
	int length = snprintf(line, sizeof(line), "{\"type\":\"pcapng\",\"bytes\":%zu,\"packets\":%" PRIu64 "}\n", n, packets);

	if (put_bytes(c, line, (size_t)length) < 0 || put_bytes(c, bytes, n) < 0) {
		capture_stop(c->capture);
		c->closing = true; /* a stream with a hole is none */
	}
	c->streamed += n;
	send_soon(c);
}

static void on_capture_end(void *userdata, struct json_object *result)
{
	struct client *c = userdata;

	put(c, result);
	c->closing = true;
	send_soon(c);
}

static void start_capture(struct client *c, struct json_object *o)
{
	const struct capture_client client = { .bytes = on_capture_bytes, .end = on_capture_end, .userdata = c };
	struct addon *d = c->control->agent->addons;
	struct error err = { .text = "no add-on is connected that captures" };

	while (d && !d->ipc.connected)
		d = d->next;
	if (!peer_may_capture(c->fd))
		(void)error_set(&err, -EACCES, "a capture is for root and members of group " PEER_CAPTURE_GROUP);
	else if (d)
		c->capture = capture_new(&d->ipc, c->fd, o, &client, &err);
	c->closing = !c->capture;
	if (!c->capture)
		put_error(c, err.text);
}

static void request(struct client *c, size_t length)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *v;
	struct error err = { 0 };
	const char *what;

	c->closing = true;
	if (json_parse(c->in, length, "request", &o, &err) < 0) {
		put_error(c, err.text);
		return;
	}
	what = json_object_object_get_ex(o, "request", &v) ? json_object_get_string(v) : NULL;
	if (what && !strcmp(what, "status")) {
		status_lines(c);
	} else if (what && !strcmp(what, "listeners")) {
		recent_listeners(c->control->agent->recent, put_line, c);
	} else if (what && !strcmp(what, "fingerprints")) {
		recent_fingerprints(c->control->agent->recent, put_line, c);
	} else if (what && !strcmp(what, "sinks")) {
		sinks_status(&c->control->agent->sinks, put_sink, c);
	} else if (what && !strcmp(what, "flows")) {
		c->flows = true;
		c->closing = false;
		c->follow = json_flag(o, "follow");
		c->number = flows_oldest(c->control->agent->flows);
	} else if (what && !strcmp(what, "events")) {
		c->events = true;
		c->closing = false;
	} else if (what && !strcmp(what, "import_flows")) {
		start_import(c);
	} else if (what && !strcmp(what, "capture")) {
		start_capture(c, o);
	} else {
		put_error(c, "request: none of \"flows\", \"events\", \"listeners\", \"fingerprints\", \"sinks\", \"status\", \"import_flows\", \"capture\"");
	}
}

/* One request a connection; an import has further lines, and to a capture any line says stop. */
static void take_lines(struct client *c)
{
	char *end;

	while ((end = memchr(c->in, '\n', c->in_used)) && !c->flows && !c->events && !c->closing) {
		size_t length = (size_t)(end - c->in);

		if (c->import)
			import(c, length);
		else if (c->capture)
			capture_stop(c->capture);
		else
			request(c, length);
		c->in_used -= length + 1;
		memmove(c->in, end + 1, c->in_used);
	}
	if (c->flows || c->events || c->closing) {
		c->in_used = 0; /* nothing more is asked on this connection */
	} else if (c->in_used == sizeof(c->in)) {
		put_error(c, "request: longer than 4096 bytes");
		c->closing = true;
		c->in_used = 0;
	}
}

static int on_client(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct client *c = userdata;
	ssize_t n;

	(void)s;
	if (events & EPOLLIN) {
		n = recv(fd, c->in + c->in_used, sizeof(c->in) - c->in_used, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			client_free(c);
			return 0;
		}
		if (n > 0)
			c->in_used += (size_t)n;
		take_lines(c);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		client_free(c);
		return 0;
	}
	pump(c);
	return 0;
}

static void turn_away(int peer, const char *why)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "{\"type\":\"error\",\"message\":\"%s\"}\n", why);

	send(peer, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(peer);
}

static int on_accept(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct control *t = userdata;
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), i;
	struct client *c = NULL;

	(void)s;
	(void)events;
	if (peer < 0)
		return 0;
	if (!peer_may_connect(peer)) {
		turn_away(peer, "not allowed: run it as root or as a member of group serviceradar");
		return 0;
	}
	for (i = 0; i < CLIENTS && t->clients[i]; i++)
		;
	if (i < CLIENTS)
		c = calloc(1, sizeof(*c));
	if (!c) {
		turn_away(peer, "too many clients");
		return 0;
	}
	c->control = t;
	c->fd = peer;
	if (sd_event_add_io(t->agent->event, &c->io, peer, EPOLLIN, on_client, c) < 0) {
		client_free(c);
		return 0;
	}
	t->clients[i] = c;
	return 0;
}

bool control_listens(const struct control *t)
{
	for (int i = 0; t && i < CLIENTS; i++)
		if (t->clients[i] && t->clients[i]->events)
			return true;
	return false;
}

void control_event(struct control *t, const char *line, size_t length)
{
	for (int i = 0; i < CLIENTS; i++) {
		struct client *c = t->clients[i];

		if (!c || !c->events)
			continue;
		if (c->missed || c->out_used - c->out_done + length >= EVENT_BYTES) {
			c->missed++;
			continue;
		}
		if (put_bytes(c, line, length) < 0 || put_bytes(c, "\n", 1) < 0)
			c->closing = true; /* half a line is none */
		send_soon(c);
	}
}

void control_flows(struct control *t)
{
	for (int i = 0; t && i < CLIENTS; i++)
		if (t->clients[i] && t->clients[i]->follow && !t->clients[i]->out_used)
			pump(t->clients[i]);
}

struct control *control_new(struct agent *a)
{
	struct control *t = calloc(1, sizeof(*t));
	int fd = listen_unix(a->rootfd, "agent.sock", 0111); /* who may connect is decided by peer_may_connect, as there are two groups */

	if (fd < 0 || !t) {
		log_error("%s: cannot listen: %s", SR_AGENT_SOCKET, strerror(fd < 0 ? -fd : ENOMEM));
		if (fd >= 0)
			close(fd);
		free(t);
		return NULL;
	}
	t->agent = a;
	t->fd = fd;
	if (sd_event_add_io(a->event, &t->io, t->fd, EPOLLIN, on_accept, t) < 0) {
		control_free(t);
		return NULL;
	}
	return t;
}

void control_free(struct control *t)
{
	if (!t)
		return;
	for (int i = 0; i < CLIENTS; i++)
		if (t->clients[i])
			client_free(t->clients[i]);
	sd_event_source_unref(t->io);
	close(t->fd);
	free(t);
}
