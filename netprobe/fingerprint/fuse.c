/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fingerprint/fuse.h"

#include <string.h>

/* How much a p0f match says by itself: a specific signature, one of last resort, and what is taken off for a near miss. A
 * specific one still names the wrong system now and then: stacks are tuned, and signatures are older than the systems of
 * today. */
#define WEIGHT_SPECIFIC 0.75f
#define WEIGHT_GENERIC  0.5f
#define FACTOR_FUZZY    0.8f
/* A signal against the answer takes this part of its own weight off. */
#define OBJECTION       0.5f
#define CONFIDENCE_MAX  0.98f

struct vote {
	const char *signal, *signature, *family, *name, *version_range;
	float weight;
};

static const char *text(const char *s)
{
	return s ? s : "";
}

static size_t add_hint(struct vote *votes, size_t n, const char *signal, const char *signature, const struct client_hint *h)
{
	if (!h || !*text(signature) || !*h->os_family)
		return n;
	votes[n] = (struct vote){ signal, signature, h->os_family, h->name, h->version_range, h->weight };
	return n + 1;
}

static size_t add_p0f(struct vote *votes, const struct fuse_input *in)
{
	const struct p0f_match *m = in->p0f;

	if (!m || !m->found || m->tool || !*m->os_family)
		return 0;
	votes[0] = (struct vote){ "p0f", text(in->p0f_signature), m->os_family, m->name, m->flavor,
				  (m->generic ? WEIGHT_GENERIC : WEIGHT_SPECIFIC) * (m->fuzzy ? FACTOR_FUZZY : 1.0f) };
	return 1;
}

#define UNIX "unix"

static bool unix_like(const char *family)
{
	static const char *const families[] = { "aix",	 "android", "dragonfly", "freebsd", "hp-ux",  "ios",   "irix",	"linux",
						"macos", "netbsd",  "nextstep",	 "openbsd", "solaris", "sunos", "tru64", UNIX };

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (strcmp(family, families[i]) == 0)
			return true;
	return false;
}

static bool speaks_for(const struct vote *v, const char *family)
{
	return strcmp(v->family, family) == 0 || (strcmp(v->family, UNIX) == 0 && unix_like(family));
}

/* How sure several signals are together, if each errs on its own. */
static float together(const struct vote *votes, size_t n, const char *family)
{
	float doubt = 1;

	for (size_t i = 0; i < n; i++)
		if (speaks_for(&votes[i], family))
			doubt *= 1 - votes[i].weight;
	return 1 - doubt;
}

/* The first of those that are equally strong: votes are in the order of how much they see of the system itself. */
static const struct vote *strongest(const struct vote *votes, size_t n)
{
	const struct vote *best = &votes[0];

	for (size_t i = 1; i < n; i++) {
		float now = together(votes, n, best->family), then = together(votes, n, votes[i].family);
		bool says_which = strcmp(best->family, UNIX) == 0 && strcmp(votes[i].family, UNIX) != 0 &&
				  unix_like(votes[i].family);

		if (then > now || says_which)
			best = &votes[i];
	}
	return best;
}

void fuse(const struct fuse_input *in, struct fuse_result *out)
{
	struct vote votes[FUSE_SIGNALS];
	size_t n = add_p0f(votes, in);
	const struct vote *best;

	*out = (struct fuse_result){ .os_family = "", .name = "", .version_range = "" };
	n = add_hint(votes, n, "ja4", in->ja4, in->ja4_hint);
	n = add_hint(votes, n, "hassh", in->hassh, in->hassh_hint);
	n = add_hint(votes, n, "hassh_server", in->hassh_server, in->hassh_server_hint);
	if (n == 0)
		return;
	best = strongest(votes, n);
	out->os_family = best->family;
	out->confidence = together(votes, n, best->family);
	/* A client tells the family alone; its own name and version are not the system's. */
	out->name = best->family;
	if (strcmp(best->signal, "p0f") == 0) {
		out->name = best->name;
		out->version_range = best->version_range;
	}
	for (size_t i = 0; i < n; i++) {
		const struct vote *v = &votes[i];

		if (speaks_for(v, best->family)) {
			out->agreement_count++;
			continue;
		}
		out->confidence *= 1 - OBJECTION * v->weight;
		out->disagreement[out->disagreements++] =
			(struct fuse_disagreement){ v->signal, v->signature, v->family, v->name, v->version_range };
	}
	if (out->confidence > CONFIDENCE_MAX)
		out->confidence = CONFIDENCE_MAX;
}

void fuse_look_up(struct fuse_input *in)
{
	in->ja4_hint = client_hint_ja4(text(in->ja4));
	in->hassh_hint = client_hint_hassh(text(in->hassh));
	in->hassh_server_hint = client_hint_hassh_server(text(in->hassh_server));
}
