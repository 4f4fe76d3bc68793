/* SPDX-License-Identifier: Apache-2.0 */
/* The one client: its frames in, and a buffer of frames out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/frame.h"
#include "proto/netprobe.pb-c.h"

typedef Serviceradar__Agent__Netprobe__V1__NetprobeFrame NetprobeFrame;

/* A request is read only while less than this waits to be sent: replies are never dropped, so requests have to wait. */
#define CLIENT_BACKLOG_MAX (64u * 1024)

struct client {
	int fd; /* -1: nobody is connected */
	struct frame_reader in;
	uint8_t *out;
	size_t out_size, out_used, out_sent;
	size_t out_events; /* events in the part that is not wholly sent */
};

/* Appends one frame to what is to be sent. 0, -EMSGSIZE or -ENOMEM. */
int client_append(struct client *c, const NetprobeFrame *frame);

/* Appends a frame whose payload of `size` bytes, at most FRAME_MAX_PAYLOAD, is to be written where the result points. NULL
 * without memory. */
uint8_t *client_reserve(struct client *c, size_t size);

/* Sends what the socket takes. 0, or the negative errno of a connection that is gone. *done is the number of events
 * that went out whole since the call before. */
int client_flush(struct client *c, size_t *done);

static inline size_t client_backlog(const struct client *c)
{
	return c->out_used - c->out_sent;
}

/* Decodes a frame with memory bounded to a small multiple of the largest frame. NULL for what is no NetprobeFrame. Free
 * with client_free_frame. */
NetprobeFrame *client_decode(const uint8_t *payload, size_t length);
void client_free_frame(NetprobeFrame *frame);

/* Closes and forgets everything. */
void client_close(struct client *c);
