/* SPDX-License-Identifier: Apache-2.0 */
/* A remote capture (docs/netprobe-ipc.md): packets of one interface as a pcapng stream of PcapngBlock frames. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/capture.h"
#include "netprobe/capture_filter.h"
#include "netprobe/client.h"
#include "netprobe/config.h"
#include "netprobe/packet.h"

#define CAPTURE_DURATION     60u           /* s; when the request says 0 */
#define CAPTURE_BYTES        (50u << 20)   /* when it says 0 */
#define CAPTURE_FRAME_BYTES  (128u * 1024) /* of pcapng in one frame, about */
#define CAPTURE_COMMENT_MAX  256u

typedef Serviceradar__Agent__Netprobe__V1__CaptureTerminationReason CaptureReason;

#define CAPTURE_REASON(r) SERVICERADAR__AGENT__NETPROBE__V1__CAPTURE_TERMINATION_REASON__CAPTURE_TERMINATION_REASON_##r

struct capture;

struct capture_host {
	void (*ready)(void *userdata); /* there is something for capture_send */
	/* Who owns a packet's ends, for its comment; called only when the request asks for comments. "" for nobody known. */
	void (*comment)(void *userdata, const struct packet *p, char out[CAPTURE_COMMENT_MAX]);
	void *userdata;
};

/* Checks the request against `config` (NULL: none applied yet) and opens the session; cap_net_raw must be permitted. A refusal is a
 * negative errno, and *code one of the capture error codes; nothing stays open. `sequence` goes with the first block. */
int capture_open(struct capture **out, sd_event *event, const CaptureRequest *request, uint64_t sequence, const VisibilityConfig *config,
		 const struct capture_host *host, const char **code, struct error *err);

/* Appends the next block to a client that has no backlog. 1, 0 when there is nothing to send now, or a negative errno. */
int capture_send(struct capture *c, struct client *to);

/* Whether the final block was appended: the session is over, and its socket closed. */
bool capture_finished(const struct capture *c);

/* Stops it: what the kernel has taken is still sent, then the final block with this reason. */
void capture_stop(struct capture *c, CaptureReason reason);

/* How many bytes of pcapng may be sent in all, for a session that has a window. */
void capture_credit(struct capture *c, uint64_t bytes);

const char *capture_session(const struct capture *c);
const char *capture_interface(const struct capture *c);

/* Whether a config lets an interface be captured. */
bool capture_allowed(const VisibilityConfig *config, const char *interface);

/* Logs the result and closes the socket. NULL is allowed. */
void capture_close(struct capture *c);
