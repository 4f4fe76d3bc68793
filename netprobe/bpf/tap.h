/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the tap's kernel programs and the daemon share: flow keys, counters, and the packets that are handed up.
 *
 * The flow table has two halves for each interface, LRU hashes both: a flow begins among the `new` ones and moves to the
 * `settled` ones when the other end has answered (TCP: when the handshake is complete), so that a flood of packets that
 * nobody answers pushes out nothing but itself. In front of it each CPU has a direct-mapped cache of the flows that it
 * counts: what is in the cache has to be added to what is in the table. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

/* A flow: the two ends in canonical order (the lower address, then the lower port, is `low`), so that both directions
 * have one key. IPv4 as in the last four bytes, told by `family`. Ports in host order; 0 where there are none (neither
 * TCP, UDP, UDP-Lite, SCTP nor DCCP; a fragment whose first one was not seen). */
struct flow_key {
	__u32 netns;      /* inode of the network namespace */
	__u32 ifindex;
	__u8 low[16], high[16];
	__u16 low_port, high_port;
	__u8 protocol, family;
	__u8 pad[2];
};

/* What user space says of a flow. Packets of a classifying one are handed up, as far as the budget goes. */
enum flow_state { FLOW_CLASSIFYING, FLOW_CLASSIFIED, FLOW_UNKNOWN };

/* Directions, as index: from low to high, from high to low. */
enum { FLOW_LOW_TO_HIGH, FLOW_HIGH_TO_LOW };

/* An entry of the flow table. Only the kernel writes it. `seen` is in ticks (jiffies). */
struct flow_value {
	__u64 id;         /* never the same again, also when the flow comes back after it was evicted */
	__u64 first_ns;   /* CLOCK_MONOTONIC */
	__u64 packets[2], bytes[2];
	__u64 seen[2];    /* last packet; 0: none in this direction */
	__u32 tcp_flags[2]; /* all that were seen, or-ed */
	__u32 copied;     /* packets with payload that were handed up, or would have been, had there been room */
	__u8 state;       /* enum flow_state, as far as the kernel has looked; tap_verdict has the rest */
	__u8 initiator;   /* the direction of the first packet, or of a SYN; against that of a SYN that is also ACK */
	__u8 pad[2];
};

#define TAP_LAYOUT        1u /* of all maps: another one is not taken up after a restart */
#define TAP_CACHE_BITS    10
#define TAP_CACHE_ENTRIES (1u << TAP_CACHE_BITS) /* of each CPU */

/* What a CPU has counted and not yet added to the table. Two cache lines. */
struct tap_cache_entry {
	struct flow_key key; /* ifindex 0: empty */
	__u64 id;
	__u32 sequence;   /* odd while the counters move to the table, or the entry to another flow */
	__u32 epoch;      /* of the interface, when the entry of the table was last seen to be there */
	__u64 packets[2], bytes[2];
	__u32 seen[2];    /* ticks, their lower half */
	__u32 inserts;    /* of the interface, as `epoch` */
	__u8 tcp_flags[2];
	__u8 quiet;       /* no packet of it has to be handed up any more */
	__u8 settled;     /* the half of the table */
	__u32 place;      /* of the interface */
	__u8 pad[12];
};

/* Words of a flow_key, for the one who builds and compares it: narrow stores with a wide load behind them cost a stall. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FLOW_KEY_WORD(first, second)      ((__u64)(first) | (__u64)(second) << 32)
#define FLOW_KEY_PORTS(low, high)         ((__u32)(low) | (__u32)(high) << 16)
#define FLOW_KEY_PROTOCOL(protocol, family) ((__u32)(protocol) | (__u32)(family) << 8)
#else
#define FLOW_KEY_WORD(first, second)      ((__u64)(first) << 32 | (__u64)(second))
#define FLOW_KEY_PORTS(low, high)         ((__u32)(low) << 16 | (__u32)(high))
#define FLOW_KEY_PROTOCOL(protocol, family) ((__u32)(protocol) << 24 | (__u32)(family) << 16)
#endif

/* A watched interface, at a place that follows from its ifindex. The first cache line is the daemon's, the second the kernel's. */
#define TAP_INTERFACE_SLOTS  256u
#define TAP_INTERFACE_PROBES 4u
struct tap_interface {
	__u32 ifindex;    /* 0: none */
	__u32 flags;      /* TAP_IF_* */
	__u32 epoch;      /* raised when entries were deleted from the table: each CPU looks again */
	__u32 recheck;    /* after so many insertions too: before LRU can have evicted a flow that is in the cache */
	__u32 probes;     /* how far from here an interface may be that belongs here */
	char name[16];    /* for the next daemon */
	__u32 pad[7];
	__u32 inserts;
	__u32 answered;   /* some flow was ever answered: before, the other half of the table need not be looked at */
	__u32 pad2[14];
};
enum {
	TAP_IF_ETHERNET = 1,  /* frames begin with an Ethernet header */
	TAP_IF_LOOPBACK = 2,  /* each packet is sent and received here: received ones are not counted */
	TAP_IF_RECEIVED_BY_SOCKET = 4, /* bonds, VLANs, …: the tracepoint sees their packets under the name of the interface below */
};

/* What records have told of a flow that goes on, by its id: for the daemon that comes after this one. */
struct tap_told {
	__u64 packets[2], bytes[2]; /* by direction */
	__u64 last_ns;    /* CLOCK_MONOTONIC: the flow's last packet then */
};

/* The daemon's own account, which the next one goes on with. */
struct tap_messages {
	__u64 produced, delivered, dropped;
};
struct tap_account {
	__u64 handed_up, ended, evicted, deleted, denied; /* as in struct tap_totals; deleted: entries taken out of the table */
	struct tap_messages messages[3]; /* by enum outbox_class */
};

/* What the daemon says to the kernel at any time, and behind it, in other cache lines, what it says to the next daemon. */
struct tap_control {
	__u32 budget;     /* packets with payload handed up for each flow */
	__u32 pad[15];
	struct tap_account account;
};

/* Counted where they happen; each CPU has its own. */
struct tap_counters {
	__u64 packets, bytes;           /* of watched interfaces, all of them; what is in the cache comes on top */
	__u64 not_ip_packets, not_ip_bytes; /* ARP, …: in no flow */
	__u64 malformed_packets, malformed_bytes; /* no whole IP header: in no flow */
	__u64 inserted;                 /* flows */
	__u64 settled;                  /* flows moved to the other half */
	__u64 refused_packets, refused_bytes; /* the table took no flow: in no flow */
	__u64 orphan_packets;           /* counted in the cache when the entry of the table was already gone */
	__u64 orphan_bytes;
	__u64 fragments;                /* later fragments whose first one is not known: counted without ports */
	__u64 copied;                   /* records in the ring buffer */
	__u64 lost;                     /* records that had no room there */
	__u64 sequence;                 /* of flow ids */
	__u64 wake_tick;
	__u64 reused;                   /* flows whose addresses and ports a new connection took over */
	__u64 tick, tick_ns;            /* one moment in ticks and of CLOCK_MONOTONIC */
	__u64 pad[4];
};

/* A packet that is handed up: one of two sizes, or several of the larger one after each other (`more`). */
enum {
	TAP_RECORD_MORE = 1,
	TAP_RECORD_SYN = 2,
	TAP_RECORD_END = 4, /* no packet: the flow_value of a closed flow whose addresses and ports a new connection uses */
};
struct tap_record {
	struct flow_key key;
	__u64 flow;       /* its id */
	__u64 time_ns;    /* CLOCK_MONOTONIC */
	__u32 wire_bytes; /* with the link layer's header */
	__u32 ip_bytes;   /* from the IP header on, before cutting */
	__u16 size;       /* bytes behind this header */
	__u16 offset;     /* of the first of them from the IP header */
	__u16 cpu;
	__u8 direction;
	__u8 flags;       /* TAP_RECORD_* */
};
#define TAP_SMALL_RECORD 256u
#define TAP_LARGE_RECORD 2048u
#define TAP_SMALL_BYTES  (TAP_SMALL_RECORD - 80u)
#define TAP_LARGE_BYTES  (TAP_LARGE_RECORD - 80u)
#define TAP_RECORDS_MAX  4u /* for one packet: a merged one can be 64 KiB */

/* The daemon's verdict on a flow, at the place `id` modulo the size of the array: id << TAP_VERDICT_ID | note << 2 | enum
 * flow_state. The note is 16 bits of the daemon's own. */
typedef __u64 tap_verdict;
#define TAP_VERDICT_ID 18

#define TAP_FRAGMENTS 4096u /* datagrams whose ports are remembered */
struct tap_fragment_key {
	__u8 source[16], destination[16];
	__u32 ifindex, id;
	__u32 protocol, outgoing;
};

/* Place of a flow in the cache. The same on both sides. The products do not wait for each other. */
static inline __u32 tap_cache_slot(const struct flow_key *key, __u64 seed)
{
	const __u64 *w = (const __u64 *)(const void *)key;
	__u64 h = (w[2] ^ w[2] >> 32 ^ seed) * 0x9e3779b97f4a7c15ull + (w[4] ^ w[4] >> 32 ^ seed) * 0xc2b2ae3d27d4eb4full +
		  (w[5] ^ w[0]) * 0x165667b19e3779f9ull + w[1] * 0x27d4eb2f165667c5ull + w[3] * 0x85ebca77c2b2ae63ull;

	return (__u32)((h ^ h >> 32) * 0x9e3779b97f4a7c15ull >> (64 - TAP_CACHE_BITS));
}
