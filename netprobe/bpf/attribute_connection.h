/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is known of TCP sockets, and where it is kept.
 *
 * A socket's own storage (net/core/bpf_sk_storage.c) is exact, but memory is taken and given back for each connection: 1.2 us at each of its
 * ends. So what is known lies in a slot that the socket's address tells, and in the storage only when another socket has that slot.
 * Of the listeners of a port one lies in a slot as well; any further one has its storage, which its connections get a copy of
 * (BPF_F_CLONE). */
#pragma once

#include "attribute_owner.h"

#define SLOT_BITS     14
#define LISTENER_BITS 12

struct endpoints {
	__u64 cookie;
	__u8 local[16], remote[16];
	__u16 local_port, remote_port;
	__u16 protocol;
	__u8 family, pad;
};

/* Everything known of a TCP socket; the tuple is kept, because skc_num is 0 again at CLOSE. */
struct connection {
	__u64 socket;     /* whose slot it is (slot_of), 0: nobody's; always 0 in a socket's storage */
	struct owner owner;
	struct endpoints ends;
	__u8 has_owner;   /* the process is visible to the daemon */
	__u8 opening;     /* connect() was called, and has not succeeded yet */
	__u8 reported;    /* a connect or accept event went out, so a close event has to */
	__u8 passive;
	__u8 unowned;     /* accepted by a listener that has no owner: who it is, its first use will tell */
	__u8 waiting;     /* established, and accept() has not come yet */
	__u8 closed;      /* it was closed while it waited */
	__u8 used;        /* its owner has sent or received, or accepted it for sure: who only closes it changes nothing */
	__u8 corrections;
	__u8 seeded, announced, holders; /* found by the iterator; seen by the daemon; processes that hold it */
	__u32 last_holder;
	__u64 listener;   /* passive: its listener's cookie; 0: not known */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << SLOT_BITS);
	__type(key, __u32);
	__type(value, struct connection);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct connection);
} connections SEC(".maps");

struct listener {
	__u64 cookie; /* 0: nobody's */
	__u32 netns;
	__u16 port, pad;
	struct owner owner; /* `pid` 0: not visible to the daemon */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << LISTENER_BITS);
	__type(key, __u32);
	__type(value, struct listener);
} listeners SEC(".maps");

static __always_inline __u32 netns_of(struct sock *sk)
{
	struct sock_common___net *common = (struct sock_common___net *)&sk->__sk_common;

	return common->skc_net.net->ns.inum;
}

static __always_inline __u16 local_port_of(struct sock *sk)
{
	__u16 port = sk->__sk_common.skc_num;

	return port ? port : bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport)); /* 0: it is closed already */
}

/* What two numbers say is spread over so many bits (Knuth, The Art of Computer Programming, vol. 3, 6.4: multiplicative hashing). */
static __always_inline __u32 spread(__u64 number, unsigned int bits)
{
	return (__u32)(number * 0x9e3779b97f4a7c15ull >> (64 - bits));
}

/* The slot that a socket has, if no other one has it; `address` is the socket's number there. NULL: there is none. */
static __always_inline struct connection *slot_of(struct sock *sk, __u64 *address)
{
	__u32 i = 0;
	struct connection *first = bpf_map_lookup_elem(&slots, &i);

	if (!first)
		return NULL;
	*address = (__u64)sk - (__u64)first; /* the verifier lets nobody compute with a pointer, but how far two are apart is a number */
	barrier_var(*address);
	i = spread(*address >> 6, SLOT_BITS);
	return bpf_map_lookup_elem(&slots, &i);
}

/* What is known of a socket, or NULL. */
static __always_inline struct connection *connection_of(struct sock *sk)
{
	__u64 address;
	struct connection *c = slot_of(sk, &address);

	return c && c->socket == address ? c : bpf_sk_storage_get(&connections, sk, NULL, 0);
}

/* The socket is closed, and nothing is to be known of it any more. What is in its storage stays there: it goes with the socket. */
static __always_inline void connection_release(struct connection *c)
{
	__u64 address = c->socket;

	if (address)
		__sync_val_compare_and_swap(&c->socket, address, 0); /* all writes before it are seen before it */
}

/* Room for what is going to be known of a socket; what was known of it, or of one whose end was missed, may still be there. NULL when
 * there is no memory. */
static __always_inline struct connection *connection_make(struct sock *sk)
{
	struct connection *c = bpf_sk_storage_get(&connections, sk, NULL, 0), *slot;
	__u64 address;
	bool mine;

	slot = slot_of(sk, &address);
	mine = slot && slot->socket == address;
	if (c) {
		if (mine)
			connection_release(slot);
		return c;
	}
	if (mine || (slot && __sync_val_compare_and_swap(&slot->socket, 0, address) == 0))
		return slot;
	return bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
}

/* What is known stays for as long as the socket does. -1 when there is no memory. */
static __always_inline int connection_keep(struct sock *sk, struct connection *c)
{
	struct connection *kept;

	if (!c->socket)
		return 0;
	kept = bpf_sk_storage_get(&connections, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (kept) {
		__builtin_memcpy(kept, c, sizeof(*kept));
		kept->socket = 0;
	}
	connection_release(c);
	return kept ? 0 : -1;
}

static __always_inline struct listener *listener_at(__u32 netns, __u16 port)
{
	__u32 i = spread((__u64)netns << 16 | port, LISTENER_BITS);

	return port ? bpf_map_lookup_elem(&listeners, &i) : NULL;
}

/* The listener in the slot of this socket's port; NULL when another one has the slot, or none. */
static __always_inline struct listener *listener_of(struct sock *sk)
{
	__u32 netns = netns_of(sk);
	__u16 port = local_port_of(sk);
	struct listener *l = listener_at(netns, port);

	return l && l->cookie && l->netns == netns && l->port == port ? l : NULL;
}

/* The slot of its port for a listener; without an owner, if the slot was free. NULL: another one has it, or the port is not known yet. */
static __always_inline struct listener *listener_make(struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	__u32 netns = netns_of(sk);
	__u16 port = sk->__sk_common.skc_num;
	struct listener *l = listener_at(netns, port);

	if (!l || l->cookie == cookie)
		return l;
	if (__sync_val_compare_and_swap(&l->cookie, 0, cookie) != 0)
		return NULL;
	l->netns = netns;
	l->port = port;
	l->owner.pid = 0;
	return l;
}

static __always_inline void listener_release(struct sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct listener *l = listener_at(netns_of(sk), local_port_of(sk));

	if (l)
		__sync_val_compare_and_swap(&l->cookie, cookie, 0);
}
