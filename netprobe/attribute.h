/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel side of attribution: runs the programs, drains their ring buffer, and adds to each event what is known of its
 * process and cgroup. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "netprobe/bpf/events.h"
#include "netprobe/events.h"

struct attribution;

struct attribution_totals {
	/* sums of struct attribution_counters over the CPUs */
	uint64_t produced, dropped, foreign, unowned, suppressed, notes_dropped, seeded;
};

/* One event; what it refers to is borrowed. */
typedef void (*attribution_fn)(const struct event *event, void *userdata);

/* One listening socket with one of the processes that hold it; the lowest process number of a socket comes first. */
typedef void (*attribution_listener_fn)(const struct listener_record *record, struct process *process, struct cgroup *cgroup,
					void *userdata);

/* Leaves a program out, as if the kernel did not have it. `hook` as attribution_program() names it; -ENOENT: there is none.
 * Before attribution_open(). */
int attribution_leave_out(const char *hook);

/* Loads and attaches what this kernel takes, and gives the sockets that are there their owners. `pins` (kept by reference) is a
 * directory that pins_usable() agrees to, or NULL: what an earlier daemon left there is taken up, with the events that nobody has
 * seen yet, and what is loaded stays when the attribution is closed. Needs CAP_BPF and CAP_PERFMON in the effective set. -ENOTSUP and the reason, naming the program, when the necessary one cannot run; the others are left
 * out, and attribution_program tells why. */
int attribution_open(struct attribution **out, const char *pins, attribution_fn fn, void *userdata, struct error *err);
void attribution_close(struct attribution *a);

/* Whether an earlier daemon's maps were taken up; whether the next one may take up these. */
bool attribution_taken_up(const struct attribution *a);
bool attribution_outlives(const struct attribution *a);

/* The account of what became of the events, in memory that outlives the daemon where maps are pinned. The caller writes it. */
struct attribution_ledger *attribution_ledger(const struct attribution *a);

/* Stops or resumes the events; what is in the ring stays. Resuming needs the capabilities again, and looks at the sockets
 * again that came meanwhile. */
int attribution_enable(struct attribution *a, bool on, struct error *err);

/* Readable when the ring buffer is more than a quarter full; it stays the attribution's. */
int attribution_fd(const struct attribution *a);

/* The ring buffer holds more events than the queue behind it: they are handed out in turns. */
#define ATTRIBUTION_TURN 2048

/* Hands events of the ring buffer to the callback, ATTRIBUTION_TURN of them at most. Returns how many records there were, of which
 * ATTRIBUTION_TURN or more mean that there may be others, or a negative errno. */
int attribution_drain(struct attribution *a);

/* Hands each listening TCP and bound UDP socket of every network namespace to `fn`. Needs the capabilities for a moment on
 * kernels before 5.19. 0 or a negative errno; -ENOTSUP without the iterator. */
int attribution_listeners(struct attribution *a, attribution_listener_fn fn, void *userdata);

/* True once after a TCP socket began or ceased to listen. */
bool attribution_listeners_changed(struct attribution *a);

/* Hands connections that are older than the daemon to the event callback, about `room` of them at most. 1 when there are
 * more, 0 when all were told, or a negative errno. The capabilities as above. */
int attribution_announce(struct attribution *a, unsigned room);

/* Reads the mapped counters: no system call. */
struct attribution_totals attribution_totals(const struct attribution *a);

/* Hooks ("tp_btf/sock_send_length") with "active", or why they are not, in a fixed order; false past the last. */
bool attribution_program(const struct attribution *a, unsigned i, const char **hook, const char **state);
