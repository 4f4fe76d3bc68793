/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel side of the flow table: taps on the allowed interfaces, the table, and the first packets of each flow.
 *
 * For the one who calls it:
 *   tap_open() with the first interface, tap_set_interfaces() at every ApplyConfig, both with privilege_raise()
 *   around it. A timer (50 ms, or 200 ms when nothing happens) and tap_fd() call tap_drain(), which hands over packets;
 *   tap_flow_state() stops them for a flow, without a system call. A timer (1 s) calls tap_flows_walk(), which hands
 *   over every flow with its counters; what is answered TAP_END comes once more, final, and is then forgotten.
 *   Counters are absolute, from the flow's beginning: a reporter at an active interval sends the difference.
 *   With `pins` everything goes on when the daemon ends while interfaces are watched: the next tap_open takes it up, interfaces and
 *   flows included. Then the first thing is a walk, which says of each flow what has been told of it.
 *   A flow that the caller knows by its id and that a walk no longer brings was evicted. Its next packet is a new flow, with
 *   a new id. Link packets to flows by id; a walk can bring one id twice, the second time with the newer figures. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "netprobe/bpf/tap.h"
#include "netprobe/packet.h"

#define TAP_INTERFACES_MAX    64u
#define TAP_INTERFACE_ENTRIES 65536u /* flows for each interface, when flow_table_max_entries is 0 */

struct tap;

enum tap_kind {
	TAP_AUTO,       /* the better one that this kernel takes */
	TAP_TRACEPOINT, /* tp_btf/netif_receive_skb and net_dev_start_xmit */
	TAP_SOCKET,     /* a socket filter on an AF_PACKET socket for each interface */
};

/* A packet with payload, or a SYN, of a flow that is classifying. Valid during the call only. */
struct tap_packet {
	const struct flow_key *key;
	uint64_t flow;       /* the flow's id */
	int64_t time_ns;     /* CLOCK_MONOTONIC */
	uint32_t wire_bytes; /* with the link layer's header; of a merged packet (GRO, TSO) all of it */
	uint32_t ip_bytes;   /* from the IP header on; more than ip.size when it was cut */
	uint8_t direction;   /* FLOW_LOW_TO_HIGH or FLOW_HIGH_TO_LOW: which end of the key sent it */
	struct span ip;      /* from the IP header on, as far as copied: packet_parse() with LINKTYPE_RAW reads it */
};
typedef void tap_packet_fn(const struct tap_packet *packet, void *userdata);

struct tap_flow {
	struct flow_key key;
	uint64_t id;
	uint64_t packets[2], bytes[2]; /* by direction; bytes with the link layer's header, as the interface counts them */
	int64_t first_ns, last_ns;     /* CLOCK_MONOTONIC; the last one within a tick (at most 10 ms) */
	uint8_t tcp_flags[2];          /* all that were seen, PACKET_* */
	uint8_t initiator;             /* the direction of who began */
	enum flow_state state;
	uint16_t note;                 /* what came with tap_flow_state */
	const struct tap_told *told;   /* of a flow that was taken up, until the second walk: what tap_flow_told was given, or NULL */
};

enum tap_answer { TAP_KEEP, TAP_END };
enum tap_why {
	TAP_FLOW_SEEN,    /* there; TAP_END ends it */
	TAP_FLOW_ENDED,   /* what it was when TAP_END was carried out */
	TAP_FLOW_REMOVED, /* its interface was taken off the list: what it was then */
};
/* The answer counts for TAP_FLOW_SEEN only. The flow is valid during the call only. */
typedef enum tap_answer tap_flow_fn(const struct tap_flow *flow, enum tap_why why, void *userdata);

struct tap_options {
	enum tap_kind kind;
	uint32_t max_entries; /* flow_table_max_entries: of each half of the table, all interfaces together; 0: 65,536 for each
	                         interface and half */
	uint32_t budget;      /* packets with payload handed up for each flow */
	uint32_t ring_bytes;  /* a power of two; 0: 4 MiB */
	bool plain;           /* without kfuncs, as on a kernel that has none: for tests */
	const char *pins;     /* a directory that pins_usable() found usable, or NULL: a restart begins anew */
	tap_packet_fn *packet;
	tap_flow_fn *flow;    /* gets TAP_FLOW_REMOVED */
	void *userdata;       /* of both */
};

/* Loads what this kernel takes; nothing is watched yet. Needs CAP_BPF, CAP_PERFMON and CAP_NET_RAW in the effective set.
 * -ENOTSUP and the reason, naming the program, when no tap of the wanted kind can run. */
int tap_open(struct tap **out, const struct tap_options *options, struct error *err);
void tap_close(struct tap *t);

/* Whether another daemon left something in `pins` that tap_open could take up; and whether it did, with interfaces, kind and
 * max_entries as that one had them. */
bool tap_is_pinned(const char *pins);
bool tap_taken_up(const struct tap *t);
uint32_t tap_max_entries(const struct tap *t);

/* What goes on with the next daemon: it stays the tap's. */
struct tap_account *tap_account(const struct tap *t);

/* Watches exactly these interfaces of the daemon's network namespace. Those that were watched before and still are, are not
 * disturbed; those that are not any more have their tap closed and their flows handed over as TAP_FLOW_REMOVED before it
 * returns. An interface is known by name and index: one that was made anew under its name counts as another. `any`, `*`,
 * an empty or unknown name: -EINVAL with the name, counted as denied, and nothing is changed; more than
 * TAP_INTERFACES_MAX: -E2BIG. When a tap cannot be opened, what was watched before still is. Needs the capabilities. */
int tap_set_interfaces(struct tap *t, const char *const *names, size_t n, struct error *err);

/* How many are watched, and the i-th of them; false past the last. */
size_t tap_interfaces(const struct tap *t);
bool tap_interface(const struct tap *t, size_t i, const char **name, uint32_t *ifindex);
/* The name of a watched interface, or NULL. */
const char *tap_interface_name(const struct tap *t, uint32_t ifindex);

/* Readable when the ring buffer is more than half full; it stays the tap's. */
int tap_fd(const struct tap *t);

/* Hands every packet that is in the ring buffer to the callback. Returns how many records there were, or a negative errno. */
int tap_drain(struct tap *t);

/* FLOW_CLASSIFIED or FLOW_UNKNOWN: no packet of this flow is handed up any more (those in the ring buffer still come).
 * `note` comes back with the flow, from the next daemon too, unless very many flows came after it. No system call. */
void tap_flow_state(struct tap *t, uint64_t flow, enum flow_state state, uint16_t note);

/* Remembers what has been told of a flow that goes on; NULL: the flow is over. By bpf(2), as a walk. 0 or a negative errno. */
int tap_flow_told(struct tap *t, uint64_t flow, const struct tap_told *told);

/* Packets with payload handed up for each flow from now on, 0 to 65535 (0: none). No system call. */
void tap_set_budget(struct tap *t, uint32_t packets);

/* Calls `fn` for every flow. Reads the table by bpf(2): kernels before 5.19 want CAP_BPF for that. Returns how many flows there
 * were, or a negative errno. */
int tap_flows_walk(struct tap *t, tap_flow_fn *fn, void *userdata);

/* Sums over the CPUs, and the daemon's own. packets = those of all flows, evicted ones included, + not_ip + malformed +
 * refused. Reads mapped memory: no system call. */
struct tap_totals {
	struct tap_counters kernel;
	uint64_t handed_up;  /* packets given to the callback */
	uint64_t ended;      /* flows that TAP_END or their interface's removal ended */
	uint64_t present;    /* flows in the table at the last walk */
	uint64_t evicted;    /* flows that LRU took out, as of the last walk */
	uint64_t denied;     /* interface names refused */
	uint64_t table_bytes; /* kernel memory of the tables, about */
};
struct tap_totals tap_totals(const struct tap *t);

/* Which tap was chosen: TAP_TRACEPOINT or TAP_SOCKET. */
enum tap_kind tap_kind(const struct tap *t);
const char *tap_kind_name(enum tap_kind kind); /* "tracepoint", "socket", "auto" */
/* 0 and *out, or -EINVAL. */
int tap_kind_parse(const char *text, enum tap_kind *out);

/* Program names with "active", or why they are not, in a fixed order; false past the last. */
bool tap_program(const struct tap *t, unsigned i, const char **name, const char **state);
