/* SPDX-License-Identifier: Apache-2.0 */
/* The process table: command lines by process number and start time, bounded. An entry stays for as long as an event refers to
 * it, whatever happens to the process. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "netprobe/bpf/events.h"

#define PROCESSES_MAX      16384u
#define CMDLINE_BYTES      256 /* of the redacted command line, without its NUL */

struct process {
	unsigned refs;
	uint32_t pid;
	uint64_t start_ns;   /* CLOCK_MONOTONIC */
	uint32_t argc;
	char *executable;    /* as it was given to exec; NULL when it is not known */
	char *cmdline;       /* redacted: "argv[0] [redacted N arg(s)]"; NULL when it is not known */
	struct process *next;         /* in its hash chain */
	struct process *older, *newer; /* in the order of use; ended ones in a list of their own */
	uint8_t ended, known;         /* known: still in the table */
};

struct process_table {
	struct process *buckets[4096];
	struct process *oldest[2], *newest[2]; /* [1]: of the ended ones, which make room first */
	size_t count;
	uint64_t evicted;
};

/* Takes in what the kernel told of a process, in place of what was known of it; of one that is ending, only when nothing was. -ENOMEM. */
int process_note(struct process_table *t, const struct process_record *r);

/* The same from a command line as /proc/PID/cmdline has it: `size` bytes, arguments with a NUL behind each. */
int process_note_cmdline(struct process_table *t, uint32_t pid, uint64_t start_ns, const char *cmdline, size_t size);

/* It has ended: it is among the first to make room. */
void process_exited(struct process_table *t, uint32_t pid, uint64_t start_ns);

/* A process, or NULL. Borrowed: process_ref it to keep it. */
struct process *process_find(struct process_table *t, uint32_t pid, uint64_t start_ns);

/* NULL is fine for both. */
struct process *process_ref(struct process *p);
void process_unref(struct process *p);

void process_table_free(struct process_table *t);

/* Writes "argv[0] [redacted N arg(s)]" as UTF-8 of at most CMDLINE_BYTES; "N+" when `capped`. Control characters and what is no
 * UTF-8 become U+FFFD. */
void process_redact(char out[CMDLINE_BYTES + 1], const char *argv0, uint32_t argc, int capped);
