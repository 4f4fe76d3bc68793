/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who owns a TCP connection: inet_sock_set_state tells when a socket connects, listens, is accepted and closes.
 *
 * SYN_SENT and LISTEN are set in the owner's own context, so the owner is read there. The passive side becomes
 * ESTABLISHED in softirq, whoever runs then: the child socket carries a clone of its listener's storage
 * (BPF_F_CLONE, net/core/bpf_sk_storage.c), and the first process that sends or receives on it takes it over. Where the
 * listener is older than the daemon there is nothing to clone: that process is then the first that is known. */
#include "vmlinux_min.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "events.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PIDNS_LEVELS 8 /* nested pid namespaces looked through; the kernel allows 32 */

/* Inode of the daemon's own pid namespace. How deep it lies cannot be told from inside. */
const volatile __u32 pidns_inum = 0;

struct owner {
	__u32 pid, uid, gid, tgid; /* tgid: of the initial namespace, to tell processes apart */
	char comm[EVENT_COMM_BYTES];
};

/* Everything known of a socket; the tuple is kept, because skc_num is 0 again at CLOSE. */
struct socket_state {
	struct owner owner;
	__u8 local[16], remote[16];
	__u16 local_port, remote_port;
	__u8 family;
	__u8 has_owner;   /* the process is visible to the daemon */
	__u8 reported;    /* a connect or accept event went out, so a close event has to */
	__u8 passive;
	__u8 unowned;     /* accepted by a listener that is older than the daemon: who it is, its first use will tell */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct socket_state);
} sockets SEC(".maps");

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

/* The process id as seen from the daemon's namespace; 0 when the process is not visible from there.
 * kernel/pid.c, pid_nr_ns(): numbers[] has one id for each namespace from the initial one inwards. */
static __always_inline __u32 visible_pid(struct task_struct *leader)
{
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);
	unsigned int level = BPF_CORE_READ(pid, level);
	char *at = (char *)pid + bpf_core_field_offset(struct pid, numbers);

	for (unsigned int i = 0; i < PIDNS_LEVELS && i <= level; i++) {
		struct upid *upid = (struct upid *)(at + i * bpf_core_type_size(struct upid));

		if (BPF_CORE_READ(upid, ns, ns.inum) == pidns_inum)
			return (__u32)BPF_CORE_READ(upid, nr);
	}
	return 0;
}

/* The current process as owner. The name is the process's, not the thread's. */
static __always_inline void take_owner(struct socket_state *s)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	__u64 ids = bpf_get_current_uid_gid();

	s->owner.tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	s->owner.uid = (__u32)ids;
	s->owner.gid = (__u32)(ids >> 32);
	s->owner.pid = visible_pid(leader);
	BPF_CORE_READ_STR_INTO(&s->owner.comm, leader, comm);
	s->has_owner = s->owner.pid != 0;
}

static __always_inline void take_tuple(struct socket_state *s, struct sock *sk)
{
	s->family = (__u8)BPF_CORE_READ(sk, __sk_common.skc_family);
	s->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	s->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (s->family == AF_INET6) {
		BPF_CORE_READ_INTO(&s->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&s->remote, sk, __sk_common.skc_v6_daddr);
	} else {
		__be32 local = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__be32 remote = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		__builtin_memcpy(&s->local[12], &local, 4);
		__builtin_memcpy(&s->remote[12], &remote, 4);
	}
}

static __always_inline void emit(struct socket_state *s, struct sock *sk, __u8 kind, int old_state, int new_state)
{
	struct attribution_event *e;

	COUNT(produced);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		COUNT(dropped);
		return;
	}
	e->time_ns = bpf_ktime_get_ns();
	e->cookie = bpf_get_socket_cookie(sk);
	e->pid = s->owner.pid;
	e->uid = s->owner.uid;
	e->gid = s->owner.gid;
	e->local_port = s->local_port;
	e->remote_port = s->remote_port;
	e->family = s->family;
	e->kind = kind;
	e->old_state = (__u8)old_state;
	e->new_state = (__u8)new_state;
	e->protocol = IPPROTO_TCP;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	__builtin_memcpy(e->local, s->local, sizeof(e->local));
	__builtin_memcpy(e->remote, s->remote, sizeof(e->remote));
	__builtin_memcpy(e->comm, s->owner.comm, sizeof(e->comm));
	/* Waking the daemon for each event costs 20 % of the connection rate; it looks by itself, and is woken when that
	 * would be too late. */
	bpf_ringbuf_submit(e, bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > EVENT_RING_BYTES / 2 ? BPF_RB_FORCE_WAKEUP :
												     BPF_RB_NO_WAKEUP);
}

static __always_inline int on_close(struct sock *sk, int old_state)
{
	struct socket_state *s = bpf_sk_storage_get(&sockets, sk, NULL, 0);

	if (s && s->unowned)
		COUNT(unowned);
	if (!s || !s->has_owner)
		return 0;
	if (s->reported) {
		s->reported = 0;
		emit(s, sk, EVENT_CLOSE, old_state, TCP_CLOSE);
	} else if (old_state == TCP_SYN_SENT) {
		/* A connect that failed: one connect event whose new state is CLOSE, and no close event. */
		take_tuple(s, sk);
		emit(s, sk, EVENT_CONNECT, old_state, TCP_CLOSE);
	}
	return 0;
}

static __always_inline int on_established(struct sock *sk, int old_state)
{
	struct socket_state *s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	bool passive = old_state == TCP_SYN_RECV;

	if (!s && passive) {
		s = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (s)
			s->passive = s->unowned = 1;
		else
			COUNT(unowned);
		return 0;
	}
	if (!s || !s->has_owner)
		return 0;
	take_tuple(s, sk);
	s->passive = passive;
	s->reported = 1;
	emit(s, sk, passive ? EVENT_ACCEPT : EVENT_CONNECT, old_state, TCP_ESTABLISHED);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old_state, int new_state)
{
	struct socket_state *s;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	if (new_state == TCP_SYN_SENT || new_state == TCP_LISTEN) {
		s = bpf_sk_storage_get(&sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
		if (s) {
			s->reported = 0;
			take_owner(s);
			if (!s->has_owner)
				COUNT(foreign);
		}
		return 0;
	}
	if (new_state == TCP_ESTABLISHED && (old_state == TCP_SYN_SENT || old_state == TCP_SYN_RECV))
		return on_established(sk, old_state);
	if (new_state == TCP_CLOSE)
		return on_close(sk, old_state);
	return 0;
}

/* An accepted socket belongs to who uses it: a forked worker, not the process that once called listen(). */
static __always_inline int correct_owner(struct sock *sk)
{
	struct socket_state *s;

	if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	s = bpf_sk_storage_get(&sockets, sk, NULL, 0);
	if (s && s->unowned) {
		s->unowned = 0;
		take_owner(s);
		if (s->has_owner) {
			take_tuple(s, sk);
			s->reported = 1;
			emit(s, sk, EVENT_ACCEPT, TCP_SYN_RECV, TCP_ESTABLISHED);
		} else {
			COUNT(foreign);
		}
		return 0;
	}
	if (s && s->passive && s->reported && s->owner.tgid != (__u32)(bpf_get_current_pid_tgid() >> 32)) {
		struct socket_state user = {};

		take_owner(&user);
		if (user.has_owner)
			s->owner = user.owner;
	}
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int ret, int flags)
{
	return correct_owner(sk);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_recv, struct sock *sk, int ret, int flags)
{
	return correct_owner(sk);
}
