/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of the two ends of a flow until it is told: fingerprints, in a pool of bounded size. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netprobe/fingerprint/fingerprint.h"

#define EVIDENCE_MAX 4096u /* flows at once; of more the oldest are told early */

/* Of one end. Empty strings: not seen. */
struct evidence_end {
	int64_t time_ns; /* of the last packet that added something */
	bool any;
	char p0f_signature[P0F_BYTES];
	struct p0f_match p0f;
	char ja4[JA4_BYTES], hassh[HASSH_BYTES], hassh_server[HASSH_BYTES];
};

struct evidence {
	struct evidence_end end[2]; /* of the flow's side 0 and 1 */
	int64_t made_ns;
	uint32_t flow;            /* its number in the flow table */
	uint32_t number, older, newer; /* the pool's own */
};

struct evidence_pool;

/* Address space for all; memory as it is used. -ENOMEM. */
int evidence_pool_new(struct evidence_pool **out);
void evidence_pool_free(struct evidence_pool *p);

/* A new, empty one; NULL when the pool is full. Its number is not 0. */
struct evidence *evidence_take(struct evidence_pool *p, uint32_t flow, int64_t now_ns);
struct evidence *evidence_at(struct evidence_pool *p, uint32_t number);
/* The one that was taken first of all that are in use; NULL when there is none. */
struct evidence *evidence_oldest(struct evidence_pool *p);
void evidence_release(struct evidence_pool *p, struct evidence *e);
