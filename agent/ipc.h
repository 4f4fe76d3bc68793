/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to an add-on's socket: NetprobeFrame client with back-off, ping and config push (docs/netprobe-ipc.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/backoff.h"
#include "agent/np.h"
#include "lib/frame.h"

struct ipc {
	sd_event *event;
	int rootfd;
	char path[108];
	void (*on_change)(void *userdata);                     /* connected, acked, rejected, capture changed */
	void (*on_event)(void *userdata, const NpFlowEvent *e); /* one event */
	/* One message of another kind, as `type` says: "dpi_event", "fingerprint_event", "flow_record",
	 * "process_snapshot". */
	void (*on_message)(void *userdata, const char *type, const ProtobufCMessage *m);
	void (*on_batch_end)(void *userdata);
	void *userdata;

	bool wanted, connected, connecting, config_acked, config_rejected;
	bool unflushed;        /* messages without an on_batch_end since */
	char error[512];       /* of the last refusal or disconnect */
	bool capture_known, capture_available;
	char capture_reason[256];
	int64_t since_s;       /* UNIX time of the last change of `connected` */
	int64_t last_ping_ms;  /* -1: none yet */
	uint64_t events, dropped, reconnects;
	NpPingAck *last_ack;   /* of this connection; NULL: none yet */

	int fd;
	sd_event_source *io, *timer;
	struct frame_reader reader;
	struct backoff backoff;
	uint8_t *out;
	size_t out_used, out_done;
	NpConfig *config;      /* owned; NULL: nothing to push */
	uint64_t sequence, ping_sequence, config_sequence, flow_sequence, capture_sequence;
	void (*on_flow_ack)(void *userdata, const NpExternalFlowAck *ack); /* import.c; NULL: the connection is lost */
	void *flow_userdata;
	/* capture.c: a block; or NULL, and why there will be none. */
	void (*on_capture)(void *userdata, const NpPcapngBlock *block, const char *code, const char *message);
	void *capture_userdata;
	uint64_t next_ping_us, deadline_us, connected_us; /* CLOCK_MONOTONIC; deadline 0: no reply is awaited */
};

/* `path` is below rootfd. */
void ipc_init(struct ipc *c, sd_event *event, int rootfd, const char *path);

/* Connects and stays connected, or lets go. */
void ipc_want(struct ipc *c, bool wanted);

/* Takes over the config and pushes it now if connected, and on every connect. */
void ipc_set_config(struct ipc *c, NpConfig *config);

/* Sends an external flow; with `want_ack` on_flow_ack is called later. 0 or a negative errno. */
int ipc_external_flow(struct ipc *c, const NpExternalFlow *flow, bool want_ack);

/* Start a capture, stop it, let it send more; on_capture tells what becomes of it. 0 or a negative errno. */
int ipc_start_capture(struct ipc *c, const NpStartCapture *start);
int ipc_stop_capture(struct ipc *c, const char *session);
int ipc_capture_credit(struct ipc *c, const char *session, uint64_t bytes);

/* Bytes that wait to be sent. */
static inline size_t ipc_backlog(const struct ipc *c)
{
	return c->out_used - c->out_done;
}

void ipc_free(struct ipc *c);
