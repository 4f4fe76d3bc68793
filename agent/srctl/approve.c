/* SPDX-License-Identifier: Apache-2.0 */
/* What this host decides about a version, whatever the catalog says. */
#include <stdio.h>
#include <unistd.h>

#include "agent/srctl/srctl.h"
#include "lib/catalog.h"
#include "lib/manifest.h"

static int decide(struct srctl *s, const char *id, enum lifecycle l)
{
	struct error err;

	if (!semver_valid(s->version)) {
		fprintf(stderr, "srctl: \"%.64s\" is not a version such as 1.4.2\n", s->version);
		return EXIT_USAGE;
	}
	if (geteuid() != 0) {
		fputs("srctl: needs root: run it with sudo\n", stderr);
		return EXIT_NOT_DONE;
	}
	if (catalog_decide(s->rootfd, id, s->version, l, &err) < 0) {
		fprintf(stderr, "srctl: %s\n", err.text);
		return EXIT_NOT_DONE;
	}
	if (s->json)
		printf("{\"id\":\"%s\",\"version\":\"%s\",\"lifecycle\":\"%s\"}\n", id, s->version, lifecycle_name(l));
	else
		printf("%s %s is %s on this host.\n", id, s->version, lifecycle_name(l));
	return EXIT_DONE;
}

int verb_addon_approve(struct srctl *s, const char *id)
{
	return decide(s, id, LIFECYCLE_APPROVED);
}

int verb_addon_revoke(struct srctl *s, const char *id)
{
	return decide(s, id, LIFECYCLE_REVOKED);
}
