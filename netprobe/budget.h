/* SPDX-License-Identifier: Apache-2.0 */
/* How many packets of a flow are looked at: fewer while this process uses much CPU, again more when it is calm. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_WINDOW_NS INT64_C(3000000000) /* above the threshold for so long: half as many packets … */
#define BUDGET_CALM_NS   INT64_C(6000000000) /* … and below half of it for so long: twice as many */
#define BUDGET_PERCENT   25u                 /* of one CPU: the threshold unless told otherwise */

struct budget {
	unsigned packets, most;
	unsigned percent; /* threshold */
	int64_t cpu_ns, wall_ns; /* at the step before */
	int64_t busy_ns, calm_ns; /* for how long it has been so */
};

void budget_begin(struct budget *b, unsigned most, unsigned percent, int64_t cpu_ns, int64_t wall_ns);

/* With the process' CPU time and the clock's as of now, about once a second. True when `packets` has changed. */
bool budget_step(struct budget *b, int64_t cpu_ns, int64_t wall_ns);
