/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel side of attribution: loads and attaches the programs, and drains their ring buffer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "netprobe/bpf/events.h"

struct attribution;

struct attribution_totals {
	uint64_t produced, dropped, foreign, unowned; /* sums of struct attribution_counters over the CPUs */
};

typedef void (*attribution_fn)(const struct attribution_event *event, void *userdata);

/* Loads and attaches what this kernel takes. Needs CAP_BPF and CAP_PERFMON in the effective set. -ENOTSUP and the
 * reason, naming the program, when the necessary one cannot run; optional ones are left out and logged. */
int attribution_open(struct attribution **out, attribution_fn fn, void *userdata, struct error *err);
void attribution_close(struct attribution *a);

/* Stops or resumes the events; what is in the ring stays. Resuming needs the capabilities again. */
int attribution_enable(struct attribution *a, bool on, struct error *err);

/* Readable when the ring buffer is more than half full; it stays the attribution's. */
int attribution_fd(const struct attribution *a);

/* Hands every event that is in the ring buffer to the callback. Returns how many, or a negative errno. */
int attribution_drain(struct attribution *a);

/* Reads the mapped counters: no system call. */
struct attribution_totals attribution_totals(const struct attribution *a);

/* Program names with "active", or why they are not, in a fixed order; false past the last. */
bool attribution_program(const struct attribution *a, unsigned i, const char **name, const char **state);
