/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"

#define PING_EVERY_US 10000000u
#define REPLY_US      5000000u
#define SETTLED_US    5000000u
/* Longer than RestartSec= of the units: a connection to the socket of a daemon that has just died would make systemd
 * start it by the socket, and forget that it was a restart. */
#define RETRY_FIRST_US 500000u

static int64_t unix_nano(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void ipc_init(struct ipc *c, sd_event *event, int rootfd, const char *path)
{
	memset(c, 0, sizeof(*c));
	c->event = event;
	c->rootfd = rootfd;
	snprintf(c->path, sizeof(c->path), "%s", path);
	c->fd = -1;
	c->last_ping_ms = -1;
	c->since_s = time(NULL);
	c->backoff = (struct backoff){ .min_us = RETRY_FIRST_US, .max_us = 2000000 };
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata);

static void arm(struct ipc *c, uint64_t at_us)
{
	if (!c->timer && sd_event_add_time(c->event, &c->timer, CLOCK_MONOTONIC, at_us, 10000, on_timer, c) < 0)
		return;
	sd_event_source_set_time(c->timer, at_us);
	sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static void free_ack(struct ipc *c)
{
	if (c->last_ack)
		protobuf_c_message_free_unpacked(&c->last_ack->base, NULL);
	c->last_ack = NULL;
}

static void drop(struct ipc *c, const char *why)
{
	bool was = c->connected;

	c->io = sd_event_source_unref(c->io);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free_ack(c);
	frame_reader_reset(&c->reader);
	free(c->out);
	c->out = NULL;
	c->out_used = c->out_done = 0;
	c->connected = c->connecting = c->config_acked = false;
	c->deadline_us = c->ping_sequence = c->config_sequence = 0;
	if (c->flow_sequence) {
		c->flow_sequence = 0;
		if (c->on_flow_ack)
			c->on_flow_ack(c->flow_userdata, NULL);
	}
	c->capture_sequence = 0;
	if (c->on_capture)
		c->on_capture(c->capture_userdata, NULL, "connection_lost", "the connection to the add-on was lost");
	if (was) {
		c->since_s = time(NULL);
		if (clock_us() - c->connected_us > SETTLED_US)
			backoff_reset(&c->backoff);
		if (why) {
			char text[sizeof(c->error)]; /* `why` may be c->error itself */

			log_event(LOG_LEVEL_WARNING, "connection to the add-on lost", "socket", c->path, "why", why, NULL);
			snprintf(text, sizeof(text), "%s: %s", c->path, why);
			memcpy(c->error, text, sizeof(text));
		}
	}
	if (c->wanted)
		arm(c, clock_us() + backoff_next(&c->backoff));
	else if (c->timer)
		sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
	if (was)
		c->on_change(c->userdata);
}

static int flush_out(struct ipc *c)
{
	while (c->out_done < c->out_used) {
		ssize_t n = send(c->fd, c->out + c->out_done, c->out_used - c->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		c->out_done += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	c->out_used = c->out_done = 0;
	return 0;
}

static int send_frame(struct ipc *c, const NpFrame *frame)
{
	size_t length = np_frame_size(frame);
	uint8_t *bigger;
	int r;

	bigger = realloc(c->out, c->out_used + FRAME_HEADER_BYTES + length);
	if (!bigger)
		return -ENOMEM;
	c->out = bigger;
	r = frame_header(c->out + c->out_used, length);
	if (r < 0)
		return r;
	np_frame_pack(frame, c->out + c->out_used + FRAME_HEADER_BYTES);
	c->out_used += FRAME_HEADER_BYTES + length;
	r = flush_out(c);
	if (r == 0 && c->io)
		r = sd_event_source_set_io_events(c->io, EPOLLIN | (c->out_used ? EPOLLOUT : 0u));
	if (!c->deadline_us && frame->sequence) /* else no reply comes */
		c->deadline_us = clock_us() + REPLY_US;
	return r;
}

static int send_ping(struct ipc *c)
{
	NpFrame frame = NP_FRAME_INIT;
	NpPing ping = NP_PING_INIT;

	ping.sent_at_unix_nano = unix_nano();
	frame.sequence = c->ping_sequence = ++c->sequence;
	frame.payload_case = NP_PAYLOAD(PING);
	frame.ping = &ping;
	c->next_ping_us = clock_us() + PING_EVERY_US;
	return send_frame(c, &frame);
}

static int send_config(struct ipc *c)
{
	NpFrame frame = NP_FRAME_INIT;
	NpApplyConfig apply = NP_APPLY_CONFIG_INIT;

	if (!c->config)
		return 0;
	apply.config = c->config;
	frame.sequence = c->config_sequence = ++c->sequence;
	frame.payload_case = NP_PAYLOAD(APPLY_CONFIG);
	frame.apply_config = &apply;
	c->config_acked = c->config_rejected = false;
	return send_frame(c, &frame);
}

static void schedule(struct ipc *c)
{
	if (c->connected)
		arm(c, c->deadline_us && c->deadline_us < c->next_ping_us ? c->deadline_us : c->next_ping_us);
}

static void connected(struct ipc *c)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	/* Root is systemd, which listens for a socket-activated add-on. */
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid())) {
		snprintf(c->error, sizeof(c->error), "%s: served by another user", c->path);
		drop(c, NULL);
		return;
	}
	c->connecting = false;
	c->connected = true;
	c->connected_us = clock_us();
	c->since_s = time(NULL);
	c->reconnects++;
	if (send_ping(c) < 0 || send_config(c) < 0) {
		drop(c, "cannot send");
		return;
	}
	log_event(LOG_LEVEL_INFO, "connected to the add-on", "socket", c->path, NULL);
	schedule(c);
	c->on_change(c->userdata);
}

static void got_reply(struct ipc *c, uint64_t sequence)
{
	if (sequence == c->ping_sequence)
		c->ping_sequence = 0;
	if (sequence == c->config_sequence)
		c->config_sequence = 0;
	if (sequence == c->flow_sequence)
		c->flow_sequence = 0;
	if (sequence == c->capture_sequence)
		c->capture_sequence = 0;
	c->deadline_us = c->ping_sequence || c->config_sequence || c->flow_sequence || c->capture_sequence ? clock_us() + REPLY_US : 0;
}

/* The ack is taken out of the frame. */
static void on_ping_ack(struct ipc *c, NpFrame *f)
{
	NpPingAck *ack = f->ping_ack;
	int64_t ms = (unix_nano() - ack->sent_at_unix_nano) / 1000000;

	c->last_ping_ms = ms < 0 ? 0 : ms;
	c->capture_known = true;
	c->capture_available = ack->continuous_capture_available;
	snprintf(c->capture_reason, sizeof(c->capture_reason), "%s", ack->unavailable_reason);
	free_ack(c);
	c->last_ack = ack;
	f->payload_case = NP_PAYLOAD(_NOT_SET);
	f->ping_ack = NULL;
	c->on_change(c->userdata); /* counters of the status file as well */
}

static void on_message(struct ipc *c, const char *type, const ProtobufCMessage *m)
{
	c->events++;
	c->on_message(c->userdata, type, m);
}

/* Events that are only passed on. False for any other frame. */
static bool pass_on(struct ipc *c, const NpFrame *f)
{
	switch (f->payload_case) {
	case NP_PAYLOAD(DPI_EVENT):
		on_message(c, "dpi_event", &f->dpi_event->base);
		break;
	case NP_PAYLOAD(FINGERPRINT_EVENT):
		on_message(c, "fingerprint_event", &f->fingerprint_event->base);
		break;
	case NP_PAYLOAD(PROCESS_SNAPSHOT):
		on_message(c, "process_snapshot", &f->process_snapshot->base);
		break;
	case NP_PAYLOAD(FLOW_RECORD_BATCH):
		for (size_t i = 0; i < f->flow_record_batch->n_records; i++)
			on_message(c, "flow_record", &f->flow_record_batch->records[i]->base);
		break;
	default:
		return false;
	}
	c->unflushed = true;
	return true;
}

/* Of a capture: its blocks, and the refusal of the request for it. */
static bool of_capture(struct ipc *c, const NpFrame *f, uint64_t capture_sequence)
{
	if (f->payload_case == NP_PAYLOAD(PCAPNG_BLOCK)) {
		if (c->on_capture)
			c->on_capture(c->capture_userdata, f->pcapng_block, NULL, NULL);
		return true;
	}
	if (f->payload_case != NP_PAYLOAD(ERROR) || !capture_sequence || f->sequence != capture_sequence)
		return false;
	if (c->on_capture)
		c->on_capture(c->capture_userdata, NULL, f->error->code, f->error->message);
	return true;
}

/* True while the connection is still the same. */
static bool on_frame(struct ipc *c, NpFrame *f)
{
	uint64_t config_sequence = c->config_sequence, capture_sequence = c->capture_sequence;

	if (f->sequence)
		got_reply(c, f->sequence);
	if (f->payload_case == NP_PAYLOAD(PING_ACK)) {
		on_ping_ack(c, f);
	} else if (f->payload_case == NP_PAYLOAD(CONFIG_ACK) && f->sequence == config_sequence) {
		c->config_acked = true;
		c->error[0] = '\0';
		c->on_change(c->userdata);
	} else if (f->payload_case == NP_PAYLOAD(FLOW_ATTRIBUTION_EVENT)) {
		c->events++;
		c->on_event(c->userdata, f->flow_attribution_event);
		c->on_batch_end(c->userdata);
	} else if (f->payload_case == NP_PAYLOAD(FLOW_ATTRIBUTION_BATCH)) {
		const NpFlowBatch *b = f->flow_attribution_batch;

		c->events += b->n_events;
		c->dropped += b->dropped_since_last;
		for (size_t i = 0; i < b->n_events; i++)
			c->on_event(c->userdata, b->events[i]);
		c->on_batch_end(c->userdata);
	} else if (pass_on(c, f) || of_capture(c, f, capture_sequence)) {
		return true;
	} else if (f->payload_case == NP_PAYLOAD(EXTERNAL_FLOW_ACK) && f->sequence) {
		if (c->on_flow_ack)
			c->on_flow_ack(c->flow_userdata, f->external_flow_ack);
	} else if (f->payload_case == NP_PAYLOAD(ERROR)) {
		log_event(LOG_LEVEL_WARNING, "the add-on refused a request", "socket", c->path, "code", f->error->code,
			  "message", f->error->message, NULL);
		snprintf(c->error, sizeof(c->error), "%s: %s", f->error->code, f->error->message);
		if (config_sequence && f->sequence == config_sequence)
			c->config_rejected = true;
		else if (f->sequence == 0)
			return false;
		c->on_change(c->userdata);
	}
	return c->fd >= 0;
}

static void take_frames(struct ipc *c)
{
	const uint8_t *payload;
	size_t length;

	for (int i = 0; i < 64; i++) { /* then let others have a turn; epoll calls again */
		NpFrame *frame;
		bool same;
		int r = frame_read(&c->reader, c->fd, &payload, &length);

		if (r == 0)
			break;
		if (r < 0) {
			drop(c, r == -EPIPE ? "closed by the add-on" : strerror(-r));
			return;
		}
		frame = np_frame_unpack(NULL, length, payload);
		if (!frame) {
			drop(c, "a frame that does not decode");
			return;
		}
		same = on_frame(c, frame);
		np_frame_free(frame, NULL);
		if (!same) {
			if (c->fd >= 0)
				drop(c, c->error);
			return;
		}
	}
	schedule(c);
}

static void read_frames(struct ipc *c)
{
	take_frames(c);
	if (c->unflushed && c->on_batch_end)
		c->on_batch_end(c->userdata);
	c->unflushed = false;
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct ipc *c = userdata;
	int error = 0;
	socklen_t size = sizeof(error);

	if (c->connecting) {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error)
			drop(c, NULL);
		else
			connected(c);
		return 0;
	}
	if (events & EPOLLOUT) {
		if (flush_out(c) < 0) {
			drop(c, "cannot send");
			return 0;
		}
		if (!c->out_used)
			sd_event_source_set_io_events(s, EPOLLIN);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		read_frames(c);
	return 0;
}

static void start(struct ipc *c)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	/* Below rootfd without chroot: through its /proc name. */
	r = snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d%s", c->rootfd, c->path);
	if (fd < 0 || r >= (int)sizeof(a.sun_path)) {
		arm(c, clock_us() + backoff_next(&c->backoff));
		return;
	}
	r = connect(fd, (struct sockaddr *)&a, sizeof(a));
	if (r < 0 && errno != EINPROGRESS) {
		if (!c->connected)
			snprintf(c->error, sizeof(c->error), "%s: %s", c->path, strerror(errno));
		arm(c, clock_us() + backoff_next(&c->backoff));
		return;
	}
	c->connecting = r < 0;
	c->fd = steal_fd(&fd);
	r = sd_event_add_io(c->event, &c->io, c->fd, c->connecting ? EPOLLOUT : EPOLLIN, on_io, c);
	if (r < 0)
		drop(c, NULL);
	else if (!c->connecting)
		connected(c);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct ipc *c = userdata;

	(void)s;
	(void)usec;
	if (!c->wanted)
		return 0;
	if (c->fd < 0)
		start(c);
	else if (c->connected && c->deadline_us && clock_us() >= c->deadline_us)
		drop(c, "no reply within 5 s");
	else if (c->connected && clock_us() >= c->next_ping_us && send_ping(c) < 0)
		drop(c, "cannot send");
	else
		schedule(c);
	return 0;
}

void ipc_want(struct ipc *c, bool wanted)
{
	if (c->wanted == wanted)
		return;
	c->wanted = wanted;
	if (wanted) {
		backoff_reset(&c->backoff);
		arm(c, clock_us());
	} else {
		drop(c, NULL);
		c->capture_known = c->config_rejected = false;
		c->error[0] = '\0';
	}
}

void ipc_set_config(struct ipc *c, NpConfig *config)
{
	if (c->config)
		protobuf_c_message_free_unpacked(&c->config->base, NULL);
	c->config = config;
	if (c->connected && send_config(c) < 0)
		drop(c, "cannot send");
	schedule(c);
}

int ipc_external_flow(struct ipc *c, const NpExternalFlow *flow, bool want_ack)
{
	NpFrame frame = NP_FRAME_INIT;
	int r;

	if (!c->connected)
		return -ENOTCONN;
	frame.payload_case = NP_PAYLOAD(EXTERNAL_FLOW_RECORD);
	frame.external_flow_record = (NpExternalFlow *)(uintptr_t)flow; /* only packed */
	if (want_ack)
		frame.sequence = c->flow_sequence = ++c->sequence;
	r = send_frame(c, &frame);
	schedule(c);
	return r;
}

int ipc_start_capture(struct ipc *c, const NpStartCapture *start)
{
	NpFrame frame = NP_FRAME_INIT;
	int r;

	if (!c->connected)
		return -ENOTCONN;
	frame.sequence = c->capture_sequence = ++c->sequence;
	frame.payload_case = NP_PAYLOAD(START_REMOTE_CAPTURE);
	frame.start_remote_capture = (NpStartCapture *)(uintptr_t)start; /* only packed */
	r = send_frame(c, &frame);
	schedule(c);
	return r;
}

int ipc_stop_capture(struct ipc *c, const char *session)
{
	NpFrame frame = NP_FRAME_INIT;
	NpStopCapture stop = NP_STOP_CAPTURE_INIT;

	if (!c->connected)
		return -ENOTCONN;
	stop.session_id = (char *)(uintptr_t)session;
	frame.payload_case = NP_PAYLOAD(STOP_REMOTE_CAPTURE);
	frame.stop_remote_capture = &stop;
	return send_frame(c, &frame);
}

int ipc_capture_credit(struct ipc *c, const char *session, uint64_t bytes)
{
	NpFrame frame = NP_FRAME_INIT;
	NpCaptureCredit credit = NP_CAPTURE_CREDIT_INIT;

	if (!c->connected)
		return -ENOTCONN;
	credit.session_id = (char *)(uintptr_t)session;
	credit.bytes = bytes;
	frame.payload_case = NP_PAYLOAD(CAPTURE_CREDIT);
	frame.capture_credit = &credit;
	return send_frame(c, &frame);
}

void ipc_free(struct ipc *c)
{
	c->wanted = false;
	c->on_change = c->on_batch_end;
	drop(c, NULL);
	sd_event_source_unref(c->timer);
	if (c->config)
		protobuf_c_message_free_unpacked(&c->config->base, NULL);
}
