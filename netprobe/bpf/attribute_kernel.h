/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel types and numbers that only attribution touches, in addition to vmlinux_min.h. What follows three underscores in a
 * name is not part of it for CO-RE: it only keeps our excerpts of a type apart. */
#pragma once

#include "vmlinux_min.h"

enum {
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_ANY = 0,
};

#define IPPROTO_ICMP     1
#define IPPROTO_UDP      17
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6   58
#define IPPROTO_UDPLITE  136
#define ETH_P_IP         0x0800
#define ETH_P_IPV6       0x86dd
#define PF_EXITING       0x00000004 /* include/linux/sched.h */
#define PF_KTHREAD       0x00200000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net___ns {
	struct ns_common ns;
};

struct sock_common___net {
	struct {
		struct net___ns *net;
	} skc_net;
};

struct socket {
	struct sock *sk;
};

struct sk_buff___attribute;

struct sock___queue {
	struct {
		struct sk_buff___attribute *prev;
	} sk_receive_queue;
};

struct sk_buff___attribute {
	struct sock *sk;
	__be16 protocol;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
};

struct kernfs_node {
	struct kernfs_node *parent;
	const char *name;
	u64 id;
};

struct kernfs_node___6_15 { /* `parent` before */
	struct kernfs_node *__parent;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

enum cgroup_subsys_id { memory_cgrp_id = 4, pids_cgrp_id = 11 };

struct cred {
	struct {
		unsigned int val;
	} uid, gid;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
};

struct linux_binprm {
	int argc;
	const char *filename;
};

struct file;
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop
