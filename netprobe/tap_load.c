/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "lib/log.h"
#include "netprobe/tap_internal.h"

#include "netprobe/tap.skel.h" /* knows its types from the above */
#include "netprobe/tap_plain.skel.h"

#define RING_BYTES    (4u * 1024 * 1024)
#define VERDICTS_MIN  65536u
#define VERDICTS_MAX  (1u << 20)
#define WITHOUT_KFUNCS 4u /* in `way` */

static const char *const names[TAP_PROGRAMS] = { "netif_receive_skb", "net_dev_start_xmit", "socket_filter" };

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

static uint32_t verdicts(const struct tap *t)
{
	uint32_t n = VERDICTS_MIN;

	while (n < VERDICTS_MAX && n < t->options.max_entries)
		n *= 2;
	return n;
}

static int prepare(struct tap *t, ino_t netns)
{
	struct tap_bpf *s = t->skel;
	bool tracepoint = t->kind == TAP_TRACEPOINT;
	int r;

	s->rodata->own_netns = (uint32_t)netns;
	s->rodata->cpus = t->cpus;
	s->rodata->cache_seed = t->seed;
	s->rodata->ring_bytes = t->ring_bytes;
	s->rodata->verdict_mask = verdicts(t) - 1;
	s->rodata->layout = TAP_LAYOUT;
	s->rodata->way = (uint32_t)t->kind | (t->plain ? WITHOUT_KFUNCS : 0);
	s->rodata->max_entries = t->options.max_entries;
	t->verdict_mask = verdicts(t) - 1;
	(void)bpf_program__set_autoload(s->progs.received, tracepoint && !t->plain);
	(void)bpf_program__set_autoload(s->progs.sent, tracepoint && !t->plain);
	(void)bpf_program__set_autoload(s->progs.received_plain, tracepoint && t->plain);
	(void)bpf_program__set_autoload(s->progs.sent_plain, tracepoint && t->plain);
	r = bpf_map__set_max_entries(s->maps.cache, t->cpus * TAP_CACHE_ENTRIES);
	if (r == 0)
		r = bpf_map__set_max_entries(s->maps.counters, t->cpus);
	if (r == 0)
		r = bpf_map__set_max_entries(s->maps.scratches, t->cpus);
	if (r == 0)
		r = bpf_map__set_max_entries(s->maps.verdicts, verdicts(t));
	if (r == 0)
		r = bpf_map__set_max_entries(s->maps.told, verdicts(t));
	if (r == 0)
		r = bpf_map__set_max_entries(s->maps.packets, t->ring_bytes);
	return r;
}

/* Both objects are compiled from the same source: one skeleton is right for either. */
static struct tap_bpf *open_object(bool kfuncs)
{
	struct tap_bpf *s = calloc(1, sizeof(*s));

	if (!s || tap_bpf__create_skeleton(s) < 0) {
		tap_bpf__destroy(s);
		return NULL;
	}
	if (!kfuncs)
		s->skeleton->data = (void *)(uintptr_t)tap_plain_bpf__elf_bytes(&s->skeleton->data_sz);
	if (bpf_object__open_skeleton(s->skeleton, NULL) < 0) {
		tap_bpf__destroy(s);
		return NULL;
	}
	return s;
}

static void destroy(struct tap *t)
{
	tap_bpf__destroy(t->skel);
	t->skel = NULL;
}

/* One way to tap: loaded, or -errno. */
static int try(struct tap *t, enum tap_kind kind, bool plain, ino_t netns, bool take_up)
{
	int r;

	t->kind = kind;
	t->plain = plain;
	t->skel = open_object(kind == TAP_TRACEPOINT && !plain);
	if (!t->skel)
		return -errno;
	r = prepare(t, netns);
	if (r == 0 && take_up)
		r = pins_offer(&t->pins, t->skel->obj, t->skel->maps.rodata) > 0 ? 0 : -ESTALE;
	if (r == 0)
		r = tap_bpf__load(t->skel);
	if (r < 0)
		destroy(t);
	return r;
}

/* The way of the daemon before us, with what it has left; -errno when there is nothing to be taken up. */
static int try_pinned(struct tap *t, ino_t netns)
{
	const struct tap_options options = t->options;
	struct tap_bpf__rodata *before;
	enum tap_kind kind;
	bool plain, known;
	int r = -ENOENT;

	t->skel = open_object(false);
	before = calloc(1, sizeof(*before));
	known = t->skel && before && pins_read_constants(&t->pins, t->skel->maps.rodata, before, sizeof(*before));
	destroy(t);
	if (known && before->layout == TAP_LAYOUT) {
		kind = (enum tap_kind)(before->way & (WITHOUT_KFUNCS - 1));
		plain = before->way & WITHOUT_KFUNCS;
		t->options.max_entries = before->max_entries;
		t->ring_bytes = before->ring_bytes;
		t->seed = before->cache_seed;
		if ((options.kind == TAP_AUTO || options.kind == kind) && (plain || !options.plain))
			r = try(t, kind, plain, netns, true);
	}
	free(before);
	log_debug("tap: what is pinned %s: %s", known ? "is not taken up" : "cannot be read", strerror(-r));
	if (r < 0)
		t->options = options;
	return r;
}

/* The tracepoints cost less; but without kfuncs they see only what is linear of a payload, so the filter comes before that. */
static int choose(struct tap *t, ino_t netns, struct error *err)
{
	static const struct {
		enum tap_kind kind;
		bool plain;
	} ways[] = { { TAP_TRACEPOINT, false }, { TAP_SOCKET, false }, { TAP_TRACEPOINT, true } };
	enum tap_kind wanted = t->options.kind;
	int r = -ENOTSUP;

	if (tap_is_pinned(t->pins.dir) && try_pinned(t, netns) == 0) {
		t->taken_up = t->pinned = true;
		return 0;
	}
	if (t->pins.dir)
		pins_clear(&t->pins);
	t->ring_bytes = t->options.ring_bytes ? t->options.ring_bytes : RING_BYTES;
	if (getrandom(&t->seed, sizeof(t->seed), 0) != (ssize_t)sizeof(t->seed))
		t->seed = 1;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		bool kfuncs = ways[i].kind == TAP_TRACEPOINT && !ways[i].plain;

		if ((wanted != TAP_AUTO && wanted != ways[i].kind) || (kfuncs && t->options.plain))
			continue;
		r = try(t, ways[i].kind, ways[i].plain, netns, false);
		if (r == 0)
			return 0;
		log_debug("tap: %s%s: %s", tap_kind_name(ways[i].kind), ways[i].plain ? " without kfuncs" : "", strerror(-r));
	}
	return error_set(err, -ENOTSUP, "the kernel refused the program %s: %s",
			 wanted == TAP_SOCKET ? "filter (socket filter)" : "received (tp_btf/netif_receive_skb)", strerror(-r));
}

static void *map_array(const struct bpf_map *map, size_t size, bool writable)
{
	void *at = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

static int map_arrays(struct tap *t, struct error *err)
{
	struct tap_bpf *s = t->skel;

	t->cache = map_array(s->maps.cache, sizeof(*t->cache) * TAP_CACHE_ENTRIES * t->cpus, false);
	t->counters = map_array(s->maps.counters, sizeof(*t->counters) * t->cpus, false);
	t->interfaces = s->bss->interfaces; /* mapped by libbpf */
	t->control = (struct tap_control *)&s->bss->control;
	t->account = &t->control->account;
	t->verdicts = map_array(s->maps.verdicts, sizeof(*t->verdicts) * verdicts(t), true);
	if (!t->cache || !t->counters || !t->verdicts)
		return error_set(err, -errno, "cannot map the tap's arrays: %s", strerror(errno));
	return 0;
}

static void report_programs(struct tap *t)
{
	bool tracepoint = t->kind == TAP_TRACEPOINT;

	if (tracepoint) {
		t->program_state[0] = t->plain ? "active, without kfuncs: payload only as far as it is linear" : "active";
		t->program_state[1] = t->program_state[0];
		t->program_state[2] = "active for bonds, VLANs and other interfaces on top of one";
	} else {
		t->program_state[0] = t->options.kind == TAP_SOCKET ? "not wanted" :
								      "the kernel refused it: bpf_dynptr_from_skb is missing";
		t->program_state[1] = t->program_state[0];
		t->program_state[2] = "active";
	}
}

/* The tracepoints' programs, 2 or none. */
static size_t attached_ones(const struct tap *t, struct bpf_program *out[2])
{
	out[0] = t->plain ? t->skel->progs.received_plain : t->skel->progs.received;
	out[1] = t->plain ? t->skel->progs.sent_plain : t->skel->progs.sent;
	return t->kind == TAP_TRACEPOINT ? 2 : 0;
}

/* Of another build. What comes between that and ours is missed, and nothing is counted twice. */
static void detach_foreign(const struct tap *t)
{
	struct bpf_program *ours[2];
	size_t n = attached_ones(t, ours);

	pins_keep_only(&t->pins, (const struct bpf_program *const *)ours, n);
}

int tap_load(struct tap *t, struct error *err)
{
	struct stat ns;
	int cpus = libbpf_num_possible_cpus(), r;

	libbpf_set_print(log_libbpf);
	if (cpus < 0)
		return error_set(err, cpus, "cannot tell how many processors there are: %s", strerror(-cpus));
	t->cpus = (uint32_t)cpus;
	if (stat("/proc/self/ns/net", &ns) < 0)
		return error_set(err, -errno, "/proc/self/ns/net: %s", strerror(errno));
	r = choose(t, ns.st_ino, err);
	if (r < 0)
		return r;
	t->table_entries = t->options.max_entries ? t->options.max_entries : TAP_INTERFACE_ENTRIES;
	t->told_map = bpf_map__fd(t->skel->maps.told);
	t->fresh_outer = bpf_map__fd(t->skel->maps.fresh);
	t->settled_outer = bpf_map__fd(t->skel->maps.settled);
	t->filter = bpf_program__fd(t->skel->progs.filter);
	report_programs(t);
	r = map_arrays(t, err);
	if (r == 0) {
		r = tap_ring_new(t, bpf_map__fd(t->skel->maps.packets));
		if (r < 0)
			return error_set(err, r, "cannot map the ring buffer: %s", strerror(-r));
	}
	/* Attached for a moment, so that what does not work is known now; or what goes on, in this build. */
	if (r == 0 && t->taken_up)
		detach_foreign(t);
	if (r == 0)
		r = tap_attach(t, true, err);
	if (r == 0 && !t->taken_up)
		r = tap_attach(t, false, err);
	return r;
}

int tap_keep_maps(struct tap *t)
{
	int r = pins_keep_maps(&t->pins, t->skel->obj);

	if (r == 0 && t->shared_fresh >= 0) {
		r = pins_keep_map(&t->pins, "flows_fresh", t->shared_fresh);
		if (r == 0)
			r = pins_keep_map(&t->pins, "flows_settled", t->shared_settled);
		if (r < 0)
			pins_clear(&t->pins);
	}
	return r;
}

int tap_attach(struct tap *t, bool on, struct error *err)
{
	struct bpf_program *programs[2];
	size_t n = attached_ones(t, programs);

	for (size_t i = 0; i < n; i++) {
		if (!on) {
			bpf_link__destroy(t->links[i]);
			t->links[i] = NULL;
		} else if (!t->links[i]) {
			t->links[i] = t->pinned ? pins_take_link(&t->pins, programs[i]) : NULL;
			if (t->links[i])
				continue;
			t->links[i] = bpf_program__attach(programs[i]);
			if (t->links[i] && t->pinned)
				(void)pins_keep_link(&t->pins, programs[i], t->links[i]);
			if (!t->links[i])
				return error_set(err, -ENOTSUP, "cannot attach the program %s (tp_btf/%s): %s",
						 bpf_program__name(programs[i]), names[i], strerror(errno));
		}
	}
	return 0;
}

int tap_new_table(const struct tap *t, const char *name)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_LRU_HASH, name, sizeof(struct flow_key), sizeof(struct flow_value), t->table_entries,
				NULL);

	return fd < 0 ? -errno : fd;
}

static void unmap(const void *at, size_t size)
{
	if (at)
		munmap((void *)(uintptr_t)at, size);
}

void tap_unload(struct tap *t)
{
	if (!t->skel)
		return;
	for (size_t i = 0; i < 2; i++)
		bpf_link__destroy(t->links[i]); /* what is pinned goes on */
	tap_ring_free(t);
	unmap(t->cache, sizeof(*t->cache) * TAP_CACHE_ENTRIES * t->cpus);
	unmap(t->counters, sizeof(*t->counters) * t->cpus);
	unmap(t->verdicts, sizeof(*t->verdicts) * (t->verdict_mask + 1));
	tap_bpf__destroy(t->skel);
	t->skel = NULL;
}

bool tap_program(const struct tap *t, unsigned i, const char **name, const char **state)
{
	if (i >= TAP_PROGRAMS)
		return false;
	*name = names[i];
	*state = t->program_state[i];
	return true;
}
