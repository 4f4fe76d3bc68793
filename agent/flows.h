/* SPDX-License-Identifier: Apache-2.0 */
/* The most recent flow events, in a ring of fixed size, for `srctl flows`. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/np.h"

#define FLOWS_MAX 2048u

enum flow_direction { FLOW_UNKNOWN, FLOW_OUT, FLOW_IN };

/* One event. The opening time and the direction of a socket's later events come from its first one in the ring. */
struct flow {
	uint64_t number;             /* counts from 0 over the life of the ring */
	uint64_t cookie;             /* 0: none */
	int64_t opened_ns, updated_ns; /* UNIX time */
	uint8_t local[16], remote[16];
	uint32_t pid, uid, gid;
	uint16_t local_port, remote_port;
	uint16_t next;               /* hash chain: slot + 1, 0 ends it */
	uint8_t family;              /* AF_INET, AF_INET6, 0: not an address */
	uint8_t direction, kind, state;
	bool superseded;             /* a later event of the same socket is in the ring */
	char protocol[8], comm[16];
	char container[65];          /* "": none */
};

struct flows;

struct flows *flows_new(void);
void flows_free(struct flows *f);

/* Takes in an event; the oldest one goes when the ring is full. */
void flows_add(struct flows *f, const NpFlowEvent *e);

/* The first event with this number or a later one, and *number moved past it; NULL when there is none yet. *missed grows
 * by the number of events that were already gone. */
const struct flow *flows_next(const struct flows *f, uint64_t *number, uint64_t *missed);

/* Numbers: of the oldest event in the ring, and of the one that comes next. */
uint64_t flows_oldest(const struct flows *f);
uint64_t flows_end(const struct flows *f);

/* One event as docs/agent-socket.md shows it; the caller owns it. NULL without memory. */
struct json_object *flow_to_json(const struct flow *w);
