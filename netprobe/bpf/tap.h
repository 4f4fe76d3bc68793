/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tap's kernel programs and the daemon share: flow keys, counters, and the packets that are handed up. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

/* A flow: the two ends in canonical order (the lower address, then the lower port, is `low`), so that both directions
 * have one key. IPv4 as in the last four bytes, told by `family`. Ports in host order. */
struct flow_key {
	__u32 netns;      /* inode of the network namespace */
	__u32 ifindex;
	__u8 low[16], high[16];
	__u16 low_port, high_port;
	__u8 protocol, family;
	__u8 pad[2];
};
