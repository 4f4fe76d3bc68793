/* SPDX-License-Identifier: Apache-2.0 */
/* What the analysis says, on its way to the client: a bounded queue for each class, the oldest dropped first and counted. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "netprobe/bpf/tap.h"
#include "netprobe/client.h"

#define OUTBOX_BYTES      (1024u * 1024) /* for each class */
#define OUTBOX_FRAME_MAX  (16u * 1024)   /* records are put into frames up to about this */

enum outbox_class { OUTBOX_DPI, OUTBOX_FINGERPRINT, OUTBOX_RECORD, OUTBOX_CLASSES };

struct outbox_totals {
	uint64_t produced, delivered, dropped, waiting; /* produced = the sum of the others + what is being sent */
};

struct outbox;

int outbox_new(struct outbox **out);
void outbox_free(struct outbox *o);

/* A DpiEvent, FingerprintEvent or FlowRecord, as `class` says. Packed at once: it is not kept. Memory for the class is taken
 * with its first message. */
void outbox_push(struct outbox *o, enum outbox_class class, const ProtobufCMessage *message);

/* Appends what waits to a client that has no backlog, up to about OUTBOX_FRAME_MAX of it. 1, 0 when nothing waits, or -ENOMEM.
 * What was appended before counts as delivered. */
int outbox_send(struct outbox *o, struct client *c);

/* The connection is gone: what was appended and not wholly sent is dropped. */
void outbox_disconnected(struct outbox *o);

/* Where a class is counted, for the daemon after this one; NULL: in the outbox, as at first. Counts go along, and are added to what is
 * there already, of the daemon before; what that had produced and nobody got counts as dropped, and is returned. */
uint64_t outbox_account(struct outbox *o, enum outbox_class class, struct tap_messages *account);

struct outbox_totals outbox_totals(const struct outbox *o, enum outbox_class class);
