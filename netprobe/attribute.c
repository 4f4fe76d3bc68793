/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/attribute.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/log.h"
#include "netprobe/attribute.skel.h"
#include "netprobe/attribute_ladder.h"
#include "netprobe/attribute_seed.h"

#define LISTENERS_MAX 65536u

/* Events of before a restart, taken out of the ring buffer to make room for what is told of their cgroups. */
struct kept {
	struct attribution_event *events;
	size_t next, count;
	bool keeping;
};

struct attribution {
	struct ladder ladder;
	struct ring_buffer *ring;
	const struct attribution_counters *counters;
	struct attribution_ledger *ledger;
	struct kept kept;
	struct process_table processes;
	struct cgroup_table cgroups;
	struct seed seed;
	bool listeners_changed;
	unsigned turn; /* events handed out in this turn */
	attribution_fn fn;
	void *userdata;
};

__attribute__((format(printf, 2, 0))) static int log_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char text[512];
	size_t n;

	(void)level;
	if (!log_enabled(LOG_LEVEL_DEBUG))
		return 0;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	n = strlen(text);
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	log_debug("%s", text);
	return 0;
}

static void on_flow(const struct attribution_event *kernel, void *userdata)
{
	struct attribution *a = userdata;
	const struct event event = {
		.kernel = *kernel,
		.process = process_find(&a->processes, kernel->pid, kernel->start_ns),
		.cgroup = cgroup_find(&a->cgroups, kernel->cgroup),
	};

	a->fn(&event, a->userdata);
}

/* Room for as many as the ring buffer holds, and as come meanwhile. */
#define KEPT_MAX (2 * (EVENT_RING_BYTES / (unsigned)sizeof(struct attribution_event)))

/* -EAGAIN ends a turn, behind this record. */
static int on_flow_record(struct attribution *a, const struct attribution_event *e)
{
	struct kept *k = &a->kept;

	if (k->keeping) {
		k->events[k->count++] = *e;
		return k->count < KEPT_MAX ? 0 : -EAGAIN;
	}
	on_flow(e, a);
	return ++a->turn < ATTRIBUTION_TURN ? 0 : -EAGAIN;
}

/* Hands out what was kept. */
static void drain_kept(struct attribution *a)
{
	struct kept *k = &a->kept;

	while (k->next < k->count && a->turn < ATTRIBUTION_TURN) {
		on_flow(&k->events[k->next++], a);
		a->turn++;
	}
	if (k->next == k->count) {
		free(k->events);
		*k = (struct kept){ 0 };
	}
}

/* A record that the table has no memory for is one that is not known later: nothing else follows from it. */
static int on_record(void *userdata, void *data, size_t size)
{
	struct attribution *a = userdata;
	const struct exit_record *ended = data;

	switch (size >= sizeof(__u32) ? *(const __u32 *)data : 0) {
	case RECORD_FLOW:
		return size >= sizeof(struct attribution_event) ? on_flow_record(a, data) : 0;
	case RECORD_PROCESS:
		if (size >= sizeof(struct process_record))
			(void)process_note(&a->processes, data);
		break;
	case RECORD_EXIT:
		if (size >= sizeof(*ended))
			process_exited(&a->processes, ended->pid, ended->start_ns);
		break;
	case RECORD_CGROUP:
		if (size >= sizeof(struct cgroup_record))
			(void)cgroup_note(&a->cgroups, data);
		break;
	case RECORD_LISTENERS:
		a->listeners_changed = true;
		break;
	default:
		break;
	}
	return 0;
}

static int seed(struct attribution *a)
{
	const struct bpf_link *task = a->ladder.links[PROGRAM_TASK], *file = a->ladder.links[PROGRAM_FILE];
	int r = 0;

	if (!a->ladder.skel) /* never: for the static analyzers */
		return -ENOTSUP;
	if (task)
		r = seed_processes(task, &a->processes);
	if (file && r == 0)
		r = seed_sockets(file, &a->ladder.skel->bss->iterate);
	a->seed.announced = false;
	return r;
}

int attribution_enable(struct attribution *a, bool on, struct error *err)
{
	int r = ladder_attach(&a->ladder, on, err);

	if (r == 0 && on)
		(void)seed(a); /* without it, only older sockets are missed */
	return r;
}

/* What is told once was told to another daemon: tell it again. */
static void forget_cgroups(const struct bpf_map *cgroups)
{
	__u64 key;

	while (bpf_map_get_next_key(bpf_map__fd(cgroups), NULL, &key) == 0 && bpf_map_delete_elem(bpf_map__fd(cgroups), &key) == 0)
		;
}

static void keep_waiting(struct attribution *a)
{
	a->kept.keeping = a->kept.events && a->kept.count < KEPT_MAX;
	if (a->kept.keeping)
		(void)ring_buffer__consume(a->ring);
	a->kept.keeping = false;
}

/* Events that wait in the ring buffer are older than what a look at the processes tells: they wait until that is known, too. Without
 * memory they do not. */
static int seed_again(struct attribution *a)
{
	int r;

	if (!a->ladder.skel) /* never: for the static analyzers */
		return -ENOTSUP;
	a->kept.events = malloc(KEPT_MAX * sizeof(*a->kept.events));
	keep_waiting(a);
	forget_cgroups(a->ladder.skel->maps.cgroups);
	r = seed(a);
	keep_waiting(a);
	return r;
}

static int map_buffers(struct attribution *a, struct error *err)
{
	void *at;

	a->ring = ring_buffer__new(bpf_map__fd(a->ladder.skel->maps.events), on_record, a, NULL);
	if (!a->ring)
		return error_set(err, -errno, "cannot map the ring buffer: %s", strerror(errno));
	at = mmap(NULL, sizeof(struct attribution_counters) * EVENT_CPUS_MAX, PROT_READ, MAP_SHARED,
		  bpf_map__fd(a->ladder.skel->maps.counters), 0);
	if (at == MAP_FAILED)
		return error_set(err, -errno, "cannot map the counters: %s", strerror(errno));
	a->counters = at;
	at = mmap(NULL, sizeof(struct attribution_ledger), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(a->ladder.skel->maps.ledger), 0);
	if (at == MAP_FAILED)
		return error_set(err, -errno, "cannot map the ledger: %s", strerror(errno));
	a->ledger = at;
	return 0;
}

int attribution_leave_out(const char *hook)
{
	return ladder_leave_out(hook);
}

int attribution_open(struct attribution **out, const char *pins, attribution_fn fn, void *userdata, struct error *err)
{
	struct attribution *a = calloc(1, sizeof(*a));
	int r;

	*out = NULL;
	if (!a)
		return error_set(err, -ENOMEM, "out of memory");
	a->fn = fn;
	a->userdata = userdata;
	a->seed.fd = -1;
	a->ladder.pins = (struct pins){ .dir = pins, .prefix = "" };
	libbpf_set_print(log_libbpf);
	r = ladder_climb(&a->ladder, err);
	if (!a->ladder.skel && r == 0) /* never: for the static analyzers */
		r = -ENOTSUP;
	if (r == 0)
		r = map_buffers(a, err);
	if (r < 0) {
		attribution_close(a);
		return r;
	}
	r = a->ladder.taken_up ? seed_again(a) : seed(a);
	if (r < 0)
		log_event(LOG_LEVEL_WARNING, "sockets that are older than the daemon are not known", "error", strerror(-r), NULL);
	*out = a;
	return 0;
}

void attribution_close(struct attribution *a)
{
	if (!a)
		return;
	seed_close(&a->seed);
	ring_buffer__free(a->ring);
	if (a->counters)
		munmap((void *)(uintptr_t)a->counters, sizeof(struct attribution_counters) * EVENT_CPUS_MAX);
	if (a->ledger)
		munmap(a->ledger, sizeof(*a->ledger));
	free(a->kept.events);
	ladder_close(&a->ladder);
	process_table_free(&a->processes);
	cgroup_table_free(&a->cgroups);
	free(a);
}

bool attribution_taken_up(const struct attribution *a)
{
	return a->ladder.taken_up;
}

bool attribution_outlives(const struct attribution *a)
{
	return a->ladder.pins.dir != NULL;
}

struct attribution_ledger *attribution_ledger(const struct attribution *a)
{
	return a->ledger;
}

int attribution_fd(const struct attribution *a)
{
	return ring_buffer__epoll_fd(a->ring);
}

int attribution_drain(struct attribution *a)
{
	int r;

	a->turn = 0;
	drain_kept(a);
	if (a->turn >= ATTRIBUTION_TURN)
		return ATTRIBUTION_TURN;
	r = ring_buffer__consume(a->ring);
	return r == -EAGAIN ? ATTRIBUTION_TURN : r;
}

/* Records of one pass. They are kept until it is over: the cgroups that it meets first come through the ring buffer. */
struct listeners {
	struct listener_record *records;
	size_t count, room;
};

static void keep_listener(const struct listener_record *r, void *userdata)
{
	struct listeners *l = userdata;

	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct listener_record *more = room <= LISTENERS_MAX ? realloc(l->records, room * sizeof(*more)) : NULL;

		if (!more)
			return;
		l->records = more;
		l->room = room;
	}
	l->records[l->count++] = *r;
}

int attribution_listeners(struct attribution *a, attribution_listener_fn fn, void *userdata)
{
	struct listeners l = { 0 };
	int r;

	if (!a->ladder.links[PROGRAM_FILE])
		return -ENOTSUP;
	r = seed_listeners(a->ladder.links[PROGRAM_FILE], &a->ladder.skel->bss->iterate, keep_listener, &l);
	for (int i = 0; i < 3 && r >= 0; i++) /* not so many that the queue behind it overflows */
		r = attribution_drain(a);
	for (size_t i = 0; i < l.count && r >= 0; i++)
		fn(&l.records[i], process_find(&a->processes, l.records[i].pid, l.records[i].start_ns),
		   cgroup_find(&a->cgroups, l.records[i].cgroup), userdata);
	free(l.records);
	return r < 0 ? r : 0;
}

bool attribution_listeners_changed(struct attribution *a)
{
	bool changed = a->listeners_changed;

	a->listeners_changed = false;
	return changed;
}

int attribution_announce(struct attribution *a, unsigned room)
{
	if (a->seed.announced || !a->ladder.links[PROGRAM_FILE])
		return 0;
	return seed_announce(&a->seed, a->ladder.links[PROGRAM_FILE], &a->ladder.skel->bss->iterate, room, on_flow, a);
}

struct attribution_totals attribution_totals(const struct attribution *a)
{
	struct attribution_totals t = { 0 };
	static unsigned cpus;

	if (cpus == 0) {
		int n = libbpf_num_possible_cpus();

		cpus = n > 0 && n < EVENT_CPUS_MAX ? (unsigned)n : EVENT_CPUS_MAX;
	}
	for (unsigned i = 0; i < cpus; i++) {
		const volatile struct attribution_counters *c = &a->counters[i];

		t.produced += c->produced;
		t.dropped += c->dropped;
		t.foreign += c->foreign;
		t.unowned += c->unowned;
		t.suppressed += c->suppressed;
		t.notes_dropped += c->notes_dropped;
		t.seeded += c->seeded;
	}
	return t;
}

bool attribution_program(const struct attribution *a, unsigned i, const char **hook, const char **state)
{
	if (i >= PROGRAMS)
		return false;
	*hook = ladder_hook(i);
	*state = a->ladder.state[i];
	return true;
}
