/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/budget.h"

void budget_begin(struct budget *b, unsigned most, unsigned percent, int64_t cpu_ns, int64_t wall_ns)
{
	*b = (struct budget){ .packets = most, .most = most, .percent = percent, .cpu_ns = cpu_ns, .wall_ns = wall_ns };
}

bool budget_step(struct budget *b, int64_t cpu_ns, int64_t wall_ns)
{
	int64_t cpu = cpu_ns - b->cpu_ns, wall = wall_ns - b->wall_ns;

	if (wall <= 0)
		return false;
	b->cpu_ns = cpu_ns;
	b->wall_ns = wall_ns;
	b->busy_ns = cpu * 100 > wall * b->percent ? b->busy_ns + wall : 0;
	b->calm_ns = cpu * 200 <= wall * b->percent ? b->calm_ns + wall : 0;
	if (b->busy_ns >= BUDGET_WINDOW_NS && b->packets > 1) {
		b->packets /= 2;
		b->busy_ns = 0;
		return true;
	}
	if (b->calm_ns >= BUDGET_CALM_NS && b->packets < b->most) {
		b->packets = b->packets * 2 < b->most ? b->packets * 2 : b->most;
		b->calm_ns = 0;
		return true;
	}
	return false;
}
