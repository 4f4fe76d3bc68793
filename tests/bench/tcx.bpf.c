/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The reference of tests/bench/tap: the least that a flow counter on TCX does. LRU hash, 40-byte key, time of the last packet. */
#include "vmlinux_tap.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct key {
	__u8 source[16], destination[16];
	__be16 source_port, destination_port;
	__u8 protocol, family;
	__u8 pad[2];
};
struct value {
	__u64 packets, bytes, first, last;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct key);
	__type(value, struct value);
} flows SEC(".maps");

static __always_inline int count(struct __sk_buff *skb)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *end = (const __u8 *)(long)skb->data_end, *l4;
	struct key key = {};
	struct value *v, fresh = {};
	__u64 now;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (data + 14 + 20 + 4 > end)
			return -1;
		key.family = AF_INET;
		key.protocol = data[14 + 9];
		__builtin_memcpy(&key.source[12], data + 14 + 12, 4);
		__builtin_memcpy(&key.destination[12], data + 14 + 16, 4);
		l4 = data + 14 + 20;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (data + 14 + 40 + 4 > end)
			return -1;
		key.family = AF_INET6;
		key.protocol = data[14 + 6];
		__builtin_memcpy(key.source, data + 14 + 8, 16);
		__builtin_memcpy(key.destination, data + 14 + 24, 16);
		l4 = data + 14 + 40;
	} else {
		return -1;
	}
	__builtin_memcpy(&key.source_port, l4, 4);
	now = bpf_ktime_get_ns();
	v = bpf_map_lookup_elem(&flows, &key);
	if (v) {
		__sync_fetch_and_add(&v->packets, 1);
		__sync_fetch_and_add(&v->bytes, skb->len);
		v->last = now;
		return -1;
	}
	fresh.packets = 1;
	fresh.bytes = skb->len;
	fresh.first = fresh.last = now;
	bpf_map_update_elem(&flows, &key, &fresh, BPF_NOEXIST);
	return -1; /* TCX_NEXT */
}

SEC("tc")
int reference(struct __sk_buff *skb)
{
	return count(skb);
}
