/* SPDX-License-Identifier: Apache-2.0 */
/* One file from a URL into a directory, whole and with the right digest or not at all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

/* Exit status of the program. */
enum fetch_result {
	FETCH_DONE = 0,
	FETCH_USAGE = 1,
	FETCH_REFUSED = 2, /* policy: scheme, size, digest, file type */
	FETCH_LATER = 3,   /* network, server or disk: try again */
	FETCH_GONE = 4,    /* the server says that it is not there or not for us */
};

struct fetch_request {
	const char *url, *dir, *name;
	const char *sha256;                            /* 64 lower-case hex digits, or NULL */
	const char *ca_file, *client_cert, *client_key; /* NULL: the system's authorities, no certificate */
	uint64_t max_bytes;
	long timeout_s; /* of the whole transfer; 0: none, only a stall ends it */
	bool allow_http; /* to other hosts than this one, too */
	/* Told four times a second at most how many bytes are here and how many it will be, 0 when the server does not say; NULL: nobody
	 * asks. Not for a file of this host. */
	void (*progress)(uint64_t bytes, uint64_t total);
};

struct fetch_facts {
	uint64_t bytes;   /* that came over the network */
	bool resumed, not_modified;
	char sha256[65];
};

/* Fetches, or finds that it is here already: `name` with the wanted digest, or unchanged by its ETag. A download that was broken
 * off stays as NAME.part and is gone on with when server and ETag are the same. */
enum fetch_result fetch(const struct fetch_request *rq, struct fetch_facts *facts, struct error *err);
