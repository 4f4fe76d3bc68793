/* SPDX-License-Identifier: Apache-2.0 */
/* Which of attribution's kernel programs this kernel takes, and what stands in for those that it does not take. */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "netprobe/pins.h"

enum program {
	PROGRAM_STATE,
	PROGRAM_NESTED,
	PROGRAM_ACCEPT4,
	PROGRAM_ACCEPT2,
	PROGRAM_SEND,
	PROGRAM_RECV,
	PROGRAM_SENDMSG,
	PROGRAM_SENDMSG6,
	PROGRAM_RECVMSG,
	PROGRAM_RECVMSG6,
	PROGRAM_QUEUE,
	PROGRAM_CONSUME,
	PROGRAM_READY,
	PROGRAM_EXEC,
	PROGRAM_EXIT,
	PROGRAM_TASK,
	PROGRAM_FILE,
	PROGRAMS,
};

struct ladder {
	struct attribute_bpf *skel;
	struct bpf_link *links[PROGRAMS];
	bool taken[PROGRAMS];     /* the kernel has the hook, and has not refused the program */
	bool wanted[PROGRAMS];    /* it is there and is not stood in for by a better one */
	char state[PROGRAMS][96]; /* "active", or why not */
	struct pins pins;         /* where maps and links are pinned */
	bool taken_up;            /* they were there: of a daemon before this one */
};

/* Leaves a program out, as if the kernel did not have its hook. -ENOENT: there is none of that name. Before ladder_climb(). */
int ladder_leave_out(const char *hook);

/* Loads and attaches what the kernel takes; what is pinned in l->pins is taken up, or replaced when it is another build's. -ENOTSUP with err naming the program when the necessary one is refused. */
int ladder_climb(struct ladder *l, struct error *err);

/* Attaches (again) or detaches all that is not an iterator; what is detached is not pinned any more. */
int ladder_attach(struct ladder *l, bool on, struct error *err);

/* "tp_btf/inet_sock_set_state", … */
const char *ladder_hook(unsigned program);

/* What is pinned stays attached. */
void ladder_close(struct ladder *l);
