/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/server.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "netprobe/client.h"
#include "netprobe/events.h"
#include "netprobe/intake.h"
#include "netprobe/requests.h"
#include "netprobe/server_state.h"
#include "netprobe/socket.h"

#define TICK_USEC     50000u          /* the ring buffer is looked at this often: events do not wake us … */
#define IDLE_USEC     200000u         /* … and this often when nothing happened for a second */
#define BATCH_USEC    150000u         /* an event older than this at a tick is sent: none waits longer than 250 ms */
#define REPORT_USEC   (60u * 1000000) /* counters are logged at most this often */
#define PARTS_A_TURN  32              /* of the ring buffer, taken before others get their turn */
#define FRAMES_A_TURN 16              /* requests taken before others get their turn */
#define BLOCKS_A_TURN 16              /* of a capture, sent before others get their turn */

static uint64_t now_usec(const struct server *s)
{
	uint64_t now = 0;

	(void)sd_event_now(s->event, CLOCK_MONOTONIC, &now);
	return now;
}

static uint64_t lost(const struct server *s)
{
	return server_totals(s).dropped + s->queue.dropped;
}

static void report(struct server *s, const char *message)
{
	struct attribution_totals t = server_totals(s);
	char produced[24], delivered[24], kernel[24], queue[24], waiting[24], foreign[24];

	(void)snprintf(produced, sizeof(produced), "%" PRIu64, t.produced);
	(void)snprintf(delivered, sizeof(delivered), "%" PRIu64, s->delivered);
	(void)snprintf(kernel, sizeof(kernel), "%" PRIu64, t.dropped);
	(void)snprintf(queue, sizeof(queue), "%" PRIu64, s->queue.dropped);
	(void)snprintf(waiting, sizeof(waiting), "%" PRIu64, intake_waiting(s, &t));
	(void)snprintf(foreign, sizeof(foreign), "%" PRIu64, t.foreign);
	log_event(LOG_LEVEL_INFO, message, "produced", produced, "delivered", delivered, "dropped_kernel", kernel,
		  "dropped_queue", queue, "waiting", waiting, "foreign", foreign, NULL);
}

/* ---- the account, for whoever takes the kernel's side up after us ---- */

static void write_ledger(const struct server *s)
{
	if (s->attribution)
		*attribution_ledger(s->attribution) = (struct attribution_ledger){
			.taken = s->taken,
			.delivered = s->delivered,
			.discarded = s->discarded,
			.merged = s->presumed.merged,
			.dropped = s->queue.dropped,
			.lost_told = s->lost_told,
		};
}

/* What the daemon before us had taken and nobody got went with it. */
static void read_ledger(struct server *s)
{
	const struct attribution_ledger *l = attribution_ledger(s->attribution);
	uint64_t settled = l->delivered + l->discarded + l->merged + l->dropped;
	uint64_t gone = l->taken > settled ? l->taken - settled : 0;
	char waiting[24], lost_text[24];
	struct attribution_totals t = attribution_totals(s->attribution);

	s->taken = l->taken;
	s->delivered = l->delivered;
	s->discarded = l->discarded;
	s->presumed.merged = l->merged;
	s->queue.dropped = l->dropped + gone;
	s->lost_told = l->lost_told;
	(void)snprintf(waiting, sizeof(waiting), "%" PRIu64, t.produced - t.dropped - s->taken);
	(void)snprintf(lost_text, sizeof(lost_text), "%" PRIu64, gone);
	if (attribution_taken_up(s->attribution))
		log_event(LOG_LEVEL_INFO, "taken up from the daemon before", "events_waiting", waiting, "events_gone_with_it", lost_text, NULL);
}

/* ---- sending ---- */

static void disconnect(struct server *s, const char *why)
{
	if (s->client.fd < 0)
		return;
	s->client_source = sd_event_source_disable_unref(s->client_source);
	s->queue.dropped += s->client.out_events; /* handed out, but not wholly sent */
	if (s->observe)
		observe_disconnected(s->observe);
	if (s->capture) {
		capture_stop(s->capture, CAPTURE_REASON(AGENT_DISCONNECT));
		capture_close(s->capture);
		s->capture = NULL;
	}
	client_close(&s->client);
	log_event(LOG_LEVEL_INFO, "client disconnected", "why", why, NULL);
}

/* What the loop should wait for: room to write while something waits, requests while not too much waits. */
static void watch(struct server *s)
{
	size_t backlog = client_backlog(&s->client);

	if (s->client.fd >= 0)
		(void)sd_event_source_set_io_events(s->client_source, (backlog < CLIENT_BACKLOG_MAX ? (uint32_t)EPOLLIN : 0) |
									      (backlog ? (uint32_t)EPOLLOUT : 0));
}

static int flush(struct server *s)
{
	size_t done;
	int r = client_flush(&s->client, &done);

	s->delivered += done;
	write_ledger(s);
	return r;
}

/* The first `n` events as a frame: a batch, or one as it is. */
static int append_events(struct server *s, size_t n, bool batched)
{
	uint64_t untold = lost(s) - s->lost_told;
	uint32_t dropped = untold > UINT32_MAX ? UINT32_MAX : (uint32_t)untold;
	int64_t offset = events_clock_offset();
	const uint8_t *frame;
	uint8_t *room;
	size_t size;

	if (batched)
		frame = events_frame_batch(&s->queue, n, offset, dropped, &size);
	else
		frame = events_frame_single(&s->queue, offset, &size);
	room = client_reserve(&s->client, size);
	if (!room)
		return -ENOMEM;
	memcpy(room, frame, size);
	if (batched)
		s->lost_told += dropped;
	return 0;
}

static int send_attributions(struct server *s)
{
	while (s->client.fd >= 0 && s->config && s->config->enabled && s->queue.count > 0 && client_backlog(&s->client) == 0) {
		bool batched = s->config->flow_attribution_ipc_batch;
		size_t n = s->queue.count < EVENTS_BATCH_MAX ? s->queue.count : EVENTS_BATCH_MAX;
		int r;

		if (!batched)
			n = 1;
		else if (n < EVENTS_BATCH_MAX && now_usec(s) - s->waiting_since < BATCH_USEC)
			return 0;
		r = append_events(s, n, batched);
		if (r < 0)
			return r;
		events_pop(&s->queue, n);
		s->waiting_since = now_usec(s);
		s->client.out_events = n;
		r = flush(s);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One after the other, until there is none, the client has a backlog, or it is the turn of others. `next` as observe_send(). */
static int send_each(struct server *s, int (*next)(struct server *s), unsigned most)
{
	for (unsigned i = 0; i < most && s->client.fd >= 0 && client_backlog(&s->client) == 0; i++) {
		int r = next(s);

		if (r > 0)
			r = flush(s);
		else
			return r;
		if (r < 0)
			return r;
	}
	return 0;
}

static int next_observation(struct server *s)
{
	return s->observe && s->config && s->config->enabled ? observe_send(s->observe, &s->client) : 0;
}

static int next_block(struct server *s)
{
	int r = s->capture ? capture_send(s->capture, &s->client) : 0;

	if (s->capture && capture_finished(s->capture)) {
		capture_close(s->capture);
		s->capture = NULL;
	}
	return r;
}

/* Events go out only behind replies and only as fast as the client reads: what waits, waits in bounded queues. */
static int send_events(struct server *s)
{
	int r = send_attributions(s);

	if (r == 0)
		r = send_each(s, next_observation, UINT_MAX);
	return r < 0 ? r : send_each(s, next_block, BLOCKS_A_TURN);
}

/* Returns 0, or a negative errno after which the connection is to be closed; *why says it for the log. */
static int take_frames(struct server *s, const char **why)
{
	for (int i = 0; i < FRAMES_A_TURN && client_backlog(&s->client) < CLIENT_BACKLOG_MAX; i++) {
		NetprobeFrame *request;
		const uint8_t *payload;
		size_t length;
		int r = frame_read(&s->client.in, s->client.fd, &payload, &length);

		if (r <= 0) {
			*why = r == -EPIPE ? "closed by the client" :
					     (r == -EMSGSIZE ? "a frame of more than 4 MiB was declared" :
							       (r == -EPROTO ? "closed inside a frame" : "read error"));
			return r;
		}
		request = client_decode(payload, length);
		if (!request) {
			*why = "a frame that does not decode";
			(void)requests_error(&s->client, 0, "malformed_frame", "the payload is no NetprobeFrame");
			(void)flush(s);
			return -EBADMSG;
		}
		r = requests_handle(s, request);
		client_free_frame(request);
		if (r < 0) {
			*why = "out of memory";
			return r;
		}
	}
	return 0;
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct server *s = userdata;
	const char *why = "connection lost";
	int r = 0;

	(void)source;
	(void)fd;
	if (revents & EPOLLIN)
		r = take_frames(s, &why);
	else if (revents & (EPOLLHUP | EPOLLERR))
		r = -EPIPE;
	if (r == 0)
		r = flush(s);
	if (r == 0)
		r = send_events(s);
	if (r < 0)
		disconnect(s, why);
	else
		watch(s);
	return 0;
}

/* One frame that says why, and good-bye. The socket's buffer is empty, so it takes the frame at once. */
static void turn_away(int fd, const char *code, const char *message)
{
	struct client c = { .fd = fd };
	size_t done;

	if (requests_error(&c, 0, code, message) == 0)
		(void)client_flush(&c, &done);
	client_close(&c);
}

/* A client that has hung up and left nothing to read, which the loop has not come to yet: it is not in the way. */
static bool client_gone(const struct client *c)
{
	char byte;

	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int on_connection(sd_event_source *source, int listen_fd, uint32_t revents, void *userdata)
{
	struct server *s = userdata;
	_cleanup_close_ int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char uid_text[16];
	unsigned uid;
	int r;

	(void)source;
	(void)revents;
	if (fd < 0)
		return 0;
	if (!socket_peer_allowed(fd, &uid)) {
		(void)snprintf(uid_text, sizeof(uid_text), "%u", uid);
		log_event(LOG_LEVEL_WARNING, "connection refused: only root and the service user are served", "uid", uid_text,
			  NULL);
		return 0;
	}
	if (s->client.fd >= 0 && client_gone(&s->client))
		disconnect(s, "closed by the client");
	if (s->client.fd >= 0) {
		log_event(LOG_LEVEL_WARNING, "second connection turned away", NULL);
		turn_away(steal_fd(&fd), "client_already_connected", "another client is connected; one at a time is served");
		return 0;
	}
	r = sd_event_add_io(s->event, &s->client_source, fd, EPOLLIN, on_client, s);
	if (r < 0)
		return 0;
	s->client = (struct client){ .fd = steal_fd(&fd) };
	listeners_new_client(s);
	s->external_told = s->external.counts;
	(void)snprintf(uid_text, sizeof(uid_text), "%u", uid);
	log_event(LOG_LEVEL_INFO, "client connected", "uid", uid_text, NULL);
	return 0;
}

/* One part of what the kernel has, and on with it to the client. Whether there is more. */
static bool take_part(struct server *s)
{
	bool more;
	int r;

	if (intake(s, now_usec(s), &more))
		s->busy_until = now_usec(s) + 1000000;
	write_ledger(s);
	if (s->client.fd < 0)
		return more;
	r = listeners_turn(s, now_usec(s));
	if (r > 0)
		r = flush(s);
	if (r >= 0)
		r = send_events(s);
	if (r < 0)
		disconnect(s, "connection lost");
	else
		watch(s);
	return more;
}

static void take_events(struct server *s)
{
	for (int i = 0; i < PARTS_A_TURN && take_part(s); i++)
		;
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	take_events(userdata);
	return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct server *s = userdata;
	uint64_t now = now_usec(s);

	(void)usec;
	take_events(s);
	if (lost(s) != s->reported_lost && now - s->reported_at >= REPORT_USEC) {
		s->reported_lost = lost(s);
		s->reported_at = now;
		report(s, "events were lost");
	}
	(void)sd_event_source_set_time(source, now + (now < s->busy_until ? TICK_USEC : IDLE_USEC));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* ---- a capture ---- */

/* Its packets go out behind the events that say whose they are. */
static void on_capture(void *userdata)
{
	take_events(userdata);
}

static size_t name_end(const struct server *s, const struct packet *p, bool sender, char *out, size_t size)
{
	char comm[3 * EVENT_COMM_BYTES + 1];
	struct external_owner o;
	int n;

	if (!external_owner(&s->external, p, sender, &o))
		return 0;
	events_comm(o.comm, comm);
	n = snprintf(out, size, "%s %s pid %u uid %u", sender ? "from" : "to", comm, o.pid, o.uid);
	return n < 0 ? 0 : ((size_t)n < size ? (size_t)n : size - 1);
}

static void comment(void *userdata, const struct packet *p, char out[CAPTURE_COMMENT_MAX])
{
	size_t n = name_end(userdata, p, true, out, CAPTURE_COMMENT_MAX);
	size_t gap = n ? 2 : 0;

	if (name_end(userdata, p, false, out + n + gap, CAPTURE_COMMENT_MAX - n - gap) && gap)
		memcpy(out + n, ", ", gap);
}

struct capture_host server_capture_host(struct server *s)
{
	return (struct capture_host){ .ready = on_capture, .comment = comment, .userdata = s };
}

int server_new(struct server **out, sd_event *event, int listen_fd, struct attribution *attribution,
	       const char *unavailable, VisibilityConfig *config)
{
	struct server *s = calloc(1, sizeof(*s));
	int r;

	*out = NULL;
	if (!s)
		return -ENOMEM;
	s->event = sd_event_ref(event);
	s->listen_fd = listen_fd;
	s->client.fd = -1;
	s->attribution = attribution;
	s->unavailable = unavailable;
	s->config = config;
	s->started_unix_nano = (int64_t)now_usec(s) * 1000 + events_clock_offset();
	intake_init(s);
	if (attribution)
		read_ledger(s);
	r = sd_event_add_io(event, &s->listen_source, listen_fd, EPOLLIN, on_connection, s);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &s->tick_source, CLOCK_MONOTONIC, TICK_USEC, 5000, on_tick, s);
	if (r >= 0 && attribution)
		r = sd_event_add_io(event, &s->ring_source, attribution_fd(attribution), EPOLLIN | EPOLLET, on_ring, s);
	if (r >= 0 && config && !config->enabled && attribution)
		r = attribution_enable(attribution, false, NULL);
	if (r < 0) {
		server_free(s);
		return r;
	}
	*out = s;
	return 0;
}

void server_observe(struct server *s, struct observe *o)
{
	struct error err = { .text = "" };

	s->observe = o;
	if (s->config && observe_apply(o, s->config, &err) < 0)
		log_event(LOG_LEVEL_WARNING, "interfaces of the config are not watched", "reason", err.text, NULL);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	intake_flush(s);
	s->waiting_since = 0; /* a part of a batch, too */
	(void)send_events(s);
	disconnect(s, "the daemon stops");
	s->queue.dropped += s->queue.count; /* nobody took them */
	events_pop(&s->queue, s->queue.count);
	write_ledger(s);
	report(s, "stopped");
	if (s->observe)
		observe_report(s->observe, "stopped");
	sd_event_source_disable_unref(s->listen_source);
	sd_event_source_disable_unref(s->tick_source);
	sd_event_source_disable_unref(s->ring_source);
	close(s->listen_fd);
	intake_free(s);
	if (s->config)
		protobuf_c_message_free_unpacked(&s->config->base, NULL);
	sd_event_unref(s->event);
	free(s);
}
