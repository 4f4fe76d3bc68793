/* SPDX-License-Identifier: Apache-2.0 */
/* What was there before the daemon, and what listens: read through BPF iterators over tasks and their open files. */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "netprobe/bpf/events.h"
#include "netprobe/process.h"

/* A pass that is read in pieces. */
struct seed {
	int fd;         /* -1: none has begun */
	bool announced; /* it has ended */
};

/* Takes every process into the table. The command lines come from /proc, this once. 0 or a negative errno. */
int seed_processes(const struct bpf_link *tasks, struct process_table *t);

/* `iterate` is the kernel side's variable, in mapped memory. Gives every socket that has no owner the lowest-numbered process
 * that holds it. */
int seed_sockets(const struct bpf_link *files, volatile __u32 *iterate);

int seed_listeners(const struct bpf_link *files, volatile __u32 *iterate,
		   void (*fn)(const struct listener_record *r, void *userdata), void *userdata);

/* Hands out about `room` of the connections that were seeded. 1 when there may be more, 0 at the end. */
int seed_announce(struct seed *s, const struct bpf_link *files, volatile __u32 *iterate, unsigned room,
		  void (*fn)(const struct attribution_event *e, void *userdata), void *userdata);

void seed_close(struct seed *s);
