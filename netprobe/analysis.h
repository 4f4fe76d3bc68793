/* SPDX-License-Identifier: Apache-2.0 */
/* From packets to what is reported: protocols, fingerprints, flow records. The one path of live packets and of capture files. */
#pragma once

#include "netprobe/classify.h"
#include "netprobe/config.h"
#include "netprobe/fingerprint/fingerprint.h"
#include "netprobe/flow.h"
#include "proto/netprobe.pb-c.h"

typedef Serviceradar__Agent__Netprobe__V1__DpiEvent DpiEvent;
typedef Serviceradar__Agent__Netprobe__V1__FingerprintEvent FingerprintEvent;
typedef Serviceradar__Agent__Netprobe__V1__FlowRecord FlowRecord;

#define ANALYSIS_FLOWS       65536u
#define ANALYSIS_EVIDENCE_NS INT64_C(10000000000) /* fingerprints of a flow are told after this, if not before */

struct analysis;

/* What comes out; a message is valid during the call only. */
struct analysis_sink {
	void (*dpi)(void *userdata, const DpiEvent *event);
	void (*fingerprint)(void *userdata, const FingerprintEvent *event);
	void (*record)(void *userdata, const FlowRecord *record);
	/* A flow is settled: no more of its packets are wanted. May be NULL. */
	void (*settled)(void *userdata, const struct flow *flow);
	/* A record told of a flow that goes on, or of its end. May be NULL. */
	void (*told)(void *userdata, const struct flow *flow, enum flow_end why);
	/* "" for one without a name; valid until the next packet. */
	const char *(*interface_name)(void *userdata, uint32_t interface);
	void *userdata;
};

struct analysis_options {
	uint32_t flows_max;    /* 0: ANALYSIS_FLOWS */
	uint64_t seed;         /* of hashes: unpredictable where foreign packets come live, constant for a file */
	bool kernel_counts;    /* live: the flows' counters and ends come by analysis_flow and analysis_flow_end */
	struct p0f_store *p0f; /* stays the caller's; may be NULL */
};

/* Everything is on until analysis_configure. -ENOMEM, -EINVAL. */
int analysis_new(struct analysis **out, const struct analysis_options *o, const struct analysis_sink *sink);
/* Ends nothing: what has not been told is forgotten. */
void analysis_free(struct analysis *a);

/* Takes a config into use that was checked; it must stay until the next one or the end. NULL: everything on. Flows that are
 * known go on as they began. -ENOMEM: the one before stays. */
int analysis_configure(struct analysis *a, const VisibilityConfig *config);

/* Packets with payload that a flow is looked at for, 1 to CLASSIFY_PACKETS. */
void analysis_set_budget(struct analysis *a, unsigned packets);

/* A packet as packet_parse read it, with its result. `hint`: live. */
void analysis_packet(struct analysis *a, const struct packet *p, enum packet_result result, const struct flow_hint *hint);

/* Time passes without a packet. */
void analysis_tick(struct analysis *a, int64_t now_ns);

/* Live: a flow of the kernel's table, with its counters (flow_table_counted); all of them once between two calls of
 * analysis_round. What is known of it from before (protocol, confidence, state, settled, reported, reported_ns) counts when it is new
 * here. Then an end that the caller decided on. */
const struct flow *analysis_flow(struct analysis *a, const struct flow *counted);
void analysis_flow_end(struct analysis *a, const struct flow_key *key, uint64_t id, enum flow_end why);
void analysis_round(struct analysis *a);

/* All flows end. */
void analysis_end(struct analysis *a, enum flow_end why);

struct analysis_totals {
	uint64_t results[PACKET_RESULTS]; /* packets, by enum packet_result */
	uint64_t classified, unknown;     /* flows settled */
	uint64_t sampled;                 /* events left out by a sample interval */
	struct flow_totals flows;
	struct classifier_totals classifier;
};
struct analysis_totals analysis_totals(const struct analysis *a);
