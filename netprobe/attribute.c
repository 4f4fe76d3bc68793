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
#include <sys/stat.h>

#include "lib/log.h"
#include "netprobe/attribute.skel.h"

#define N_PROGRAMS 3

/* Name of the program, its tracepoint, whether attribution is possible without it. */
static const struct {
	const char *name, *tracepoint;
	bool optional;
} programs[N_PROGRAMS] = {
	{ "on_state", "inet_sock_set_state", false },
	{ "on_send", "sock_send_length", true },
	{ "on_recv", "sock_recv_length", true },
};

struct attribution {
	struct attribute_bpf *skel;
	struct bpf_link *links[N_PROGRAMS];
	const char *state[N_PROGRAMS];
	struct ring_buffer *ring;
	const struct attribution_counters *counters;
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

static int on_record(void *userdata, void *data, size_t size)
{
	struct attribution *a = userdata;

	if (size >= sizeof(struct attribution_event))
		a->fn(data, a->userdata);
	return 0;
}

/* Which programs the kernel has a tracepoint for. */
static void choose(struct attribution *a)
{
	struct bpf_program *progs[N_PROGRAMS] = { a->skel->progs.on_state, a->skel->progs.on_send, a->skel->progs.on_recv };

	for (unsigned i = 0; i < N_PROGRAMS; i++) {
		a->state[i] = "active";
		if (programs[i].optional && libbpf_find_vmlinux_btf_id(programs[i].tracepoint, BPF_TRACE_RAW_TP) < 0) {
			bpf_program__set_autoload(progs[i], false);
			a->state[i] = "this kernel does not have the tracepoint";
		}
	}
}

static int open_skeleton(struct attribution *a, uint32_t inum, bool optional)
{
	a->skel = attribute_bpf__open();
	if (!a->skel)
		return -errno;
	a->skel->rodata->pidns_inum = inum;
	choose(a);
	if (!optional) {
		bpf_program__set_autoload(a->skel->progs.on_send, false);
		bpf_program__set_autoload(a->skel->progs.on_recv, false);
		a->state[1] = a->state[2] = "the kernel refused it";
	}
	return attribute_bpf__load(a->skel);
}

/* 0 with a->skel loaded, or -ENOTSUP with err set. */
static int load(struct attribution *a, struct error *err)
{
	struct stat ns;
	int r;

	if (stat("/proc/self/ns/pid", &ns) < 0)
		return error_set(err, -errno, "/proc/self/ns/pid: %s", strerror(errno));
	r = open_skeleton(a, (uint32_t)ns.st_ino, true);
	if (r < 0 && a->skel) { /* perhaps only an optional program is refused */
		attribute_bpf__destroy(a->skel);
		r = open_skeleton(a, (uint32_t)ns.st_ino, false);
	}
	if (r < 0)
		return error_set(err, -ENOTSUP, "the kernel refused the program on_state (tp_btf/inet_sock_set_state): %s",
				 strerror(-r));
	return 0;
}

int attribution_enable(struct attribution *a, bool on, struct error *err)
{
	struct bpf_program *progs[N_PROGRAMS] = { a->skel->progs.on_state, a->skel->progs.on_send, a->skel->progs.on_recv };

	for (unsigned i = 0; i < N_PROGRAMS; i++) {
		if (!on) {
			bpf_link__destroy(a->links[i]);
			a->links[i] = NULL;
		} else if (!a->links[i] && bpf_program__fd(progs[i]) >= 0) {
			a->links[i] = bpf_program__attach(progs[i]);
			if (a->links[i])
				continue;
			if (!programs[i].optional)
				return error_set(err, -ENOTSUP, "cannot attach the program %s (tp_btf/%s): %s", programs[i].name,
						 programs[i].tracepoint, strerror(errno));
			a->state[i] = "cannot be attached";
		}
	}
	return 0;
}

static int map_buffers(struct attribution *a, struct error *err)
{
	const void *at;

	a->ring = ring_buffer__new(bpf_map__fd(a->skel->maps.events), on_record, a, NULL);
	if (!a->ring)
		return error_set(err, -errno, "cannot map the ring buffer: %s", strerror(errno));
	at = mmap(NULL, sizeof(struct attribution_counters) * EVENT_CPUS_MAX, PROT_READ, MAP_SHARED,
		  bpf_map__fd(a->skel->maps.counters), 0);
	if (at == MAP_FAILED)
		return error_set(err, -errno, "cannot map the counters: %s", strerror(errno));
	a->counters = at;
	return 0;
}

int attribution_open(struct attribution **out, attribution_fn fn, void *userdata, struct error *err)
{
	struct attribution *a = calloc(1, sizeof(*a));
	int r;

	*out = NULL;
	if (!a)
		return error_set(err, -ENOMEM, "out of memory");
	a->fn = fn;
	a->userdata = userdata;
	libbpf_set_print(log_libbpf);
	r = load(a, err);
	if (!a->skel && r == 0) /* never: for the static analyzers */
		r = -ENOTSUP;
	if (r == 0)
		r = map_buffers(a, err);
	if (r == 0)
		r = attribution_enable(a, true, err);
	if (r < 0) {
		attribution_close(a);
		return r;
	}
	*out = a;
	return 0;
}

void attribution_close(struct attribution *a)
{
	if (!a)
		return;
	for (unsigned i = 0; i < N_PROGRAMS; i++)
		bpf_link__destroy(a->links[i]);
	ring_buffer__free(a->ring);
	if (a->counters)
		munmap((void *)(uintptr_t)a->counters, sizeof(struct attribution_counters) * EVENT_CPUS_MAX);
	if (a->skel)
		attribute_bpf__destroy(a->skel);
	free(a);
}

int attribution_fd(const struct attribution *a)
{
	return ring_buffer__epoll_fd(a->ring);
}

int attribution_drain(struct attribution *a)
{
	return ring_buffer__consume(a->ring);
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
	}
	return t;
}

bool attribution_program(const struct attribution *a, unsigned i, const char **name, const char **state)
{
	if (i >= N_PROGRAMS)
		return false;
	*name = programs[i].tracepoint;
	*state = a->state[i];
	return true;
}
