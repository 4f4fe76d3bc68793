/* SPDX-License-Identifier: Apache-2.0 */
/* What the connections of a device showed lately: one shows its stack and its TLS, another its SSH, and only together they
 * agree or disagree. */
#pragma once

#include <stdint.h>

#include "netprobe/fingerprint/fuse.h"

#define DEVICES_MAX  2048u                   /* at once; of more the one that was silent longest is forgotten */
#define DEVICE_NS    INT64_C(600000000000)   /* what is older says nothing of who has the address now */

struct device_memory;

/* All its memory at once (about 1.6 MiB, touched as devices come). -ENOMEM. */
int device_memory_new(struct device_memory **out);
void device_memory_free(struct device_memory *m);

/* *all becomes *seen, and for a signal that has no vote in it the last one within DEVICE_NS of the same address that had;
 * what has one in *seen is remembered. `address` as in struct packet; now_ns: Unix time. The hints of *seen are set. What
 * *all points to stays until the next call. m may be NULL: nothing is remembered. */
void device_memory_complete(struct device_memory *m, const uint8_t address[16], uint8_t family, int64_t now_ns,
			    struct fuse_input *seen, struct fuse_input *all);
