/* SPDX-License-Identifier: Apache-2.0 */
/* Which signature of the database a packet fits, by the rules of p0f 3: a specific one before a generic one before a near
 * miss. */
#include <string.h>

#include "netprobe/fingerprint/p0f.h"

/* What may be missing in a packet that is still the same stack's, and what may come on top: a router in between clears the one
 * and sets the other. */
#define MAY_GO   (QUIRK(QUIRK_DF) | QUIRK(QUIRK_ID_NZ))
#define MAY_COME (QUIRK(QUIRK_ID_ZERO) | QUIRK(QUIRK_ECN))

enum fit { FIT_NO, FIT_NEARLY, FIT };

unsigned p0f_bucket(const struct p0f_layout *l)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (unsigned i = 0; i < l->count; i++)
		hash = (hash ^ l->kinds[i]) * 16777619u;
	return (hash ^ hash >> 16) % P0F_BUCKETS;
}

static enum fit fit_quirks(const struct p0f_record *r, const struct p0f_packet *p)
{
	uint32_t wanted = r->quirks, gone, come;

	/* A signature for both versions of IP: what the other version has is not asked for. */
	if (r->ip_version == P0F_ANY)
		wanted &= p->ip_version == 4 ? ~QUIRK(QUIRK_FLOW) :
					       ~(QUIRK(QUIRK_DF) | QUIRK(QUIRK_ID_NZ) | QUIRK(QUIRK_ID_ZERO));
	gone = wanted & ~p->quirks;
	come = p->quirks & ~wanted;
	if ((gone & ~MAY_GO) || (come & ~MAY_COME))
		return FIT_NO;
	return gone || come ? FIT_NEARLY : FIT;
}

static enum fit fit_ttl(const struct p0f_record *r, const struct p0f_packet *p)
{
	if (r->random_ttl)
		return r->ttl < p->ttl ? FIT_NO : FIT;
	return r->ttl < p->ttl || r->ttl - p->ttl > P0F_DISTANCE_MAX ? FIT_NEARLY : FIT;
}

static bool fits_window(const struct p0f_record *r, const struct p0f_packet *p, struct p0f_multiple multiple)
{
	switch (r->window_kind) {
	case WINDOW_EXACT:
		return p->window == r->window;
	case WINDOW_MODULO:
		return p->window % r->window == 0;
	case WINDOW_MSS:
		return multiple.of == MULTIPLE_MSS && multiple.times == r->window;
	case WINDOW_MTU:
		return multiple.of == MULTIPLE_MTU && multiple.times == r->window;
	default:
		return true;
	}
}

/* As in p0f the version of IP only decides which quirks are asked for (fit_quirks): a signature taken over IPv4 may name a host
 * that is seen over IPv6. */
static bool fits_exactly(const struct p0f_record *r, const struct p0f_packet *p)
{
	return r->layout.count == p->layout.count && memcmp(r->layout.kinds, p->layout.kinds, p->layout.count) == 0 &&
	       r->layout.eol_padding == p->layout.eol_padding && r->ip_options == p->ip_options &&
	       (r->mss == P0F_ANY || r->mss == p->mss) && (r->scale == P0F_ANY || r->scale == p->scale) &&
	       (r->payload == P0F_ANY || r->payload == p->payload);
}

static enum fit fit(const struct p0f_record *r, const struct p0f_packet *p, struct p0f_multiple multiple)
{
	enum fit quirks, ttl;

	if (!fits_exactly(r, p) || !fits_window(r, p, multiple))
		return FIT_NO;
	quirks = fit_quirks(r, p);
	ttl = fit_ttl(r, p);
	return quirks < ttl ? quirks : ttl;
}

static const struct p0f_record *find(const struct p0f_db *db, const struct p0f_packet *p, uint16_t syn_mss, bool *fuzzy)
{
	struct p0f_multiple multiple = p0f_window_multiple(p, syn_mss);
	const struct p0f_record *generic = NULL, *near = NULL;

	*fuzzy = false;
	for (int32_t i = db->first[p->answer][p0f_bucket(&p->layout)]; i >= 0; i = db->records[i].next) {
		const struct p0f_record *r = &db->records[i];
		enum fit f = fit(r, p, multiple);

		if (f == FIT && !db->labels[r->label].generic)
			return r;
		if (f == FIT && !generic)
			generic = r;
		if (f == FIT_NEARLY && !near)
			near = r;
	}
	if (generic)
		return generic;
	if (near && db->labels[near->label].tool) /* a tool is only what it is exactly */
		near = NULL;
	*fuzzy = near != NULL;
	return near;
}

void p0f_match(const struct p0f_db *db, const struct packet *packet, uint16_t syn_mss, struct p0f_match *out)
{
	const struct p0f_record *r;
	const struct p0f_label *l;
	struct p0f_packet p;

	memset(out, 0, sizeof(*out));
	if (p0f_read_packet(packet, &p) < 0)
		return;
	out->distance = p0f_guess_distance(p.ttl);
	r = db ? find(db, &p, syn_mss, &out->fuzzy) : NULL;
	if (!r)
		return;
	l = &db->labels[r->label];
	if (!out->fuzzy || fit_ttl(r, &p) == FIT)
		out->distance = (uint8_t)(r->ttl - p.ttl);
	out->found = true;
	out->generic = l->generic;
	out->tool = l->tool;
	out->random_ttl = r->random_ttl;
	memcpy(out->label, l->text, sizeof(out->label));
	memcpy(out->name, l->name, sizeof(out->name));
	memcpy(out->flavor, l->flavor, sizeof(out->flavor));
	memcpy(out->os_family, l->os_family, sizeof(out->os_family));
}
