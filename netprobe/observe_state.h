/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the observer share. */
#pragma once

#include "netprobe/analysis.h"
#include "netprobe/budget.h"
#include "netprobe/observe.h"
#include "netprobe/outbox.h"

typedef Serviceradar__Agent__Netprobe__V1__PingAck PingAck;
typedef Serviceradar__Agent__Netprobe__V1__FlowCaptureStatus FlowCaptureStatus;

struct observe {
	sd_event *event;
	sd_event_source *tick_source, *ring_source;
	const struct observe_options *options;
	struct tap *tap; /* NULL: `unavailable` says why */
	bool usable; /* the host has what a tap needs */
	struct error unavailable;
	uint32_t entries; /* flow_table_max_entries of the tap */
	struct analysis *analysis;
	struct outbox *outbox;
	struct p0f_store *p0f;
	const VisibilityConfig *config;
	struct budget budget;
	int64_t clock_offset, now_ns; /* from CLOCK_MONOTONIC to Unix time; Unix time */
	uint64_t busy_until, step_at, walk_at, refresh_at;
	bool raise_to_walk, looked; /* for what the daemon before left */
	FlowCaptureStatus status; /* of the last observe_fill */
};
