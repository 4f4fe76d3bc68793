/* SPDX-License-Identifier: Apache-2.0 */
/* Flows in user space: counters for capture files, and what the analysis keeps of a flow. Bounded: the oldest goes first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netprobe/bpf/tap.h"
#include "netprobe/classify.h"
#include "netprobe/packet.h"

#define FLOW_NS_CLOSING INT64_C(5000000000)   /* a TCP connection after both FINs or a RST */
#define FLOW_NS_OTHER   INT64_C(60000000000)  /* idle: anything but TCP */
#define FLOW_NS_TCP     INT64_C(900000000000) /* idle */
#define FLOW_NS_ACTIVE  INT64_C(300000000000) /* a flow that goes on is reported this often */

enum flow_end {
	FLOW_GOES_ON, /* its active interval is over */
	FLOW_END_FIN,
	FLOW_END_RST,
	FLOW_END_IDLE,
	FLOW_END_REUSED,    /* a new connection between the same ports */
	FLOW_END_EVICTED,   /* the table was full */
	FLOW_END_INTERFACE, /* it is no longer watched */
	FLOW_END_FILE,      /* the capture file ends */
};

/* "active", "fin", "rst", "idle", "reused", "evicted", "interface_removed", "end_of_file". */
const char *flow_end_name(enum flow_end e);

struct flow_side {
	uint64_t packets, bytes; /* with the link layer's header */
	uint8_t tcp_flags;       /* all that were seen */
};

struct flow {
	struct flow_key key;
	uint32_t hash, chain, older, newer; /* the table's own */
	uint64_t id; /* the kernel's; 0 in a file */
	struct flow_side side[2], reported[2]; /* sent by key.low, by key.high; what a record has told of */
	int64_t first_ns, last_ns, reported_ns; /* Unix time; the last: of the last record, or first_ns */
	uint32_t syn_sequence;
	uint8_t began;  /* which side began: an index of side */
	bool syn;       /* the SYN was seen */

	/* The analysis' own; all 0 in a new flow. */
	struct classify_flow *classify;
	uint64_t off;      /* protocols that are not looked for */
	float confidence;
	uint32_t evidence; /* number of what is kept for its fingerprints, or 0 */
	uint8_t protocol;  /* enum protocol */
	uint8_t state;     /* enum classify_state */
	uint16_t syn_mss;
	bool settled, started, syn_witnessed, answer_witnessed;

	uint32_t number;   /* in the table, from 1 */

	/* The table's own. */
	uint32_t round; /* of the kernel's flows, in which this one was there */
	int64_t moved_ns; /* to the end of its list */
	uint8_t list;
};

struct flow_table;

struct flow_table_options {
	uint32_t max; /* flows at once, 1 to 2^24 */
	uint64_t seed; /* of the hash: unpredictable where foreign packets choose the keys */
	bool kernel_counts; /* packets are not counted here, and nothing ends by its time: flow_table_counted does both */
	/* A flow's interval is over, or the flow: then it is gone after the call. */
	void (*ended)(void *userdata, struct flow *f, enum flow_end why);
	void *userdata;
};

/* Address space for all flows is taken here, and memory as they come: nothing is allocated later. -ENOMEM, -EINVAL. */
int flow_table_new(struct flow_table **out, const struct flow_table_options *o);
void flow_table_free(struct flow_table *t);

/* The canonical key of a packet, netns 0. Returns true when key.low sent it. */
bool flow_key_of(const struct packet *p, struct flow_key *key);

/* What the kernel knows of a packet's flow. */
struct flow_hint {
	const struct flow_key *key;
	uint64_t id;     /* never the same again: a flow of the same key with another id has ended without notice */
	unsigned sender; /* 0: key.low, 1: key.high */
};

/* Finds or makes the packet's flow, counts the packet, and ends what has been idle by its time. *direction: 0 from who
 * began. Later fragments are counted for the flow of the first one, whose ports are remembered. `hint` may
 * be NULL.
 *
 * Who began: the sender of the SYN, the receiver of the SYN+ACK; else the sender of the first packet, but its receiver when
 * the packet came from a port below 1024 to one from 32768 on (a reply whose request was not captured). */
struct flow *flow_table_packet(struct flow_table *t, const struct packet *p, const struct flow_hint *hint, unsigned *direction);

/* A flow as the kernel has counted it: finds or makes it, and sets key, id, side, began, first_ns and last_ns from *counted,
 * and when it is made reported, reported_ns, protocol, confidence, state and settled, too;
 * reports it when its active interval is over. */
struct flow *flow_table_counted(struct flow_table *t, const struct flow *counted);
/* Between two calls the kernel's flows were all given to flow_table_counted; those that were not there have been evicted. */
void flow_table_round(struct flow_table *t);

/* By its number, which is in use. */
struct flow *flow_table_at(const struct flow_table *t, uint32_t number);

struct flow *flow_table_find(struct flow_table *t, const struct flow_key *key);

/* Ends flows: what was idle by `now_ns`; one; those of an interface; all, oldest first. */
void flow_table_expire(struct flow_table *t, int64_t now_ns);
void flow_table_end(struct flow_table *t, struct flow *f, enum flow_end why);
void flow_table_end_interface(struct flow_table *t, uint32_t ifindex);
void flow_table_end_all(struct flow_table *t, enum flow_end why);

struct flow_totals {
	uint32_t flows, peak;  /* now, and at most ever */
	uint64_t made, evicted;
};
struct flow_totals flow_table_totals(const struct flow_table *t);
