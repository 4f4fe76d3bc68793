/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "netprobe/banners.h"
#include "netprobe/hostcheck.h"
#include "netprobe/intake.h"
#include "netprobe/privilege.h"
#include "netprobe/server_state.h"

typedef Serviceradar__Agent__Netprobe__V1__PingAck PingAck;

int requests_error(struct client *c, uint64_t sequence, const char *code, const char *message)
{
	Serviceradar__Agent__Netprobe__V1__ErrorFrame error = SERVICERADAR__AGENT__NETPROBE__V1__ERROR_FRAME__INIT;
	NetprobeFrame frame = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;

	error.code = (char *)(uintptr_t)code;
	error.message = (char *)(uintptr_t)message;
	frame.sequence = sequence;
	frame.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_ERROR;
	frame.error = &error;
	return client_append(c, &frame);
}

static int64_t unix_nano(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

typedef Serviceradar__Agent__Netprobe__V1__ProgramState ProgramState;
#define STATES_MAX 64

static size_t programs(const struct server *s, ProgramState states[STATES_MAX], ProgramState *pointers[STATES_MAX])
{
	const char *hook, *state;
	unsigned n = 0;

	for (; n < STATES_MAX && s->attribution && attribution_program(s->attribution, n, &hook, &state); n++) {
		serviceradar__agent__netprobe__v1__program_state__init(&states[n]);
		states[n].hook = (char *)(uintptr_t)hook;
		states[n].state = (char *)(uintptr_t)state;
		pointers[n] = &states[n];
	}
	return n;
}

static int on_ping(struct server *s, const NetprobeFrame *request)
{
	PingAck ack = SERVICERADAR__AGENT__NETPROBE__V1__PING_ACK__INIT;
	NetprobeFrame frame = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	struct attribution_totals t = server_totals(s);
	ProgramState states[STATES_MAX], *state_pointers[STATES_MAX];

	ack.sent_at_unix_nano = request->ping->sent_at_unix_nano;
	ack.acked_at_unix_nano = unix_nano();
	ack.running_as_root = geteuid() == 0;
	ack.continuous_capture_available = s->attribution != NULL;
	ack.unavailable_reason = (char *)(uintptr_t)(s->attribution ? "" : s->unavailable);
	ack.netprobe_version = (char *)(uintptr_t)SR_VERSION;
	ack.kernel_release = (char *)(uintptr_t)hostcheck_kernel();
	ack.events_produced = t.produced;
	ack.events_delivered = s->delivered;
	ack.events_dropped_kernel = t.dropped;
	ack.events_dropped_queue = s->queue.dropped;
	ack.events_foreign = t.foreign;
	ack.events_discarded = s->discarded;
	ack.events_merged = s->presumed.merged;
	ack.events_waiting = intake_waiting(s, &t);
	ack.udp_peers_suppressed = t.suppressed;
	ack.sockets_seeded = t.seeded;
	ack.external_accepted = s->external.counts.accepted;
	ack.external_matched = s->external.counts.matched;
	ack.external_unmatched = s->external.counts.unmatched;
	ack.external_invalid = s->external.counts.invalid;
	ack.external_waiting = s->external.waiting;
	ack.snapshot_passes = s->listeners.passes;
	ack.snapshots_sent = s->listeners.snapshots;
	ack.n_programs = programs(s, states, state_pointers);
	ack.programs = state_pointers;
	ack.configs_refused = s->refused_configs;
	ack.started_at_unix_nano = s->started_unix_nano;
	if (s->observe)
		observe_fill(s->observe, &ack);
	frame.sequence = request->sequence;
	frame.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_PING_ACK;
	frame.ping_ack = &ack;
	return client_append(&s->client, &frame);
}

/* Attaching needs the capabilities for a moment. */
static int set_enabled(struct server *s, bool on, struct error *err)
{
	int r = 0;

	if (!s->attribution)
		return 0;
	if (on)
		r = privilege_raise(err);
	if (r == 0)
		r = attribution_enable(s->attribution, on, err);
	if (on)
		privilege_lower();
	if (!on) {
		s->discarded += s->queue.count;
		events_pop(&s->queue, s->queue.count);
	}
	return r;
}

static int refuse_config(struct server *s, const NetprobeFrame *request, const struct error *err)
{
	s->refused_configs++;
	log_event(LOG_LEVEL_WARNING, "config refused, the one before it stays in force", "reason", err->text, NULL);
	return requests_error(&s->client, request->sequence, "invalid_config", err->text);
}

static int on_apply_config(struct server *s, NetprobeFrame *request)
{
	Serviceradar__Agent__Netprobe__V1__ConfigAck ack = SERVICERADAR__AGENT__NETPROBE__V1__CONFIG_ACK__INIT;
	NetprobeFrame frame = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	VisibilityConfig *config = request->apply_config->config;
	char hash[CONFIG_HASH_BYTES];
	struct error err = { .text = "config: missing" };
	int r = config ? config_check(config, &err) : -EINVAL;

	if (r == 0)
		r = config_hash(config, hash);
	if (r == 0 && config->enabled != server_enabled(s))
		r = set_enabled(s, config->enabled, &err);
	if (r == 0 && s->observe)
		r = observe_apply(s->observe, config, &err);
	if (r < 0)
		return refuse_config(s, request, &err);
	if (s->config)
		protobuf_c_message_free_unpacked(&s->config->base, NULL);
	s->config = config;
	if (s->capture && !capture_allowed(config, capture_interface(s->capture)))
		capture_stop(s->capture, CAPTURE_REASON(CLIENT_CANCEL));
	s->external.window_ns = config->external_flow_match_window_ms * UINT64_C(1000000);
	request->apply_config->config = NULL; /* taken */
	log_event(LOG_LEVEL_INFO, "config applied", "hash", hash, "enabled", config->enabled ? "true" : "false", NULL);
	ack.config_hash = hash;
	frame.sequence = request->sequence;
	frame.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_CONFIG_ACK;
	frame.config_ack = &ack;
	return client_append(&s->client, &frame);
}

static uint64_t monotonic_nano(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Counted; each refusal is logged at debug level only, because a collector may send many. */
static int on_external_flow(struct server *s, const NetprobeFrame *request)
{
	Serviceradar__Agent__Netprobe__V1__ExternalFlowAck ack = SERVICERADAR__AGENT__NETPROBE__V1__EXTERNAL_FLOW_ACK__INIT;
	NetprobeFrame frame = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	const struct external_counts *now = &s->external.counts;
	struct external_counts *told = &s->external_told;
	struct error err;

	if (s->attribution)
		(void)attribution_drain(s->attribution); /* what happened before the flow came is known before it */
	if (external_flow(&s->external, request->external_flow_record, monotonic_nano(), &err) < 0)
		log_debug("external flow refused: %s", err.text);
	if (!request->sequence)
		return 0;
	ack.accepted = now->accepted - told->accepted;
	ack.matched = now->matched - told->matched;
	ack.unmatched = now->unmatched - told->unmatched;
	ack.invalid = now->invalid - told->invalid;
	*told = *now;
	frame.sequence = request->sequence;
	frame.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_EXTERNAL_FLOW_ACK;
	frame.external_flow_ack = &ack;
	return client_append(&s->client, &frame);
}

/* Replied to by its first block. */
static int on_start_capture(struct server *s, const NetprobeFrame *request)
{
	const struct capture_host host = server_capture_host(s);
	const char *code = "capture_session_active";
	struct error err = { .text = "another capture is going on; one at a time" };

	if (!s->capture && capture_open(&s->capture, s->event, request->start_remote_capture, request->sequence, s->config, &host, &code, &err) == 0)
		return 0;
	log_event(LOG_LEVEL_WARNING, "capture refused", "actor", request->start_remote_capture->actor, "code", code, "reason", err.text, NULL);
	return requests_error(&s->client, request->sequence, code, err.text);
}

static int on_stop_capture(struct server *s, const NetprobeFrame *request)
{
	if (s->capture && strcmp(capture_session(s->capture), request->stop_remote_capture->session_id) == 0)
		capture_stop(s->capture, CAPTURE_REASON(CLIENT_CANCEL));
	return 0; /* a session that is over has sent its final block */
}

static int on_capture_credit(struct server *s, const NetprobeFrame *request)
{
	if (s->capture && strcmp(capture_session(s->capture), request->capture_credit->session_id) == 0)
		capture_credit(s->capture, request->capture_credit->bytes);
	return 0;
}

int requests_handle(struct server *s, NetprobeFrame *request)
{
	switch (request->payload_case) {
	case SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_PING:
		return on_ping(s, request);
	case SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_APPLY_CONFIG:
		return on_apply_config(s, request);
	case SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_EXTERNAL_FLOW_RECORD:
		return on_external_flow(s, request);
	case SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_BANNER_BATCH:
		return banners_answer(&s->client, request);
	case SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_START_REMOTE_CAPTURE:
		return on_start_capture(s, request);
	case SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_STOP_REMOTE_CAPTURE:
		return on_stop_capture(s, request);
	case SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_CAPTURE_CREDIT:
		return on_capture_credit(s, request);
	default:
		return requests_error(&s->client, request->sequence, "unsupported_frame",
				   "this payload is no request that this version answers");
	}
}
