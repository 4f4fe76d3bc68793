/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Facts of a process, taken in the kernel at the moment of an event: the process may be gone a microsecond later.
 *
 * An event carries numbers; what belongs to them (command line, path of the cgroup) goes ahead of the first event that
 * names them as a record of its own, once for each process and cgroup. */
#pragma once

#include "attribute_kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.h"

#define PIDNS_LEVELS 8          /* nested pid namespaces looked through; the kernel allows 32 */
#define PIDNS_INITIAL 0xeffffffcu /* include/linux/proc_ns.h: PROC_PID_INIT_INO */
#define ARGS_BYTES   1024       /* arguments are counted in so many bytes */

const volatile __u32 layout = 0; /* ATTRIBUTION_LAYOUT of who made the maps */

/* Inode of the daemon's own pid namespace. How deep it lies cannot be told from inside. */
const volatile __u32 pidns_inum = PIDNS_INITIAL;
/* Whether the host has cgroup v1 hierarchies. */
const volatile bool cgroup_v1 = false;

struct owner {
	__u64 start_ns, cgroup;
	__u32 pid, uid, gid;
	__u32 tgid; /* of the initial namespace, to tell processes apart */
	char comm[EVENT_COMM_BYTES];
};

struct process_key {
	__u64 start_ns;
	__u32 tgid, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, EVENT_RING_BYTES);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, EVENT_CPUS_MAX);
	__type(key, __u32);
	__type(value, struct attribution_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct attribution_ledger);
} ledger SEC(".maps");

/* Processes that the daemon was told of, with the cgroup it was told that they are in. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct process_key);
	__type(value, __u64);
} processes SEC(".maps");

/* Cgroups that the daemon was told of. It remembers twice as many. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, __u64);
	__type(value, __u8);
} cgroups SEC(".maps");

struct args_buffer {
	char bytes[ARGS_BYTES];
	volatile __u32 ended, found; /* in memory: as registers, each sum would be a path of its own for the verifier */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct args_buffer);
} scratch SEC(".maps");

static __always_inline struct attribution_counters *my_counters(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	if (cpu >= EVENT_CPUS_MAX)
		cpu = EVENT_CPUS_MAX - 1;
	return bpf_map_lookup_elem(&counters, &cpu);
}

#define COUNT(member)                                                   \
	do {                                                            \
		struct attribution_counters *c_ = my_counters();        \
		if (c_)                                                 \
			__sync_fetch_and_add(&c_->member, 1);           \
	} while (0)

/* Waking the daemon for each event costs 20 % of the connection rate; it looks by itself, and is woken when that would be
 * too late. */
static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > EVENT_RING_BYTES / 4 ? BPF_RB_FORCE_WAKEUP :
													  BPF_RB_NO_WAKEUP);
}

/* The process id as seen from the daemon's namespace; 0 when the process is not visible from there.
 * kernel/pid.c, pid_nr_ns(): numbers[] has one id for each namespace from the initial one inwards. */
static __always_inline __u32 visible_pid(struct task_struct *leader)
{
	struct pid *pid;
	unsigned int level;
	char *at;

	if (pidns_inum == PIDNS_INITIAL)
		return (__u32)leader->tgid;
	pid = leader->thread_pid;
	level = BPF_CORE_READ(pid, level);
	at = (char *)pid + bpf_core_field_offset(struct pid, numbers);
	for (unsigned int i = 0; i < PIDNS_LEVELS && i <= level; i++) {
		struct upid *upid = (struct upid *)(at + i * bpf_core_type_size(struct upid));

		if (BPF_CORE_READ(upid, ns, ns.inum) == pidns_inum)
			return (__u32)BPF_CORE_READ(upid, nr);
	}
	return 0;
}

static __always_inline struct cgroup *cgroup_in(struct css_set *set, unsigned int subsys)
{
	char *at = (char *)set + bpf_core_field_offset(struct css_set, subsys) + subsys * sizeof(void *);
	struct cgroup_subsys_state *css = NULL;

	bpf_probe_read_kernel(&css, sizeof(css), at);
	return BPF_CORE_READ(css, cgroup);
}

/* Of the v2 cgroup and those of two v1 controllers that container engines use, the one that lies deepest: where v1 and v2
 * are mixed, the others are often the root. */
static __always_inline struct cgroup *deepest_cgroup(struct css_set *set)
{
	struct cgroup *best = BPF_CORE_READ(set, dfl_cgrp), *other;
	int level = BPF_CORE_READ(best, level);

	if (!cgroup_v1)
		return best;
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
		other = cgroup_in(set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
		if (BPF_CORE_READ(other, level) > level) {
			best = other;
			level = BPF_CORE_READ(best, level);
		}
	}
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		other = cgroup_in(set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
		if (BPF_CORE_READ(other, level) > level)
			best = other;
	}
	return best;
}

static __always_inline __u64 cgroup_number(struct cgroup *cgroup)
{
	return BPF_CORE_READ(cgroup, kn, id) | (__u64)BPF_CORE_READ(cgroup, root, hierarchy_id) << 56;
}

static __always_inline __u64 cgroup_of(struct task_struct *task)
{
	if (!cgroup_v1)
		return task->cgroups->dfl_cgrp->kn->id;
	return cgroup_number(deepest_cgroup(task->cgroups));
}

static __always_inline struct kernfs_node *parent_of(struct kernfs_node *node)
{
	if (bpf_core_field_exists(struct kernfs_node___6_15, __parent))
		return BPF_CORE_READ((struct kernfs_node___6_15 *)node, __parent);
	return BPF_CORE_READ(node, parent);
}

/* Tells the daemon the path of the task's cgroup, once. */
static __noinline void note_cgroup(struct task_struct *task, __u64 number)
{
	struct kernfs_node *node;
	struct cgroup_record *r;
	__u8 told = 1;

	if (bpf_map_lookup_elem(&cgroups, &number))
		return;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		COUNT(notes_dropped);
		return;
	}
	r->record = RECORD_CGROUP;
	r->cgroup = number;
	r->levels = 0;
	node = BPF_CORE_READ(deepest_cgroup(task->cgroups), kn);
	for (int i = 0; i < CGROUP_LEVELS; i++) {
		struct kernfs_node *parent = node ? parent_of(node) : NULL;

		if (!parent) /* the hierarchy's root has no name */
			break;
		if (bpf_probe_read_kernel_str(r->name[i], CGROUP_NAME_BYTES, BPF_CORE_READ(node, name)) < 0)
			r->name[i][0] = '\0';
		r->levels = (__u32)i + 1;
		node = parent;
	}
	submit(r);
	bpf_map_update_elem(&cgroups, &number, &told, BPF_ANY);
}

/* What on_exit tells of such a process is told. */
static __always_inline bool is_ending(struct task_struct *leader)
{
	return leader->flags & PF_EXITING;
}

/* How many arguments the current process has between these addresses of its memory: NUL-terminated, one after the other. A
 * process that writes its own title there leaves NULs behind it, so the last ones do not count. Not static, as take_owner: the
 * verifier looks at such a function once, not at each call. */
__noinline __u32 count_args(__u64 start, __u64 end)
{
	__u32 zero = 0, size = end > start ? (end - start > ARGS_BYTES ? ARGS_BYTES : (__u32)(end - start)) : 0;
	struct args_buffer *b = bpf_map_lookup_elem(&scratch, &zero);

	if (!b || size == 0 || size > ARGS_BYTES || bpf_probe_read_user(b->bytes, size, (const void *)start) < 0)
		return 1;
	b->ended = 0;
	b->found = 1;
	for (__u32 i = 0; i < ARGS_BYTES && i < size; i++) { /* without a branch: 1,024 of them are a lot for the verifier */
		__u32 some = ((__u32)(__u8)b->bytes[i] + 0xff) >> 8, found = b->found;

		b->found = found + ((b->ended + 1 - found) & (0 - some));
		b->ended += some ^ 1;
	}
	return b->found;
}

/* Tells the daemon of the current process: command line, and the executable when it is the exec. */
static __noinline int note_process(struct task_struct *task, struct owner *o, struct linux_binprm *exec)
{
	struct task_struct *leader = task->group_leader, *parent = leader->real_parent->group_leader;
	struct mm_struct *mm = task->mm;
	struct process_record *r;
	__u64 start, end;

	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		COUNT(notes_dropped);
		return -1;
	}
	r->record = RECORD_PROCESS;
	r->pid = o->pid;
	r->start_ns = o->start_ns;
	r->parent_pid = visible_pid(parent);
	r->parent_start_ns = parent->start_time;
	r->flags = is_ending(leader) ? PROCESS_ENDING : 0;
	r->pad = r->argc = 0;
	r->argv0[0] = r->executable[0] = '\0';
	if (mm) {
		start = mm->arg_start;
		end = mm->arg_end;
		if (bpf_probe_read_user_str(r->argv0, sizeof(r->argv0), (const void *)start) < 0)
			r->argv0[0] = '\0';
		if (exec) {
			r->argc = (__u32)exec->argc;
		} else {
			r->argc = count_args(start, end);
			if (end - start > ARGS_BYTES)
				r->flags |= PROCESS_ARGC_CAPPED;
		}
	}
	if (exec && bpf_probe_read_kernel_str(r->executable, sizeof(r->executable), exec->filename) < 0)
		r->executable[0] = '\0';
	submit(r);
	return 0;
}

/* Facts of a task's process; the name is the process's, not the thread's. */
static __always_inline void owner_of(struct owner *o, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	o->start_ns = leader->start_time;
	o->cgroup = cgroup_of(task);
	o->tgid = (__u32)task->tgid;
	o->pid = visible_pid(leader);
	__builtin_memcpy(o->comm, leader->comm, sizeof(o->comm));
}

/* The current process as owner, and what the daemon does not know yet of it. */
__noinline int take_owner(struct owner *o)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 ids = bpf_get_current_uid_gid(), *told, cgroup;
	struct process_key key = {};

	if (!o)
		return 0;
	owner_of(o, task);
	o->uid = (__u32)ids;
	o->gid = (__u32)(ids >> 32);
	if (!o->pid)
		return 0;
	key.start_ns = o->start_ns;
	key.tgid = o->tgid;
	told = bpf_map_lookup_elem(&processes, &key);
	if (told && *told == o->cgroup)
		return 0;
	if (!told && note_process(task, o, NULL) < 0)
		return 0;
	note_cgroup(task, o->cgroup);
	if (is_ending(task->group_leader)) /* it closes its sockets, and on_exit has forgotten it */
		return 0;
	cgroup = o->cgroup; /* before 6.2 a value must not come from where an argument of a function points */
	bpf_map_update_elem(&processes, &key, &cgroup, BPF_ANY);
	return 0;
}
