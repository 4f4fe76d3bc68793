/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/banners.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "netprobe/fingerprint/banner.h"
#include "netprobe/requests.h"

typedef Serviceradar__Agent__Netprobe__V1__BannerMatch BannerMatch;

/* A match and what it points to. */
struct answer {
	BannerMatch message;
	struct banner_match match;
};

static char *lend(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void fill(const Serviceradar__Agent__Netprobe__V1__BannerObservation *o, struct answer *a)
{
	struct span banner = { o->banner_bytes.data, o->banner_bytes.len };

	banner_match(o->protocol, banner, &a->match);
	serviceradar__agent__netprobe__v1__banner_match__init(&a->message);
	a->message.observation_id = o->observation_id;
	a->message.corpus_label = lend(a->match.corpus_label);
	a->message.os_family = lend(a->match.os_family);
	a->message.product = lend(a->match.product);
	a->message.version = a->match.version;
	a->message.confidence = a->match.confidence;
	a->message.raw_pattern_id = lend(a->match.pattern);
}

static int refuse(struct client *c, uint64_t sequence, size_t n)
{
	char message[96];

	(void)snprintf(message, sizeof(message), "observations: %zu in one batch, at most %u are answered", n, BANNERS_MAX);
	return requests_error(c, sequence, "banner_batch_too_large", message);
}

int banners_answer(struct client *c, const NetprobeFrame *request)
{
	const Serviceradar__Agent__Netprobe__V1__BannerBatch *batch = request->banner_batch;
	Serviceradar__Agent__Netprobe__V1__BannerMatchBatch reply = SERVICERADAR__AGENT__NETPROBE__V1__BANNER_MATCH_BATCH__INIT;
	NetprobeFrame frame = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	_cleanup_free_ struct answer *answers = NULL;
	_cleanup_free_ BannerMatch **matches = NULL;
	size_t n = batch->n_observations;

	if (n > BANNERS_MAX)
		return refuse(c, request->sequence, n);
	answers = calloc(n ? n : 1, sizeof(*answers));
	matches = calloc(n ? n : 1, sizeof(BannerMatch *));
	if (!answers || !matches)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		fill(batch->observations[i], &answers[i]);
		matches[i] = &answers[i].message;
	}
	reply.n_matches = n;
	reply.matches = matches;
	frame.sequence = request->sequence;
	frame.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_BANNER_MATCH_BATCH;
	frame.banner_match_batch = &reply;
	return client_append(c, &frame);
}
