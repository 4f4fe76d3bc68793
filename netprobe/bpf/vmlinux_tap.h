/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel types that the tap touches, and of them only the members it reads; as vmlinux_min.h. */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef _Bool bool;

enum { false = 0, true = 1 };

/* include/uapi/linux/bpf.h: the numbers are ABI. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_MMAPABLE = 1U << 10,
	BPF_RB_NO_WAKEUP = 1U << 0,
	BPF_RB_FORCE_WAKEUP = 1U << 1,
	BPF_RB_AVAIL_DATA = 0,
};

#define AF_INET  2
#define AF_INET6 10
#define EEXIST   17

enum {
	IPPROTO_HOPOPTS = 0,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_DCCP = 33,
	IPPROTO_ROUTING = 43,
	IPPROTO_FRAGMENT = 44,
	IPPROTO_AH = 51,
	IPPROTO_DSTOPTS = 60,
	IPPROTO_SCTP = 132,
	IPPROTO_MH = 135,
	IPPROTO_UDPLITE = 136,
};

enum { ETH_P_IP = 0x0800, ETH_P_8021Q = 0x8100, ETH_P_IPV6 = 0x86dd, ETH_P_8021AD = 0x88a8, ETH_HLEN = 14, VLAN_HLEN = 4 };

/* include/uapi/linux/if_packet.h */
enum { PACKET_OUTGOING = 4, PACKET_LOOPBACK = 5 };

/* include/linux/skbuff.h: the tunnels, SKB_GSO_GRE to SKB_GSO_UDP_TUNNEL_CSUM */
#define GSO_TUNNELS 0xfc0

/* include/uapi/linux/bpf.h, as far as the filter reads it. The order is ABI. */
struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	__u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id;
	__u32 family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port;
	__u32 data_meta;
	__u64 flow_keys, tstamp;
	__u32 wire_len, gso_segs;
	__u64 sk;
	__u32 gso_size;
};

struct bpf_dynptr {
	__u64 opaque[2];
} __attribute__((aligned(8)));

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	int ifindex;
	possible_net_t nd_net;
};

struct sk_buff {
	unsigned int len, data_len;
	__u8 pkt_type : 3;
	__u16 vlan_tci;
	__u32 vlan_all;
	__u16 inner_transport_header;
	__be16 protocol;
	__u16 network_header, mac_header;
	unsigned int end;
	unsigned char *head, *data;
	struct net_device *dev;
};

/* Before Linux 6.1 a bit said whether there is a tag. */
struct sk_buff___old {
	__u8 vlan_present : 1;
};

struct skb_shared_info {
	unsigned short gso_size, gso_segs;
	unsigned int gso_type;
};

/* Headers, whose layout is on the wire. The cast wants the kernel's type, complete here; we read them by types of our own. */
struct ethhdr {
	__be16 h_proto;
};
struct iphdr {
	__u8 ttl;
};
struct ipv6hdr {
	__u8 hop_limit;
};
struct tcphdr {
	__be16 source;
};

#pragma clang attribute pop

struct bpf_map;
