/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALL_PROTOCOLS (PROTOCOLS == 64 ? ~UINT64_C(0) : (UINT64_C(1) << PROTOCOLS) - 1)

struct entry {
	uint8_t address[16];
	uint8_t family;
	struct device device;
};

struct device_set {
	struct device others;
	size_t count;
	struct entry entries[]; /* sorted */
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = memcmp(x->address, y->address, sizeof(x->address));

	return r ? r : (x->family > y->family) - (x->family < y->family);
}

static uint64_t off_mask(const Serviceradar__Agent__Netprobe__V1__DpiConfig *dpi, uint64_t otherwise)
{
	uint64_t off = ALL_PROTOCOLS;

	if (!dpi)
		return otherwise;
	if (!dpi->enabled)
		return off;
	if (!dpi->n_protocols)
		return 0;
	for (size_t i = 0; i < dpi->n_protocols; i++)
		off &= ~(UINT64_C(1) << protocol_from_name(dpi->protocols[i]));
	return off;
}

static int64_t milliseconds(uint32_t ms)
{
	return (int64_t)ms * 1000000;
}

static void fill(struct entry *e, const Serviceradar__Agent__Netprobe__V1__DeviceBinding *b, const struct device *others)
{
	if (inet_pton(AF_INET, b->ip, e->address + 12) == 1)
		e->family = AF_INET;
	else if (inet_pton(AF_INET6, b->ip, e->address) == 1)
		e->family = AF_INET6;
	e->device = *others;
	e->device.bound = true;
	e->device.profile_id = b->profile_id;
	e->device.off = off_mask(b->dpi, others->off);
	if (b->fingerprint) {
		e->device.tcp = b->fingerprint->tcp;
		e->device.tls = b->fingerprint->tls;
	}
	if (b->sample_interval_ms)
		e->device.sample_ns = milliseconds(b->sample_interval_ms);
}

int device_set_new(const VisibilityConfig *config, struct device_set **out)
{
	size_t count = config ? config->n_device_bindings : 0;
	struct device_set *s = calloc(1, sizeof(*s) + count * sizeof(s->entries[0]));

	*out = s;
	if (!s)
		return -ENOMEM;
	s->others = (struct device){ .profile_id = "", .tcp = true, .tls = true };
	if (config) {
		s->others.off = off_mask(config->dpi, 0);
		s->others.sample_ns = milliseconds(config->default_sample_interval_ms);
	}
	for (; config && s->count < count; s->count++)
		fill(&s->entries[s->count], config->device_bindings[s->count], &s->others);
	qsort(s->entries, count, sizeof(s->entries[0]), compare);
	return 0;
}

void device_set_free(struct device_set *s)
{
	free(s);
}

const struct device *device_find(const struct device_set *s, uint8_t family, const uint8_t address[16])
{
	struct entry key = { .family = family };
	const struct entry *e;

	if (!s->count)
		return &s->others;
	memcpy(key.address, address, sizeof(key.address));
	e = bsearch(&key, s->entries, s->count, sizeof(key), compare);
	return e ? &e->device : &s->others;
}
