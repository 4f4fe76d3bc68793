/* SPDX-License-Identifier: Apache-2.0 */
/* What is done for which device: the bindings of the config, looked up by address. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netprobe/config.h"
#include "netprobe/dissect/dissect.h"

struct device {
	const char *profile_id; /* "" without a binding */
	uint64_t off;           /* bits 1 << protocol: not looked for */
	bool bound;             /* there is a binding for this address */
	bool tcp, tls;          /* fingerprints: of SYNs; of handshakes (JA4, HASSH) */
	int64_t sample_ns;      /* at most one event of a class in this time; 0: all */
};

struct device_set;

/* Reads the config, which has been checked and must stay as long as the set. A binding without `fingerprint` has all of them,
 * with it those that it says; without `dpi` what the config's own `dpi` says; `dpi` without `protocols` is all of them. NULL:
 * no config, and all is on. -ENOMEM. */
int device_set_new(const VisibilityConfig *config, struct device_set **out);
void device_set_free(struct device_set *s);

/* Never NULL: an address without a binding has what the config says of all. */
const struct device *device_find(const struct device_set *s, uint8_t family, const uint8_t address[16]);
