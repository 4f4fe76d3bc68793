/* SPDX-License-Identifier: Apache-2.0 */
/* The protocol of a flow from its first packets with payload: TCP streams put together as far as needed, the dissectors
 * asked, memory bounded for each flow and in all. */
#pragma once

#include <stdint.h>

#include "netprobe/dissect/dissect.h"

#define CLASSIFY_PACKETS    16u                 /* packets with payload that a flow is looked at for, at most */
#define CLASSIFY_FLOW_BYTES (32u * 1024)        /* buffered for one flow */
#define CLASSIFY_ALL_BYTES  (32u * 1024 * 1024) /* buffered for all */

struct classifier;
struct classify_flow; /* what is kept of a flow while it is looked at */

enum classify_state {
	CLASSIFY_GOING,   /* more packets are wanted */
	CLASSIFY_DONE,    /* protocol known, and what fingerprints need was handed out or will not come */
	CLASSIFY_UNKNOWN, /* the budget is used up, nothing fits */
};

struct classify_result {
	enum classify_state state;
	enum protocol protocol; /* known so far; may be known while state is CLASSIFY_GOING (a ClientHello is still wanted) */
	float confidence;
	bool fresh;             /* this packet made the protocol known */
};

/* Bit 1 << p of `off`: the dissector of protocol p is not run. All memory is reserved here and not touched before it
 * is needed: nothing is allocated later. -ENOMEM. */
int classifier_new(struct classifier **out, uint64_t off);
void classifier_free(struct classifier *c);

/* Looks at one packet of a flow: also at SYNs, of which it learns where the streams begin. *flow is NULL before the first one;
 * it is made when something has to be kept, and freed and set to NULL when the state is no longer CLASSIFY_GOING. `fresh` may
 * come a second time, for what follows in the same flow (STUN, then DTLS). `direction` 0: from who began the flow. `budget`:
 * packets with payload to look at, 1 to CLASSIFY_PACKETS. `off` as above, for this flow (its device's toggles), in addition. */
struct classify_result classify_packet(struct classifier *c, struct classify_flow **flow, const struct packet *p,
				       unsigned direction, unsigned budget, uint64_t off, handout_fn *handout, void *userdata);

/* The flow has ended or is forgotten. *flow may be NULL. */
void classify_forget(struct classifier *c, struct classify_flow **flow);

struct classifier_totals {
	uint64_t buffered_bytes, buffered_peak; /* now, and at most ever */
	uint64_t refused;                       /* flows that memory was lacking for: known by one packet, or not */
};
struct classifier_totals classifier_totals(const struct classifier *c);
