/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/attribute_ladder.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "netprobe/bpf/events.h"

#include "netprobe/attribute.skel.h" /* knows its types from the above */

#include "lib/cleanup.h"
#include "netprobe/pins.h"

enum kind { TRACEPOINT, FUNCTION, ITERATOR };

/* Hook as libbpf names it, what kind it is, and the number of arguments of a function that has had several forms. */
static const struct {
	const char *program, *hook;
	enum kind kind;
	unsigned arguments;
} programs[PROGRAMS] = {
	[PROGRAM_STATE] = { "on_state", "tp_btf/inet_sock_set_state", TRACEPOINT, 0 },
	[PROGRAM_NESTED] = { "on_nested", "tp_btf/inet_sock_set_state", TRACEPOINT, 0 },
	[PROGRAM_ACCEPT4] = { "on_accept4", "fexit/inet_csk_accept", FUNCTION, 4 },
	[PROGRAM_ACCEPT2] = { "on_accept2", "fexit/inet_csk_accept", FUNCTION, 2 },
	[PROGRAM_SEND] = { "on_send", "tp_btf/sock_send_length", TRACEPOINT, 0 },
	[PROGRAM_RECV] = { "on_recv", "tp_btf/sock_recv_length", TRACEPOINT, 0 },
	[PROGRAM_SENDMSG] = { "on_sendmsg", "fexit/inet_sendmsg", FUNCTION, 3 },
	[PROGRAM_SENDMSG6] = { "on_sendmsg6", "fexit/inet6_sendmsg", FUNCTION, 3 },
	[PROGRAM_RECVMSG] = { "on_recvmsg", "fexit/inet_recvmsg", FUNCTION, 4 },
	[PROGRAM_RECVMSG6] = { "on_recvmsg6", "fexit/inet6_recvmsg", FUNCTION, 4 },
	[PROGRAM_QUEUE] = { "on_queue", "tp_btf/net_dev_queue", TRACEPOINT, 0 },
	[PROGRAM_CONSUME] = { "on_consume", "fentry/skb_consume_udp", FUNCTION, 3 },
	[PROGRAM_READY] = { "on_ready", "tp_btf/sk_data_ready", TRACEPOINT, 0 },
	[PROGRAM_EXEC] = { "on_exec", "tp_btf/sched_process_exec", TRACEPOINT, 0 },
	[PROGRAM_EXIT] = { "on_exit", "tp_btf/sched_process_exit", TRACEPOINT, 0 },
	[PROGRAM_TASK] = { "on_task", "iter/task", ITERATOR, 0 },
	[PROGRAM_FILE] = { "on_file", "iter/task_file", ITERATOR, 0 },
};

static bool left_out[PROGRAMS];

int ladder_leave_out(const char *hook)
{
	bool found = false;

	for (unsigned i = 0; i < PROGRAMS; i++) /* a hook has two programs, if its arguments have changed */
		if (strcmp(programs[i].hook, hook) == 0)
			found = left_out[i] = true;
	return found ? 0 : -ENOENT;
}

const char *ladder_hook(unsigned program)
{
	return programs[program].hook;
}

static void refuse(struct ladder *l, unsigned i, int error)
{
	l->taken[i] = l->wanted[i] = false;
	(void)snprintf(l->state[i], sizeof(l->state[i]), "the kernel refused it: %s", strerror(error));
}

static struct bpf_program *find(struct attribute_bpf *skel, unsigned i)
{
	return bpf_object__find_program_by_name(skel->obj, programs[i].program);
}

/* Whether the kernel has the hook, in this form. */
static bool exists(const struct btf *btf, unsigned i, const char **why)
{
	const char *target = strchr(programs[i].hook, '/') + 1;
	char name[64];
	int id;

	if (programs[i].kind == FUNCTION) {
		const struct btf_type *t;

		*why = "this kernel does not have the function";
		id = btf__find_by_name_kind(btf, target, BTF_KIND_FUNC);
		t = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
		t = t ? btf__type_by_id(btf, t->type) : NULL;
		if (!t)
			return false;
		*why = "this kernel's function has other arguments";
		return btf_vlen(t) == programs[i].arguments;
	}
	*why = programs[i].kind == ITERATOR ? "this kernel does not have the iterator" : "this kernel does not have the tracepoint";
	(void)snprintf(name, sizeof(name), programs[i].kind == ITERATOR ? "bpf_iter_%s" : "btf_trace_%s", target);
	return btf__find_by_name_kind(btf, name, programs[i].kind == ITERATOR ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF) > 0;
}

static void survey(struct ladder *l)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const char *why = "the kernel's type information cannot be read";

	for (unsigned i = 0; i < PROGRAMS; i++) {
		l->taken[i] = btf && exists(btf, i, &why) && !left_out[i];
		(void)snprintf(l->state[i], sizeof(l->state[i]), "%s", l->taken[i] ? "active" : (left_out[i] ? "left out" : why));
	}
	btf__free(btf);
}

static void stand_in(struct ladder *l, unsigned better, unsigned i)
{
	if (!l->taken[better] || !l->taken[i])
		return;
	l->wanted[i] = false;
	(void)snprintf(l->state[i], sizeof(l->state[i]), "not needed: %s serves", programs[better].hook);
}

static void choose(struct ladder *l)
{
	for (unsigned i = 0; i < PROGRAMS; i++) {
		l->wanted[i] = l->taken[i];
		if (l->taken[i])
			(void)snprintf(l->state[i], sizeof(l->state[i]), "active");
	}
	stand_in(l, PROGRAM_SEND, PROGRAM_SENDMSG);
	stand_in(l, PROGRAM_SEND, PROGRAM_SENDMSG6);
	stand_in(l, PROGRAM_RECV, PROGRAM_RECVMSG);
	stand_in(l, PROGRAM_RECV, PROGRAM_RECVMSG6);
	stand_in(l, PROGRAM_CONSUME, PROGRAM_READY);
}

/* cgroup v1 hierarchies are the lines of /proc/self/cgroup with a number other than 0 (cgroups(7)). */
static bool has_cgroup_v1(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/cgroup", "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "0::", 3) != 0)
			return true;
	return false;
}

static int open_skeleton(struct ladder *l)
{
	struct stat ns;

	l->skel = attribute_bpf__open();
	if (!l->skel)
		return -errno;
	if (stat("/proc/self/ns/pid", &ns) == 0)
		l->skel->rodata->pidns_inum = (uint32_t)ns.st_ino;
	l->skel->rodata->layout = ATTRIBUTION_LAYOUT;
	l->skel->rodata->cgroup_v1 = has_cgroup_v1();
	l->skel->rodata->have_accept = l->wanted[PROGRAM_ACCEPT4] || l->wanted[PROGRAM_ACCEPT2];
	l->skel->rodata->have_tx_peers = l->wanted[PROGRAM_QUEUE];
	l->skel->rodata->have_rx_peers = l->wanted[PROGRAM_CONSUME] || l->wanted[PROGRAM_READY];
	l->skel->rodata->skip_receive = l->wanted[PROGRAM_CONSUME];
	return 0;
}

static struct bpf_link *attach(struct attribute_bpf *skel, unsigned i)
{
	struct bpf_program *p = find(skel, i);

	return programs[i].kind == ITERATOR ? bpf_program__attach_iter(p, NULL) : bpf_program__attach(p);
}

/* Loads and attaches one program for a moment, with maps of the least size. */
static void try_alone(struct ladder *l, unsigned i)
{
	struct bpf_map *maps[] = { NULL, NULL, NULL, NULL, NULL, NULL, NULL };
	struct bpf_link *link;
	int r = open_skeleton(l);

	if (r == 0) {
		maps[0] = l->skel->maps.peers;
		maps[1] = l->skel->maps.processes;
		maps[2] = l->skel->maps.cgroups;
		maps[3] = l->skel->maps.acceptors;
		maps[4] = l->skel->maps.slots;
		maps[5] = l->skel->maps.listeners;
		maps[6] = l->skel->maps.early;
		for (unsigned k = 0; k < sizeof(maps) / sizeof(maps[0]); k++)
			(void)bpf_map__set_max_entries(maps[k], 64);
		(void)bpf_map__set_max_entries(l->skel->maps.events, 4096 * 16);
		for (unsigned k = 0; k < PROGRAMS; k++)
			bpf_program__set_autoload(find(l->skel, k), k == i);
		r = attribute_bpf__load(l->skel);
	}
	if (r == 0) {
		link = attach(l->skel, i);
		r = link ? 0 : -errno;
		bpf_link__destroy(link);
	}
	if (r < 0)
		refuse(l, i, -r);
	if (l->skel)
		attribute_bpf__destroy(l->skel);
	l->skel = NULL;
}

static void detach_foreign(const struct ladder *l)
{
	const struct bpf_program *ours[PROGRAMS];
	size_t n = 0;

	for (unsigned i = 0; i < PROGRAMS; i++)
		if (l->wanted[i])
			ours[n++] = find(l->skel, i);
	pins_keep_only(&l->pins, ours, n);
}

/* Maps that cannot be taken up are of another build: then without them. Links of another build are detached before ours are attached:
 * what happens in between is missed, and nothing is told twice. */
static int load_wanted(struct ladder *l)
{
	for (int attempt = 0; attempt < 2; attempt++) {
		int r = open_skeleton(l), offered;

		if (r < 0)
			return r;
		for (unsigned i = 0; i < PROGRAMS; i++)
			bpf_program__set_autoload(find(l->skel, i), l->wanted[i]);
		offered = l->pins.dir ? pins_offer(&l->pins, l->skel->obj, l->skel->maps.rodata) : 0;
		l->taken_up = offered > 0;
		r = offered < 0 ? offered : attribute_bpf__load(l->skel);
		if (r == 0 && l->pins.dir && !l->taken_up && pins_keep_maps(&l->pins, l->skel->obj) < 0)
			l->pins.dir = NULL; /* then it ends with the daemon */
		if (r == 0 && l->pins.dir)
			detach_foreign(l);
		if (r == 0 || offered == 0)
			return r;
		attribute_bpf__destroy(l->skel);
		l->skel = NULL;
		pins_clear(&l->pins);
	}
	return -EINVAL; /* never: nothing is taken up the second time */
}

/* A link that cannot be pinned ends with the daemon: no reason to do without it. */
static struct bpf_link *take_or_attach(const struct ladder *l, unsigned i)
{
	const struct bpf_program *p = find(l->skel, i);
	struct bpf_link *link;

	if (!l->pins.dir || programs[i].kind == ITERATOR)
		return attach(l->skel, i);
	link = pins_take_link(&l->pins, p);
	if (link)
		return link;
	link = attach(l->skel, i);
	if (link)
		(void)pins_keep_link(&l->pins, p, link);
	return link;
}

static int attach_wanted(struct ladder *l, unsigned *failed)
{
	for (unsigned i = 0; i < PROGRAMS; i++) {
		if (!l->wanted[i] || l->links[i])
			continue;
		l->links[i] = take_or_attach(l, i);
		if (!l->links[i]) {
			*failed = i;
			return -errno;
		}
	}
	return 0;
}

static int no_way(struct ladder *l, struct error *err)
{
	return error_set(err, -ENOTSUP, "the program on_state (%s): %s", programs[PROGRAM_STATE].hook, l->state[PROGRAM_STATE]);
}

int ladder_climb(struct ladder *l, struct error *err)
{
	unsigned failed = PROGRAM_STATE;
	int r;

	survey(l);
	/* Whether trampolines are allowed shows only in the trial: some kernels have the functions and refuse to hook them. */
	for (unsigned i = 0; i < PROGRAMS; i++) {
		choose(l);
		if (l->wanted[i] && programs[i].kind == FUNCTION)
			try_alone(l, i);
	}
	choose(l);
	for (int attempt = 0; attempt < 3 && l->wanted[PROGRAM_STATE]; attempt++) {
		r = load_wanted(l);
		if (r == 0)
			r = attach_wanted(l, &failed);
		if (r == 0)
			return 0;
		ladder_close(l);
		for (unsigned i = 0; i < PROGRAMS && attempt == 0; i++) /* one is refused, or several: each alone tells */
			if (l->wanted[i])
				try_alone(l, i);
		if (attempt > 0)
			refuse(l, failed, -r);
		choose(l);
	}
	return no_way(l, err);
}

int ladder_attach(struct ladder *l, bool on, struct error *err)
{
	unsigned failed = PROGRAM_STATE;
	int r;

	if (!on) {
		for (unsigned i = 0; i < PROGRAMS; i++)
			if (l->links[i] && programs[i].kind != ITERATOR) {
				if (l->pins.dir)
					pins_drop_link(&l->pins, find(l->skel, i));
				bpf_link__destroy(l->links[i]);
				l->links[i] = NULL;
			}
		return 0;
	}
	while ((r = attach_wanted(l, &failed)) < 0) {
		refuse(l, failed, -r);
		if (failed == PROGRAM_STATE)
			return no_way(l, err);
	}
	return 0;
}

void ladder_close(struct ladder *l)
{
	for (unsigned i = 0; i < PROGRAMS; i++) {
		bpf_link__destroy(l->links[i]);
		l->links[i] = NULL;
	}
	if (l->skel)
		attribute_bpf__destroy(l->skel);
	l->skel = NULL;
}
