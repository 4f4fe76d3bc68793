/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel programs and the daemon share: records of the ring buffer and of the iterators, counters in mapped memory. */
#pragma once

#ifndef __bpf__
#include <linux/types.h>
#endif

/* Raised whenever the meaning of a map's or record's bytes changes: maps that are pinned are taken up only by who knows them. */
#define ATTRIBUTION_LAYOUT 4u

#define EVENT_COMM_BYTES  16
#define EVENT_RING_BYTES  (4 * 1024 * 1024)
#define EVENT_CPUS_MAX    1024 /* a CPU above shares the last slot; slots are added to atomically */

#define PROCESS_ARG_BYTES  256 /* of argv[0] */
#define PROCESS_PATH_BYTES 128 /* of the executable's path */
#define CGROUP_LEVELS      12  /* of a cgroup's path, the innermost ones */
#define CGROUP_NAME_BYTES  192

/* The first member of every record in the ring buffer. */
enum record_type { RECORD_FLOW = 1, RECORD_PROCESS, RECORD_EXIT, RECORD_CGROUP, RECORD_LISTENERS };

/* Numbers of FlowAttributionEvent.event_kind. */
enum event_kind {
	EVENT_CONNECT = 1,
	EVENT_ACCEPT = 2,
	EVENT_CLOSE = 3,
	EVENT_UDP_SEND = 4,
	EVENT_UDP_RECEIVE = 5,
	EVENT_STATE = 6,
	EVENT_ICMP_SEND = 7,
};

enum event_flag {
	EVENT_PRESUMED = 1,  /* an accept whose owner is the listener's: who accepted is not known yet */
	EVENT_CORRECTED = 2, /* the same accept again, by who really uses the socket */
	EVENT_SEEDED = 4,    /* the socket is older than the daemon; found by an iterator */
};

/* Addresses as in IPv6; IPv4 in the last four bytes, told by `family`. Network order, ports in host order. */
struct attribution_event {
	__u32 record;    /* RECORD_FLOW */
	__u8 kind;       /* enum event_kind */
	__u8 family;     /* AF_INET or AF_INET6 */
	__u8 old_state, new_state; /* include/net/tcp_states.h */
	__u64 time_ns;   /* CLOCK_MONOTONIC */
	__u64 cookie;    /* socket cookie */
	__u64 start_ns;  /* when the process began, CLOCK_MONOTONIC: tells it from a later one of the same number */
	__u64 cgroup;    /* of the process; see struct cgroup_record */
	__u32 pid;       /* process id in the daemon's own pid namespace */
	__u32 uid, gid;
	__u32 netns;     /* inode of the socket's network namespace */
	__u16 local_port, remote_port;
	__u16 protocol;  /* IPPROTO_* */
	__u8 flags;      /* enum event_flag */
	__u8 holders;    /* EVENT_SEEDED: processes that hold the socket, 255 for more; else 0 */
	__u8 local[16], remote[16];
	char comm[EVENT_COMM_BYTES];
};

enum process_flag {
	PROCESS_ARGC_CAPPED = 1, /* it has more arguments than were counted */
	PROCESS_ENDING = 2,      /* its exit_record, if there is one, came before; it may have no command line any more */
};

/* A process has called exec, or one that never did has used a socket for the first time. Comes before its events. */
struct process_record {
	__u32 record; /* RECORD_PROCESS */
	__u32 pid, parent_pid;
	__u32 argc;
	__u64 start_ns, parent_start_ns;
	__u32 flags; /* enum process_flag */
	__u32 pad;
	char argv0[PROCESS_ARG_BYTES];       /* NUL at the end */
	char executable[PROCESS_PATH_BYTES]; /* as it was given to exec; "" when it did not exec */
};

/* A process that there was a process_record of has ended. */
struct exit_record {
	__u32 record; /* RECORD_EXIT */
	__u32 pid;
	__u64 start_ns;
};

/* A cgroup that events name for the first time: comes before them. Bits 56 to 63 of its number are the hierarchy (0 is v2),
 * because v1 hierarchies number their cgroups each for itself. */
struct cgroup_record {
	__u32 record; /* RECORD_CGROUP */
	__u32 levels; /* of name[] that are filled, innermost first; the root has none */
	__u64 cgroup;
	char name[CGROUP_LEVELS][CGROUP_NAME_BYTES];
};

/* A TCP socket began or ceased to listen. */
struct listeners_record {
	__u32 record; /* RECORD_LISTENERS */
	__u32 pad;
};

/* From the iterators: a process, and a listening TCP or bound UDP socket with one of the processes that hold it. */
struct process_seed {
	__u64 start_ns;
	__u32 pid, pad;
};

struct listener_record {
	__u64 cookie, start_ns, cgroup;
	__u32 pid, uid, gid, netns;
	__u16 port, protocol;
	__u8 family, pad[3];
	__u8 local[16];
	char comm[EVENT_COMM_BYTES];
};

/* What the iterator over open files is to do. */
enum iterate {
	ITERATE_SEED = 1,      /* owners of sockets that have none */
	ITERATE_LISTENERS = 2, /* struct listener_record of each listener and holder */
	ITERATE_ANNOUNCE = 4,  /* struct attribution_event of each connection that was seeded and not announced yet */
};

/* Counted where they happen; one cache line a CPU. produced = in the ring + dropped. */
struct attribution_counters {
	__u64 produced;
	__u64 dropped;    /* the ring buffer was full */
	__u64 foreign;    /* the process is not visible from the daemon's pid namespace */
	__u64 unowned;    /* no owner was ever seen */
	__u64 suppressed; /* UDP peers of sockets that have more new ones than EVENT_PEERS_A_SECOND */
	__u64 notes_dropped; /* records of processes and cgroups for which the ring buffer was full: tried again */
	__u64 seeded;     /* sockets that an iterator gave an owner */
	__u64 pad;
};

/* What became of the events, by the daemon, which alone writes it: whoever takes the maps up goes on from here. */
struct attribution_ledger {
	__u64 taken;     /* out of the ring buffer */
	__u64 delivered, discarded, merged, dropped;
	__u64 lost_told; /* of the dropped ones here and in the ring buffer, how many a batch has told of */
};

#define EVENT_PEERS_A_SECOND 64 /* new peers of one UDP socket and direction that are reported each second */
