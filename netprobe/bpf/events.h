/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel programs and the daemon share: records of the ring buffer and counters in mapped memory. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

#define EVENT_COMM_BYTES  16
#define EVENT_RING_BYTES  (1024 * 1024)
#define EVENT_CPUS_MAX    1024 /* a CPU above shares the last slot; slots are added to atomically */

/* Numbers of FlowAttributionEvent.event_kind. */
enum event_kind { EVENT_CONNECT = 1, EVENT_ACCEPT = 2, EVENT_CLOSE = 3 };

/* Addresses as in IPv6; IPv4 in the last four bytes, told by `family`. Network order, ports in host order. */
struct attribution_event {
	__u64 time_ns;   /* CLOCK_MONOTONIC */
	__u64 cookie;    /* socket cookie */
	__u32 pid;       /* process id in the daemon's own pid namespace */
	__u32 uid, gid;
	__u16 local_port, remote_port;
	__u8 family;     /* AF_INET or AF_INET6 */
	__u8 kind;       /* enum event_kind */
	__u8 old_state, new_state; /* include/net/tcp_states.h */
	__u8 protocol;   /* IPPROTO_TCP */
	__u8 pad[3];
	__u8 local[16], remote[16];
	char comm[EVENT_COMM_BYTES];
};

/* Counted where they happen; one cache line a CPU. produced = in the ring + dropped. */
struct attribution_counters {
	__u64 produced;
	__u64 dropped;  /* the ring buffer was full */
	__u64 foreign;  /* the process is not visible from the daemon's pid namespace */
	__u64 unowned;  /* no owner was recorded: the socket is older than the daemon */
	__u64 pad[4];
};
