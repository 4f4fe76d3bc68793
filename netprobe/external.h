/* SPDX-License-Identifier: Apache-2.0 */
/* External flows (from a NetFlow or IPFIX collector) find their owner: an index of the sockets that events told of, by tuple
 * and time, and flows that wait for a socket which is not known yet. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "netprobe/events.h"
#include "netprobe/packet.h"

#define EXTERNAL_SOCKETS_MAX 65536u /* of which closed ones make room first */
#define EXTERNAL_WAITING_MAX 8192u  /* the oldest makes room, and counts as unmatched */
#define EXTERNAL_WINDOW_MS   5000u  /* when the config says 0 */

typedef Serviceradar__Agent__Netprobe__V1__ExternalFlowRecord ExternalFlowRecord;

struct external_counts {
	uint64_t accepted, matched, unmatched, invalid; /* accepted = matched + unmatched + waiting */
};

typedef void (*external_fn)(const struct event *event, void *userdata);

struct external {
	struct external_socket **buckets;              /* NULL until the first event */
	struct external_socket *oldest[2], *newest[2]; /* [1]: closed ones, and datagrams, which have no end */
	size_t sockets;
	struct external_flow *waiting_buckets[1024];
	struct external_flow *first, *last;            /* in the order of coming */
	size_t waiting;
	struct external_counts counts;
	uint64_t window_ns;   /* 0: EXTERNAL_WINDOW_MS */
	int64_t offset_ns;    /* CLOCK_MONOTONIC to Unix time */
	external_fn fn;       /* is handed each attributed flow */
	void *userdata;
};

/* An event passes: its socket is taken into the index, and flows that waited for it are attributed. */
void external_socket_event(struct external *x, const struct event *event);

/* A flow: attributed, or waits, or counts as invalid and err names the field. `now_ns`: CLOCK_MONOTONIC. */
int external_flow(struct external *x, const ExternalFlowRecord *flow, uint64_t now_ns, struct error *err);

struct external_owner {
	uint32_t pid, uid;
	const char *comm; /* borrowed until the next event */
};

/* Who has the socket that sent a packet (`sender`), or the one that it goes to. False when no event told of it. */
bool external_owner(const struct external *x, const struct packet *p, bool sender, struct external_owner *out);

/* Gives up flows that waited for the whole window. */
void external_expire(struct external *x, uint64_t now_ns);

void external_free(struct external *x);
