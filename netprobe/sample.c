/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SETS 4096u
#define WAYS 4u

struct taken {
	int64_t time_ns;
	uint8_t address[16];
	uint32_t class;
	uint8_t family; /* 0: not used */
};

/* Each pair has one set of places to be in; the oldest of a full set goes. */
struct sampler {
	struct taken sets[SETS][WAYS];
};

int sampler_new(struct sampler **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void sampler_free(struct sampler *s)
{
	free(s);
}

bool sampler_take(struct sampler *s, const uint8_t address[16], uint8_t family, uint32_t class, int64_t interval_ns, int64_t now_ns)
{
	struct taken *set, *free_or_oldest;
	uint32_t h = class * 0x9e3779b1u;

	if (interval_ns <= 0)
		return true;
	for (int i = 0; i < 16; i++)
		h = (h ^ address[i]) * 0x01000193u;
	set = s->sets[(h >> 12) % SETS];
	free_or_oldest = set;
	for (unsigned i = 0; i < WAYS; i++) {
		struct taken *t = &set[i];

		if (t->family == family && t->class == class && memcmp(t->address, address, 16) == 0) {
			if (now_ns - t->time_ns < interval_ns && now_ns >= t->time_ns)
				return false;
			t->time_ns = now_ns;
			return true;
		}
		if (free_or_oldest->family && (!t->family || t->time_ns < free_or_oldest->time_ns))
			free_or_oldest = t;
	}
	*free_or_oldest = (struct taken){ .time_ns = now_ns, .class = class, .family = family };
	memcpy(free_or_oldest->address, address, 16);
	return true;
}
