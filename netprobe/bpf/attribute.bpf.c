/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who owns a socket.
 *
 * TCP: inet_sock_set_state tells when a socket connects, listens, is accepted and closes. SYN_SENT and LISTEN are set in the
 * owner's own context, so the owner is read there. The passive side becomes ESTABLISHED in softirq, whoever runs then: it has its
 * owner from its listener (attribute_connection.h). Who accepts it is told by inet_csk_accept where the kernel allows us to hook a
 * function; else it is presumed to be who was found to have taken the connection before it, or the listener's owner, and who first
 * sends, receives or closes corrects it.
 *
 * UDP, UDP-Lite, ICMP echo: one event for the first use of a socket with a peer, in each direction and by each process.
 *
 * User space loads what this kernel takes (attribute_ladder.c): a program must not rely on another one being there. */
#include "attribute_connection.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Set by user space: which programs are there. */
const volatile bool have_accept = false;   /* inet_csk_accept tells who accepts */
const volatile bool have_tx_peers = false; /* net_dev_queue shows where unconnected datagrams go */
const volatile bool have_rx_peers = false; /* skb_consume_udp or sk_data_ready shows where they come from */
const volatile bool skip_receive = false;  /* skb_consume_udp tells of received datagrams */

#define CORRECTIONS 4 /* of one connection's owner that are reported; later ones are only taken in */

/* Who took a connection of a listener that another process had set up: a worker that was forked, a service that systemd listens for. By
 * the listener's cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct owner);
} acceptors SEC(".maps");

/* Who accepted a connection that was not established yet, by its cookie: it is in the listener's queue a moment before
 * (net/ipv4/tcp_minisocks.c, tcp_check_req). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct owner);
} early SEC(".maps");

struct peer {
	__u8 remote[16], local[16];
	__u16 remote_port;
	__u8 family; /* 0: none */
	__u8 pad;
};

enum direction { SEND = 0, RECEIVE = 1 };

struct datagrams {
	struct owner owner;
	struct peer last[2];     /* of each direction, so that the common case needs no look into `peers` */
	struct peer pending[2];  /* of a datagram on its way out, or that waits to be received: whose it is, is told after it */
	__u64 cookie;
	__u64 window_ns[2];
	__u32 window_events[2];
	__u8 owed;               /* something was sent, but where to is not known yet (it waits for ARP) */
	__u8 unknown_told[2];    /* an event without a peer went out */
	__u8 pad[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct datagrams);
} datagram_sockets SEC(".maps");

struct peer_key {
	__u64 cookie;
	__u8 remote[16];
	__u32 tgid;
	__u16 remote_port, direction;
};

/* What was reported. When it is full the least used is forgotten, and reported again if it comes back. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct peer_key);
	__type(value, __u8);
} peers SEC(".maps");

static __always_inline void set_v4(__u8 *to, __be32 address)
{
	__builtin_memset(to, 0, 12);
	__builtin_memcpy(to + 12, &address, 4);
}

static __always_inline void take_ends(struct endpoints *e, struct sock *sk)
{
	e->cookie = bpf_get_socket_cookie(sk);
	e->family = (__u8)sk->__sk_common.skc_family;
	e->protocol = sk->sk_protocol;
	e->local_port = local_port_of(sk);
	e->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (e->family == AF_INET6) {
		BPF_CORE_READ_INTO(&e->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&e->remote, sk, __sk_common.skc_v6_daddr);
	} else {
		set_v4(e->local, sk->__sk_common.skc_rcv_saddr);
		set_v4(e->remote, sk->__sk_common.skc_daddr);
	}
}

static __always_inline void fill(struct attribution_event *e, const struct owner *o, const struct endpoints *ends, struct sock *sk)
{
	e->record = RECORD_FLOW;
	e->time_ns = bpf_ktime_get_ns();
	e->cookie = ends->cookie;
	e->start_ns = o->start_ns;
	e->cgroup = o->cgroup;
	e->pid = o->pid;
	e->uid = o->uid;
	e->gid = o->gid;
	e->netns = netns_of(sk);
	e->local_port = ends->local_port;
	e->remote_port = ends->remote_port;
	e->protocol = ends->protocol;
	e->family = ends->family;
	__builtin_memcpy(e->local, ends->local, sizeof(e->local));
	__builtin_memcpy(e->remote, ends->remote, sizeof(e->remote));
	__builtin_memcpy(e->comm, o->comm, sizeof(e->comm));
}

static __noinline void emit(const struct owner *o, const struct endpoints *ends, struct sock *sk, __u32 kind_flags, __u32 states)
{
	struct attribution_event *e;

	COUNT(produced);
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		COUNT(dropped);
		return;
	}
	fill(e, o, ends, sk);
	e->kind = (__u8)kind_flags;
	e->flags = (__u8)(kind_flags >> 8);
	e->holders = 0;
	e->old_state = (__u8)(states >> 8);
	e->new_state = (__u8)states;
	submit(e);
}

#define KIND(kind, flags) ((__u32)(kind) | (__u32)(flags) << 8)
#define STATES(old, new)  ((__u32)(old) << 8 | (__u32)(new))

/* ---- TCP ---- */

static __always_inline void note_listeners(void)
{
	struct listeners_record *r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);

	if (!r) {
		COUNT(notes_dropped);
		return;
	}
	r->record = RECORD_LISTENERS;
	r->pad = 0;
	submit(r);
}

static __always_inline bool own(struct connection *c)
{
	take_owner(&c->owner);
	c->has_owner = c->owner.pid != 0;
	if (!c->has_owner)
		COUNT(foreign);
	return c->has_owner;
}

/* Nothing is known of it yet but what it has from its listener. */
static __always_inline void renew(struct connection *c)
{
	c->opening = c->reported = c->passive = c->waiting = c->closed = c->used = c->corrections = c->seeded = c->holders = 0;
}

static __always_inline int on_connect(struct sock *sk)
{
	struct connection *c = connection_make(sk);

	if (!c)
		return 0;
	renew(c);
	c->unowned = 0;
	c->opening = 1;
	own(c);
	return 0;
}

static __always_inline int on_listen(struct sock *sk)
{
	struct connection *c = bpf_sk_storage_get(&connections, sk, NULL, 0);
	struct listener *l = c ? NULL : listener_make(sk);

	note_listeners();
	if (l) {
		take_owner(&l->owner);
		if (!l->owner.pid)
			COUNT(foreign);
		return 0;
	}
	if (!c)
		c = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		return 0;
	renew(c);
	c->unowned = 0;
	c->ends.cookie = bpf_get_socket_cookie(sk);
	own(c);
	return 0;
}

/* Whose the connection is presumed to be, beside the listener's owner, whom it has from its listener. */
static __always_inline void presume_acceptor(struct connection *c)
{
	struct owner *o = bpf_map_lookup_elem(&acceptors, &c->listener);
	struct process_key key = {};

	if (!o)
		return;
	key.start_ns = o->start_ns;
	key.tgid = o->tgid;
	if (!bpf_map_lookup_elem(&processes, &key)) /* it has ended */
		return;
	c->owner = *o;
	c->has_owner = 1;
}

/* What a connection has from its listener. NULL when there is no memory. */
static __always_inline struct connection *inherit(struct sock *sk)
{
	struct connection *c = connection_make(sk);
	struct listener *l;

	if (!c)
		return NULL;
	renew(c);
	if (!c->socket && c->ends.cookie) { /* a copy of its listener's */
		c->listener = c->ends.cookie;
		return c;
	}
	l = listener_of(sk);
	c->listener = l ? l->cookie : 0;
	c->unowned = !l;
	if (l)
		c->owner = l->owner;
	c->has_owner = l && c->owner.pid;
	return c;
}

static __always_inline void tell_accept(struct connection *c, struct sock *sk)
{
	c->waiting = c->unowned = 0;
	c->used = 1;
	if (!c->has_owner)
		return;
	c->reported = !c->closed;
	emit(&c->owner, &c->ends, sk, KIND(EVENT_ACCEPT, 0), STATES(TCP_SYN_RECV, TCP_ESTABLISHED));
	if (c->closed)
		emit(&c->owner, &c->ends, sk, KIND(EVENT_CLOSE, 0), STATES(TCP_ESTABLISHED, TCP_CLOSE));
}

/* accept() has not come, or was here and left its name: whoever takes the name away tells of it. */
static __always_inline void wait_for_accept(struct connection *c, struct sock *sk)
{
	struct owner *name, o;

	c->waiting = 1;
	name = bpf_map_lookup_elem(&early, &c->ends.cookie);
	if (!name)
		return;
	o = *name;
	if (bpf_map_delete_elem(&early, &c->ends.cookie) < 0)
		return;
	c->owner = o;
	c->has_owner = o.pid != 0;
	tell_accept(c, sk);
}

static __always_inline int on_established(struct sock *sk, int old_state)
{
	struct connection *c = connection_of(sk);

	if (c && (c->opening || old_state == TCP_SYN_SENT)) {
		c->opening = 0;
		take_ends(&c->ends, sk);
		if (!c->has_owner)
			return 0;
		c->listener = 0;
		c->reported = c->used = 1;
		emit(&c->owner, &c->ends, sk, KIND(EVENT_CONNECT, 0), STATES(old_state, TCP_ESTABLISHED));
		return 0;
	}
	if (old_state != TCP_SYN_RECV)
		return 0;
	c = inherit(sk);
	if (!c) {
		COUNT(unowned);
		return 0;
	}
	take_ends(&c->ends, sk);
	c->passive = 1;
	if (have_accept) {
		wait_for_accept(c, sk);
		return 0;
	}
	presume_acceptor(c);
	if (c->has_owner) {
		c->reported = 1;
		emit(&c->owner, &c->ends, sk, KIND(EVENT_ACCEPT, EVENT_PRESUMED), STATES(old_state, TCP_ESTABLISHED));
	}
	return 0;
}

static __always_inline void tell_end(struct connection *c, struct sock *sk, int old_state)
{
	if (c->unowned)
		COUNT(unowned);
	if (!c->has_owner)
		return;
	if (c->reported) {
		c->reported = 0;
		emit(&c->owner, &c->ends, sk, KIND(EVENT_CLOSE, 0), STATES(old_state, TCP_CLOSE));
	} else if (old_state == TCP_SYN_SENT) {
		/* A connect that failed: one connect event whose new state is CLOSE, and no close event. */
		take_ends(&c->ends, sk);
		emit(&c->owner, &c->ends, sk, KIND(EVENT_CONNECT, 0), STATES(old_state, TCP_CLOSE));
	}
}

static __always_inline int on_close(struct sock *sk, int old_state)
{
	struct connection *c;

	if (old_state == TCP_LISTEN) {
		listener_release(sk);
		note_listeners();
		return 0;
	}
	c = connection_of(sk);
	if (!c)
		return 0;
	if (c->waiting) {
		c->closed = 1;
		if (connection_keep(sk, c) < 0)
			COUNT(unowned);
		return 0;
	}
	tell_end(c, sk, old_state);
	connection_release(c);
	return 0;
}

/* Whether what is known of the owner is true of the current process: it may have changed its user since it began to listen. */
static __always_inline bool is_current(const struct owner *o)
{
	__u64 ids = bpf_get_current_uid_gid();

	return o->uid == (__u32)ids && o->gid == (__u32)(ids >> 32) && o->start_ns == bpf_get_current_task_btf()->group_leader->start_time;
}

/* The current process uses the socket: a worker that was forked, a process that was handed the socket. Who closes it without
 * having used it counts only if nobody else has: of several holders, the last one to let go is not the owner for that. */
static __always_inline void on_use(struct sock *sk, bool closes)
{
	struct connection *c = connection_of(sk);
	bool first, presumed;

	if (!c || c->waiting || (!c->unowned && !c->reported) || (closes && c->used))
		return;
	presumed = !c->used && c->passive;
	c->used = 1;
	if (c->has_owner && c->owner.tgid == (__u32)(bpf_get_current_pid_tgid() >> 32) && (!presumed || is_current(&c->owner)))
		return;
	if (bpf_get_current_task_btf()->flags & PF_KTHREAD)
		return;
	first = c->unowned;
	c->unowned = 0;
	if (!own(c)) {
		c->reported = 0;
		return;
	}
	c->reported = 1;
	if (presumed && c->listener)
		bpf_map_update_elem(&acceptors, &c->listener, &c->owner, BPF_ANY);
	if (!first && c->corrections >= CORRECTIONS)
		return;
	c->corrections++;
	if (c->passive)
		emit(&c->owner, &c->ends, sk, KIND(EVENT_ACCEPT, first ? 0 : EVENT_CORRECTED), STATES(TCP_SYN_RECV, TCP_ESTABLISHED));
	else
		emit(&c->owner, &c->ends, sk, KIND(EVENT_STATE, EVENT_CORRECTED), STATES(TCP_ESTABLISHED, TCP_ESTABLISHED));
}

static __always_inline int on_transition(struct sock *sk, int old_state, int new_state)
{
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	switch (new_state) {
	case TCP_SYN_SENT:
		return on_connect(sk);
	case TCP_LISTEN:
		return on_listen(sk);
	case TCP_ESTABLISHED:
		return on_established(sk, old_state);
	case TCP_FIN_WAIT1: /* close() and shutdown(): both in the context of who calls them */
	case TCP_LAST_ACK:
		on_use(sk, true);
		return 0;
	case TCP_CLOSE:
		return on_close(sk, old_state);
	}
	return 0;
}

/* The transitions that say something; a socket that an RST has closed is closed once more by its process. */
static __always_inline bool matters(int old_state, int new_state)
{
	const __u32 states = 1 << TCP_SYN_SENT | 1 << TCP_LISTEN | 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_LAST_ACK | 1 << TCP_CLOSE;

	return old_state != new_state && (states >> (new_state & 31) & 1);
}

/* The kernel does not run a program on a CPU where it is running already (kernel/trace/bpf_trace.c, __bpf_trace_run): what interrupts
 * on_state, and changes the state of another socket, is left to on_nested, which has nothing to do otherwise. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} inside SEC(".maps");

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sk, int old_state, int new_state)
{
	__u32 zero = 0;
	volatile __u32 *here = matters(old_state, new_state) ? bpf_map_lookup_elem(&inside, &zero) : NULL;

	if (!here)
		return 0;
	*here = 1;
	on_transition(sk, old_state, new_state);
	*here = 0;
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_nested, struct sock *sk, int old_state, int new_state)
{
	__u32 zero = 0;
	const volatile __u32 *here = matters(old_state, new_state) ? bpf_map_lookup_elem(&inside, &zero) : NULL;

	return here && *here ? on_transition(sk, old_state, new_state) : 0;
}

/* True when it was established meanwhile, and nobody has told of it. */
static __always_inline bool accepted_early(struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct owner o = {};
	struct connection *c;

	take_owner(&o);
	if (bpf_map_update_elem(&early, &cookie, &o, BPF_ANY) < 0)
		return false;
	c = connection_of(sk);
	return c && c->waiting && bpf_map_delete_elem(&early, &cookie) == 0;
}

static __always_inline int on_accepted(struct sock *sk)
{
	struct connection *c;

	if (!sk || sk->sk_protocol != IPPROTO_TCP)
		return 0;
	c = connection_of(sk);
	if ((!c || !c->waiting) && !accepted_early(sk))
		return 0;
	c = connection_of(sk);
	if (!c)
		return 0;
	own(c);
	tell_accept(c, sk);
	return 0;
}

/* The same function before and since 6.10, told apart by the number of its arguments. */
SEC("fexit/inet_csk_accept")
int BPF_PROG(on_accept4, struct sock *listener, int flags, int *err, bool kern, struct sock *ret)
{
	return on_accepted(ret);
}

SEC("fexit/inet_csk_accept")
int BPF_PROG(on_accept2, struct sock *listener, void *arg, struct sock *ret)
{
	return on_accepted(ret);
}

/* ---- UDP, UDP-Lite, ICMP echo ---- */

static __always_inline bool same_peer(const struct peer *a, const struct peer *b)
{
	const __u64 *x = (const __u64 *)a->remote, *y = (const __u64 *)b->remote;

	return a->family && a->remote_port == b->remote_port && x[0] == y[0] && x[1] == y[1];
}

static __always_inline bool within_rate(struct datagrams *d, unsigned int direction)
{
	__u64 now = bpf_ktime_get_ns();

	if (now - d->window_ns[direction & 1] > 1000000000) {
		d->window_ns[direction & 1] = now;
		d->window_events[direction & 1] = 0;
	}
	return d->window_events[direction & 1]++ < EVENT_PEERS_A_SECOND;
}

/* Reports a use of the socket that is not the last one again, unless it was reported some time. `mine`: by the current
 * process, else by the one that is known. */
static __noinline void report(struct datagrams *d, struct sock *sk, const struct peer *p, unsigned int direction, bool mine)
{
	struct endpoints ends = {};
	struct peer_key key = {};
	__u8 told = 1;

	direction &= 1;
	if (mine)
		take_owner(&d->owner);
	if (!d->owner.pid) {
		COUNT(foreign);
		return;
	}
	key.cookie = d->cookie;
	key.tgid = d->owner.tgid;
	key.direction = (__u16)direction;
	key.remote_port = p->remote_port;
	__builtin_memcpy(key.remote, p->remote, sizeof(key.remote));
	if (bpf_map_lookup_elem(&peers, &key)) {
		d->last[direction] = *p;
		return;
	}
	if (!within_rate(d, direction)) {
		COUNT(suppressed);
		return;
	}
	d->last[direction] = *p;
	bpf_map_update_elem(&peers, &key, &told, BPF_ANY);
	ends.cookie = d->cookie;
	ends.protocol = sk->sk_protocol;
	ends.family = p->family;
	ends.remote_port = p->remote_port;
	__builtin_memcpy(ends.local, p->local, sizeof(ends.local));
	__builtin_memcpy(ends.remote, p->remote, sizeof(ends.remote));
	if (ends.protocol == IPPROTO_ICMP || ends.protocol == IPPROTO_ICMPV6) {
		emit(&d->owner, &ends, sk, KIND(EVENT_ICMP_SEND, 0), 0);
		return;
	}
	ends.local_port = sk->__sk_common.skc_num;
	emit(&d->owner, &ends, sk, KIND(direction == SEND ? EVENT_UDP_SEND : EVENT_UDP_RECEIVE, 0), 0);
}

/* The peer of a connected socket. */
static __always_inline void connected_peer(struct peer *p, struct sock *sk)
{
	p->family = (__u8)sk->__sk_common.skc_family;
	p->pad = 0;
	p->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (p->family == AF_INET6) {
		BPF_CORE_READ_INTO(&p->remote, sk, __sk_common.skc_v6_daddr);
		BPF_CORE_READ_INTO(&p->local, sk, __sk_common.skc_v6_rcv_saddr);
	} else {
		set_v4(p->remote, sk->__sk_common.skc_daddr);
		set_v4(p->local, sk->__sk_common.skc_rcv_saddr);
	}
}

static __always_inline bool is_datagram(__u16 protocol)
{
	return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static __always_inline struct datagrams *datagrams_of(struct sock *sk)
{
	struct datagrams *d = bpf_sk_storage_get(&datagram_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (d && !d->cookie)
		d->cookie = bpf_get_socket_cookie(sk);
	return d;
}

/* The current process has sent a datagram. */
static __always_inline void on_datagram_sent(struct sock *sk)
{
	struct datagrams *d = datagrams_of(sk);
	bool icmp = sk->sk_protocol == IPPROTO_ICMP || sk->sk_protocol == IPPROTO_ICMPV6;
	__u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	struct peer p;

	if (!d)
		return;
	if (sk->__sk_common.skc_dport && !icmp) {
		connected_peer(&p, sk);
		if (d->owner.tgid != tgid || !same_peer(&d->last[SEND], &p))
			report(d, sk, &p, SEND, true);
		return;
	}
	if (d->pending[SEND].family) {
		p = d->pending[SEND];
		d->pending[SEND].family = 0;
		report(d, sk, &p, SEND, true);
		return;
	}
	if (d->owner.tgid != tgid) {
		p = d->last[SEND];
		if (p.family) /* another process goes on with the peer that it had */
			report(d, sk, &p, SEND, true);
		else
			take_owner(&d->owner);
	}
	if (!have_tx_peers && !icmp && !d->unknown_told[SEND]) {
		connected_peer(&p, sk);
		d->unknown_told[SEND] = 1;
		report(d, sk, &p, SEND, true);
	}
	d->owed = !d->last[SEND].family;
}

/* The current process has received a datagram; `p` is where it came from, or NULL when that is not seen here. */
static __always_inline void on_datagram_received(struct sock *sk, const struct peer *p)
{
	struct datagrams *d = datagrams_of(sk);
	__u32 tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	struct peer known = {};

	if (!d)
		return;
	if (p) {
		if (d->owner.tgid != tgid || !same_peer(&d->last[RECEIVE], p))
			report(d, sk, p, RECEIVE, true);
		return;
	}
	if (sk->__sk_common.skc_dport) {
		connected_peer(&known, sk);
		if (d->owner.tgid != tgid || !same_peer(&d->last[RECEIVE], &known))
			report(d, sk, &known, RECEIVE, true);
	} else if (d->pending[RECEIVE].family) {
		known = d->pending[RECEIVE];
		d->pending[RECEIVE].family = 0;
		report(d, sk, &known, RECEIVE, true);
	} else if (d->owner.tgid != tgid) {
		known = d->last[RECEIVE];
		if (known.family) /* another process goes on */
			report(d, sk, &known, RECEIVE, true);
		else
			take_owner(&d->owner);
	}
	if (!have_rx_peers && !sk->__sk_common.skc_dport && !d->unknown_told[RECEIVE]) {
		connected_peer(&known, sk);
		d->unknown_told[RECEIVE] = 1;
		report(d, sk, &known, RECEIVE, true);
	}
}

/* The ends of a packet, `outgoing` or received; -1 when it is none of UDP, UDP-Lite and ICMP echo request. */
static __always_inline int packet_peer(struct sk_buff___attribute *skb, struct peer *p, bool outgoing)
{
	unsigned char *head = skb->head, *ip = head + skb->network_header, *transport = head + skb->transport_header;
	__be16 ports[2];
	__u8 header[48], protocol;
	bool read = false; /* the ports came with the IP header: what is behind it is 8 bytes at least for all three */

	p->pad = 0;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_probe_read_kernel(header, 28, ip) < 0)
			return -1;
		if ((header[6] & 0x1f) || header[7]) /* not the first fragment */
			return -1;
		protocol = header[9];
		p->family = AF_INET;
		__builtin_memset(p->remote, 0, 12);
		__builtin_memset(p->local, 0, 12);
		__builtin_memcpy(p->remote + 12, header + (outgoing ? 16 : 12), 4);
		__builtin_memcpy(p->local + 12, header + (outgoing ? 12 : 16), 4);
		read = header[0] == 0x45; /* no options */
		__builtin_memcpy(ports, header + 20, sizeof(ports));
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_probe_read_kernel(header, 48, ip) < 0)
			return -1;
		protocol = header[6];
		p->family = AF_INET6;
		__builtin_memcpy(p->remote, header + (outgoing ? 24 : 8), 16);
		__builtin_memcpy(p->local, header + (outgoing ? 8 : 24), 16);
		if (protocol == IPPROTO_FRAGMENT) {
			__u8 fragment[8]; /* RFC 8200, 4.5 */

			if (bpf_probe_read_kernel(fragment, 8, ip + 40) < 0 || fragment[2] || (fragment[3] & 0xf8))
				return -1;
			protocol = fragment[0];
			transport = ip + 48;
		} else {
			read = protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE || protocol == IPPROTO_ICMPV6;
			__builtin_memcpy(ports, header + 40, sizeof(ports));
		}
	} else {
		return -1;
	}
	if (!read && bpf_probe_read_kernel(ports, sizeof(ports), transport) < 0)
		return -1;
	p->remote_port = 0;
	if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) {
		p->remote_port = bpf_ntohs(ports[outgoing ? 1 : 0]);
		return 0;
	}
	header[0] = ((__u8 *)ports)[0]; /* the ICMP type */
	if (outgoing && ((protocol == IPPROTO_ICMP && header[0] == 8) || (protocol == IPPROTO_ICMPV6 && header[0] == 128)))
		return 0;
	return -1;
}

/* A packet leaves. Where a datagram of an unconnected socket goes is seen only here; whose it is, sock_send_length tells
 * right after. The first one to a neighbour waits for ARP and leaves later, in whoever's context: then the owner is known. */
SEC("tp_btf/net_dev_queue")
int BPF_PROG(on_queue, struct sk_buff___attribute *skb)
{
	struct sock *sk = skb->sk;
	struct datagrams *d;
	struct peer p;

	if (!sk || sk->__sk_common.skc_state == TCP_TIME_WAIT || sk->__sk_common.skc_state == TCP_NEW_SYN_RECV)
		return 0;
	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return 0;
	if (!is_datagram(sk->sk_protocol))
		return 0;
	if (sk->__sk_common.skc_dport && (sk->sk_protocol == IPPROTO_UDP || sk->sk_protocol == IPPROTO_UDPLITE))
		return 0;
	if (packet_peer(skb, &p, true) < 0)
		return 0;
	d = bpf_sk_storage_get(&datagram_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!d || same_peer(&d->last[SEND], &p))
		return 0;
	if (d->owed) {
		d->owed = 0;
		report(d, sk, &p, SEND, false);
	} else {
		d->pending[SEND] = p;
	}
	return 0;
}

/* Something waits to be received: the last datagram of the queue. The process is not here; it is the one that is known, or
 * sock_recv_length tells. */
SEC("tp_btf/sk_data_ready")
int BPF_PROG(on_ready, struct sock *sk)
{
	__u16 family = sk->__sk_common.skc_family, protocol = sk->sk_protocol;
	struct sk_buff___attribute *skb;
	struct datagrams *d;
	struct peer p;

	if ((family != AF_INET && family != AF_INET6) || (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE) ||
	    sk->__sk_common.skc_dport)
		return 0;
	skb = ((struct sock___queue *)sk)->sk_receive_queue.prev;
	if (!skb || (void *)skb == (void *)sk + bpf_core_field_offset(struct sock___queue, sk_receive_queue))
		return 0; /* received already */
	if (packet_peer(skb, &p, false) < 0)
		return 0;
	d = datagrams_of(sk);
	if (!d || same_peer(&d->last[RECEIVE], &p))
		return 0;
	if (d->owner.pid)
		report(d, sk, &p, RECEIVE, false);
	else
		d->pending[RECEIVE] = p;
	return 0;
}

SEC("fentry/skb_consume_udp")
int BPF_PROG(on_consume, struct sock *sk, struct sk_buff___attribute *skb, int len)
{
	struct peer p;

	if (packet_peer(skb, &p, false) == 0)
		on_datagram_received(sk, &p);
	return 0;
}

/* ---- use of a socket by the current process ---- */

static __always_inline int used(struct sock *sk, int ret, enum direction direction)
{
	__u16 family, protocol;

	if (!sk)
		return 0;
	family = sk->__sk_common.skc_family;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	protocol = sk->sk_protocol;
	if (protocol == IPPROTO_TCP) {
		on_use(sk, false);
		return 0;
	}
	if (ret < 0 || !is_datagram(protocol))
		return 0;
	if (direction == SEND) {
		on_datagram_sent(sk);
	} else if (!skip_receive && (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE)) {
		on_datagram_received(sk, NULL);
	}
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(on_send, struct sock *sk, int ret, int flags)
{
	return used(sk, ret, SEND);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(on_recv, struct sock *sk, int ret, int flags)
{
	return used(sk, ret, RECEIVE);
}

/* Before 6.3 there are no such tracepoints: the functions that they are called for. */
SEC("fexit/inet_sendmsg")
int BPF_PROG(on_sendmsg, struct socket *sock, void *msg, unsigned long size, int ret)
{
	return used(sock->sk, ret, SEND);
}

SEC("fexit/inet6_sendmsg")
int BPF_PROG(on_sendmsg6, struct socket *sock, void *msg, unsigned long size, int ret)
{
	return used(sock->sk, ret, SEND);
}

SEC("fexit/inet_recvmsg")
int BPF_PROG(on_recvmsg, struct socket *sock, void *msg, unsigned long size, int flags, int ret)
{
	return used(sock->sk, ret, RECEIVE);
}

SEC("fexit/inet6_recvmsg")
int BPF_PROG(on_recvmsg6, struct socket *sock, void *msg, unsigned long size, int flags, int ret)
{
	return used(sock->sk, ret, RECEIVE);
}

/* ---- processes ---- */

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct process_key key = {};
	struct owner o;

	owner_of(&o, task);
	if (!o.pid)
		return 0;
	key.start_ns = o.start_ns;
	key.tgid = o.tgid;
	if (note_process(task, &o, bprm) == 0) {
		__u64 no_cgroup = 0; /* it is told of when the process uses a socket */

		bpf_map_update_elem(&processes, &key, &no_cgroup, BPF_ANY);
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct process_key key = { .start_ns = task->group_leader->start_time, .tgid = (__u32)task->tgid };
	struct exit_record *r;

	if (task->pid != task->tgid || !bpf_map_lookup_elem(&processes, &key))
		return 0;
	bpf_map_delete_elem(&processes, &key);
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (!r) {
		COUNT(notes_dropped);
		return 0;
	}
	r->record = RECORD_EXIT;
	r->pid = visible_pid(task);
	r->start_ns = key.start_ns;
	submit(r);
	return 0;
}

/* ---- what was there before the daemon ---- */

volatile __u32 iterate = 0; /* enum iterate; set by user space before it reads */

SEC("iter/task")
int on_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct process_key key = {};
	struct process_seed seed = {};
	struct owner o;

	if (!task || task->pid != task->tgid || !task->mm)
		return 0;
	owner_of(&o, task);
	if (!o.pid)
		return 0;
	note_cgroup(task, o.cgroup);
	key.start_ns = o.start_ns;
	key.tgid = o.tgid;
	bpf_map_update_elem(&processes, &key, &o.cgroup, BPF_ANY);
	seed.start_ns = o.start_ns;
	seed.pid = o.pid;
	bpf_seq_write(ctx->meta->seq, &seed, sizeof(seed));
	return 0;
}

static __always_inline void holder_of(struct owner *o, struct task_struct *task)
{
	owner_of(o, task);
	o->uid = BPF_CORE_READ(task, cred, uid.val);
	o->gid = BPF_CORE_READ(task, cred, gid.val);
}

/* Listens, or is connected one way or the other. */
static __always_inline bool has_life(__u8 state)
{
	return state == TCP_LISTEN || state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT || state == TCP_SYN_SENT ||
	       state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/* Processes come in the order of their numbers, so the lowest that holds a socket is its owner. */
static __always_inline void seed_connection(struct sock *sk, struct task_struct *task, __u8 state)
{
	struct connection *c = connection_of(sk);
	struct listener *l = !c && state == TCP_LISTEN ? listener_make(sk) : NULL;
	struct owner o;

	if (l) {
		if (l->owner.pid)
			return;
		holder_of(&l->owner, task);
		if (l->owner.pid)
			COUNT(seeded);
		return;
	}
	if (!has_life(state))
		return;
	if (!c)
		c = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		return;
	if (c->has_owner || c->unowned) {
		if (c->seeded && c->last_holder != (__u32)task->tgid && c->holders < 255) {
			c->holders++;
			c->last_holder = (__u32)task->tgid;
		}
		return;
	}
	holder_of(&o, task);
	if (!o.pid)
		return;
	c->owner = o;
	take_ends(&c->ends, sk);
	c->has_owner = c->seeded = c->holders = 1;
	c->last_holder = o.tgid;
	c->reported = state != TCP_LISTEN && state != TCP_SYN_SENT;
	COUNT(seeded);
}

static __always_inline void seed_datagrams(struct sock *sk, struct task_struct *task)
{
	struct datagrams *d = bpf_sk_storage_get(&datagram_sockets, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!d || d->owner.pid)
		return;
	holder_of(&d->owner, task);
	if (d->owner.pid)
		COUNT(seeded);
}

static __always_inline void write_listener(struct seq_file *seq, struct sock *sk, struct task_struct *task)
{
	struct listener_record r = {};
	struct endpoints ends = {};
	struct owner o;

	holder_of(&o, task);
	if (!o.pid)
		return;
	note_cgroup(task, o.cgroup);
	take_ends(&ends, sk);
	r.cookie = ends.cookie;
	r.start_ns = o.start_ns;
	r.cgroup = o.cgroup;
	r.pid = o.pid;
	r.uid = o.uid;
	r.gid = o.gid;
	r.netns = netns_of(sk);
	r.port = ends.local_port;
	r.protocol = ends.protocol;
	r.family = ends.family;
	__builtin_memcpy(r.local, ends.local, sizeof(r.local));
	__builtin_memcpy(r.comm, o.comm, sizeof(r.comm));
	bpf_seq_write(seq, &r, sizeof(r));
}

static __always_inline void announce(struct seq_file *seq, struct sock *sk, __u8 state)
{
	struct connection *c = connection_of(sk);
	struct attribution_event e = {};

	if (!c || !c->seeded || c->announced || !c->reported)
		return;
	fill(&e, &c->owner, &c->ends, sk);
	e.kind = EVENT_STATE;
	e.flags = EVENT_SEEDED;
	e.holders = c->holders;
	e.old_state = e.new_state = state;
	if (bpf_seq_write(seq, &e, sizeof(e)) == 0) { /* else it comes again in the next buffer */
		c->announced = 1;
		COUNT(produced);
	}
}

SEC("iter/task_file")
int on_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *sock;
	struct sock *sk;
	__u16 family, protocol;
	__u8 state;

	if (!task || !file)
		return 0;
	sock = bpf_sock_from_file(file);
	if (!sock)
		return 0;
	sk = sock->sk;
	if (!sk)
		return 0;
	family = sk->__sk_common.skc_family;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	protocol = sk->sk_protocol;
	state = sk->__sk_common.skc_state;
	if (protocol == IPPROTO_TCP) {
		if (iterate & ITERATE_SEED)
			seed_connection(sk, task, state);
		if ((iterate & ITERATE_LISTENERS) && state == TCP_LISTEN)
			write_listener(ctx->meta->seq, sk, task);
		if (iterate & ITERATE_ANNOUNCE)
			announce(ctx->meta->seq, sk, state);
	} else if (protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE) {
		if (iterate & ITERATE_SEED)
			seed_datagrams(sk, task);
		if ((iterate & ITERATE_LISTENERS) && !sk->__sk_common.skc_dport && sk->__sk_common.skc_num)
			write_listener(ctx->meta->seq, sk, task);
	}
	return 0;
}
