/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fingerprint/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAYS    8u /* places that a device may have */
#define BUCKETS (DEVICES_MAX / WAYS)

/* A fingerprint with a vote, and when it was seen; hint is NULL when there is none. */
struct memory {
	const struct client_hint *hint;
	int64_t time_ns;
	char fingerprint[JA4_BYTES];
};

struct device {
	uint8_t address[16], family; /* family 0: nobody */
	int64_t time_ns;             /* of the last call */
	int64_t p0f_ns;
	char p0f_signature[P0F_BYTES];
	struct p0f_match p0f;        /* found: there is one */
	struct memory ja4, hassh, hassh_server;
};

struct device_memory {
	struct device devices[BUCKETS][WAYS];
};

_Static_assert(HASSH_BYTES <= JA4_BYTES, "a memory has room for either");

int device_memory_new(struct device_memory **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void device_memory_free(struct device_memory *m)
{
	free(m);
}

static unsigned bucket_of(const uint8_t address[16])
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (int i = 0; i < 16; i++)
		hash = (hash ^ address[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

/* The device's place; without one that of the one that was silent longest when it is to get one, else NULL. */
static struct device *device_at(struct device_memory *m, const uint8_t address[16], uint8_t family, bool make)
{
	struct device *places = m->devices[bucket_of(address)], *oldest = places;

	for (unsigned i = 0; i < WAYS; i++) {
		if (places[i].family == family && memcmp(places[i].address, address, 16) == 0)
			return &places[i];
		if (places[i].family == 0 || (oldest->family != 0 && places[i].time_ns < oldest->time_ns))
			oldest = &places[i];
	}
	if (!make)
		return NULL;
	memset(oldest, 0, sizeof(*oldest));
	memcpy(oldest->address, address, 16);
	oldest->family = family;
	return oldest;
}

static bool recent(int64_t then_ns, int64_t now_ns)
{
	return now_ns - then_ns <= DEVICE_NS;
}

static bool has_vote(const struct client_hint *h)
{
	return h && *h->os_family;
}

static bool p0f_has_vote(const struct fuse_input *in)
{
	return in->p0f && in->p0f->found && !in->p0f->tool;
}

static bool any_vote(const struct fuse_input *in)
{
	return p0f_has_vote(in) || has_vote(in->ja4_hint) || has_vote(in->hassh_hint) || has_vote(in->hassh_server_hint);
}

static void complete_p0f(struct device *d, int64_t now_ns, const struct fuse_input *seen, struct fuse_input *all)
{
	if (p0f_has_vote(seen)) {
		size_t n = seen->p0f_signature ? strnlen(seen->p0f_signature, P0F_BYTES - 1) : 0;

		d->p0f = *seen->p0f;
		d->p0f_ns = now_ns;
		memcpy(d->p0f_signature, n ? seen->p0f_signature : "", n);
		d->p0f_signature[n] = '\0';
	} else if (d->p0f.found && recent(d->p0f_ns, now_ns)) {
		all->p0f = &d->p0f;
		all->p0f_signature = d->p0f_signature;
	}
}

static void complete_hint(struct memory *m, int64_t now_ns, const char **fingerprint, const struct client_hint **hint)
{
	if (has_vote(*hint)) {
		size_t n = strnlen(*fingerprint, sizeof(m->fingerprint) - 1);

		m->hint = *hint;
		m->time_ns = now_ns;
		memcpy(m->fingerprint, *fingerprint, n);
		m->fingerprint[n] = '\0';
	} else if (m->hint && recent(m->time_ns, now_ns)) {
		*fingerprint = m->fingerprint;
		*hint = m->hint;
	}
}

void device_memory_complete(struct device_memory *m, const uint8_t address[16], uint8_t family, int64_t now_ns,
			    struct fuse_input *seen, struct fuse_input *all)
{
	struct device *d;

	fuse_look_up(seen);
	*all = *seen;
	d = m ? device_at(m, address, family, any_vote(seen)) : NULL;
	if (!d)
		return;
	d->time_ns = now_ns;
	complete_p0f(d, now_ns, seen, all);
	complete_hint(&d->ja4, now_ns, &all->ja4, &all->ja4_hint);
	complete_hint(&d->hassh, now_ns, &all->hassh, &all->hassh_hint);
	complete_hint(&d->hassh_server, now_ns, &all->hassh_server, &all->hassh_server_hint);
}
