/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the analysis share. */
#pragma once

#include "netprobe/analysis.h"
#include "netprobe/device.h"
#include "netprobe/evidence.h"
#include "netprobe/fingerprint/device.h"
#include "netprobe/sample.h"

struct analysis {
	struct analysis_options options;
	struct analysis_sink sink;
	struct device_set *devices;
	struct flow_table *flows;
	struct classifier *classifier;
	struct evidence_pool *evidence;
	struct sampler *sampler;
	struct device_memory *memory; /* what devices showed in other flows */
	unsigned budget;
	int64_t now_ns;
	struct analysis_totals totals;
};

static inline const uint8_t *flow_address(const struct flow *f, unsigned side)
{
	return side ? f->key.high : f->key.low;
}

static inline uint16_t flow_port(const struct flow *f, unsigned side)
{
	return side ? f->key.high_port : f->key.low_port;
}

static inline const struct device *flow_device(const struct analysis *a, const struct flow *f, unsigned side)
{
	return device_find(a->devices, f->key.family, flow_address(f, side));
}

/* report.c: messages made and handed out, as far as toggles and sample intervals let them. */
void report_dpi(struct analysis *a, const struct flow *f, int64_t time_ns);
void report_fingerprint(struct analysis *a, const struct flow *f, unsigned side, struct evidence_end *end);
void report_record(struct analysis *a, const struct flow *f, enum flow_end why);

/* witness.c: fingerprints of a flow's two ends. */
void witness_syn(struct analysis *a, struct flow *f, const struct packet *p, unsigned sender);
void witness_handout(struct analysis *a, struct flow *f, const struct packet *p, unsigned sender, enum handout kind, struct span bytes);
/* Tells what is there, of a flow or of all that have waited long enough. */
void witness_tell(struct analysis *a, struct flow *f);
void witness_expire(struct analysis *a, int64_t now_ns);
