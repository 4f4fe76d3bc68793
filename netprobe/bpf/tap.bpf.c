/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The taps: every packet of the watched interfaces is counted in its flow, nothing is queued, delayed or changed.
 *
 * Two tracepoints, each as two programs: `received` and `sent` need kfuncs (bpf_rdonly_cast, bpf_dynptr_from_skb in a tracing
 * program), `received_plain` and `sent_plain` do without, but hand up only what is linear in the sk_buff. Or one socket
 * filter, `filter`, which sees both directions and keeps no packet. `filter` also is the receiving side of interfaces
 * whose packets the tracepoint sees under the name of another one. */
#include "vmlinux_tap.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "tap_parse.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline struct tap_interface *watched(__u32 ifindex, __u32 *place)
{
	__u32 home = ifindex % TAP_INTERFACE_SLOTS;
	struct tap_interface *in = &interfaces[home];

	*place = home;
	if (in->ifindex == ifindex)
		return in;
	if (in->probes == 0)
		return NULL;
	for (__u32 i = 1; i < TAP_INTERFACE_PROBES; i++) {
		*place = (home + i) % TAP_INTERFACE_SLOTS;
		in = &interfaces[*place];
		if (in->ifindex == ifindex)
			return in;
	}
	return NULL;
}

static __always_inline struct tap_interface *watched_device(const struct net_device *dev, __u32 *place)
{
	return dev->nd_net.net->ns.inum == own_netns ? watched((__u32)dev->ifindex, place) : NULL;
}

/* Frames in which no flow is. */
static __noinline int count_other(int what, __u32 bytes)
{
	struct tap_counters *c = my_counters();

	if (!c)
		return 0;
	c->packets++;
	c->bytes += bytes;
	if (what == NOT_IP) {
		c->not_ip_packets++;
		c->not_ip_bytes += bytes;
	} else {
		c->malformed_packets++;
		c->malformed_bytes += bytes;
	}
	return 0;
}

/* ---- tracepoints ---- */

static __always_inline bool tagged(const struct sk_buff *skb)
{
	if (bpf_core_field_exists(skb->vlan_all))
		return skb->vlan_all != 0;
	return BPF_CORE_READ_BITFIELD((const struct sk_buff___old *)skb, vlan_present);
}

static __noinline int parse_unusual_kfunc(struct sk_buff *skb, struct seen *s, struct frame *f, __u32 *headers)
{
	return parse_unusual(skb, BY_KFUNC, s, f, headers);
}

static __noinline int parse_unusual_probe(struct sk_buff *skb, struct seen *s, struct frame *f, __u32 *headers)
{
	return parse_unusual(skb, BY_PROBE, s, f, headers);
}

static __noinline int table_kfunc(struct sk_buff *skb, struct seen *s, struct tap_interface *in)
{
	return s ? count_in_table(skb, BY_KFUNC, s, in) : 0;
}

static __noinline int table_probe(struct sk_buff *skb, struct seen *s, struct tap_interface *in)
{
	return s ? count_in_table(skb, BY_PROBE, s, in) : 0;
}

/* With a tunnel's segmentation each segment has the inner headers too. */
static __noinline int tunnel_headers(const struct sk_buff *skb, __u32 gso_type)
{
	__u32 at = skb->inner_transport_header - (__u32)(skb->data - skb->head), header = UDP_HEADER;
	__u8 length = 0;

	if (gso_type & 0x11) { /* SKB_GSO_TCPV4, SKB_GSO_TCPV6 */
		(void)bpf_probe_read_kernel(&length, 1, skb->head + skb->inner_transport_header + 12);
		header = (length >> 4) * 4;
	}
	return (int)(at + header);
}

static __always_inline void segments(const struct sk_buff *skb, enum how how, struct seen *s, __u32 link, __u32 headers)
{
	const unsigned char *end = skb->head + skb->end;
	__u32 size, type;

	if (how == BY_KFUNC) {
		const struct skb_shared_info *info = bpf_rdonly_cast(end, bpf_core_type_id_kernel(struct skb_shared_info));

		size = info->gso_size;
		if (size == 0)
			return;
		type = info->gso_type;
		if (type & GSO_TUNNELS)
			headers = link - s->ip_at + (__u32)tunnel_headers(skb, type);
		count_segments(s, size, info->gso_segs, headers);
	} else {
		const struct skb_shared_info *info = (const struct skb_shared_info *)end;

		size = BPF_CORE_READ(info, gso_size);
		if (size == 0)
			return;
		type = BPF_CORE_READ(info, gso_type);
		if (type & GSO_TUNNELS)
			headers = link - s->ip_at + (__u32)tunnel_headers(skb, type);
		count_segments(s, size, BPF_CORE_READ(info, gso_segs), headers);
	}
}

static __always_inline int count(struct sk_buff *skb, enum how how, struct tap_interface *in, struct seen *s, struct frame f)
{
	__u32 headers = 0, tag = tagged(skb) ? VLAN_HLEN : 0;
	int r = NOT_COMMON;

	s->packets = 1;
	s->wire_bytes += tag;
	f.link += tag;
	s->words[0] = FLOW_KEY_WORD(own_netns, in->ifindex);
	if (how == BY_KFUNC) {
		r = parse_direct(skb, s, f, &headers);
	}
	if (r == NOT_COMMON) {
		struct frame of = f;
		__u32 length = 0;

		r = how == BY_KFUNC ? parse_unusual_kfunc(skb, s, &of, &length) : parse_unusual_probe(skb, s, &of, &length);
		f.link = of.link;
		headers = length;
	}
	if (r == PARSED)
		segments(skb, how, s, f.link, headers);
	if (r != PARSED)
		(void)count_other(r, s->wire_bytes);
	else if (count_in_cache(s, in))
		return 0;
	else if (how == BY_KFUNC)
		(void)table_kfunc(skb, s, in);
	else
		(void)table_probe(skb, s, in);
	return 0;
}

static __always_inline int on_receive(struct sk_buff *skb, enum how how)
{
	struct seen s;
	struct frame f;
	struct tap_interface *in = watched_device(skb->dev, &s.place);
	__u32 flags;

	if (!in)
		return 0;
	flags = in->flags;
	if (flags & (TAP_IF_LOOPBACK | TAP_IF_RECEIVED_BY_SOCKET))
		return 0;
	/* The link layer's header has been pulled; the network header is not set yet (__netif_receive_skb_core). */
	f.link = (__u32)(skb->data - skb->head) - skb->mac_header;
	if (!(flags & TAP_IF_ETHERNET) && f.link > 64)
		f.link = 0; /* never set */
	/* What the host sent to a multicast group comes back to its own listeners: it was not received. */
	if (BPF_CORE_READ_BITFIELD(skb, pkt_type) == PACKET_LOOPBACK)
		return 0;
	f.bytes = skb->len;
	f.linear = skb->len - skb->data_len;
	f.protocol = skb->protocol;
	s.ip_at = 0;
	s.wire_bytes = skb->len + f.link;
	return count(skb, how, in, &s, f);
}

static __always_inline int on_send(struct sk_buff *skb, const struct net_device *dev, enum how how)
{
	struct seen s;
	struct frame f;
	struct tap_interface *in = watched_device(dev, &s.place);

	if (!in)
		return 0;
	if (in->flags & TAP_IF_ETHERNET) {
		s.ip_at = ETH_HLEN;
		if (how == BY_KFUNC) {
			const struct eth_wire *eth = bpf_rdonly_cast(skb->data, bpf_core_type_id_kernel(struct ethhdr));

			f.protocol = eth->protocol;
		} else {
			f.protocol = 0;
			(void)bpf_probe_read_kernel(&f.protocol, sizeof(f.protocol), skb->data + 12);
		}
	} else {
		s.ip_at = skb->network_header - (__u32)(skb->data - skb->head);
		if (s.ip_at > skb->len)
			s.ip_at = 0;
		f.protocol = skb->protocol;
	}
	f.link = s.ip_at;
	f.bytes = skb->len > s.ip_at ? skb->len - s.ip_at : 0;
	f.linear = skb->len - skb->data_len > s.ip_at ? skb->len - skb->data_len - s.ip_at : 0;
	s.wire_bytes = skb->len;
	return count(skb, how, in, &s, f);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(received, struct sk_buff *skb)
{
	return on_receive(skb, BY_KFUNC);
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(sent, struct sk_buff *skb, struct net_device *dev)
{
	return on_send(skb, dev, BY_KFUNC);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(received_plain, struct sk_buff *skb)
{
	return on_receive(skb, BY_PROBE);
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(sent_plain, struct sk_buff *skb, struct net_device *dev)
{
	return on_send(skb, dev, BY_PROBE);
}

/* ---- socket filter ---- */

static __noinline int filter_parse(struct __sk_buff *skb, struct seen *s, struct frame *f, __u32 *headers)
{
	return parse_unusual(skb, BY_SOCKET, s, f, headers);
}

static __noinline int filter_table(struct __sk_buff *skb, struct seen *s, struct tap_interface *in)
{
	return s ? count_in_table(skb, BY_SOCKET, s, in) : 0;
}

/* The socket is a SOCK_RAW one: the data begins with the link layer's header. Keeps nothing: 0. */
SEC("socket")
int filter(struct __sk_buff *skb)
{
	struct tap_interface *in;
	__u32 headers = 0, type = skb->pkt_type;
	struct seen s;
	struct frame f;
	int r;

	in = watched(skb->ifindex, &s.place);
	if (!in || type == PACKET_LOOPBACK || ((in->flags & TAP_IF_LOOPBACK) && type != PACKET_OUTGOING))
		return 0;
	s.ip_at = 0;
	f.protocol = (__be16)skb->protocol;
	if (in->flags & TAP_IF_ETHERNET) {
		s.ip_at = ETH_HLEN;
		(void)bpf_skb_load_bytes(skb, 12, &f.protocol, sizeof(f.protocol));
	}
	f.link = s.ip_at;
	f.bytes = f.linear = skb->len > s.ip_at ? skb->len - s.ip_at : 0;
	s.wire_bytes = skb->len;
	if (skb->vlan_present) {
		s.wire_bytes += VLAN_HLEN;
		f.link += VLAN_HLEN;
	}
	s.packets = 1;
	s.words[0] = FLOW_KEY_WORD(own_netns, in->ifindex);
	r = filter_parse(skb, &s, &f, &headers);
	if (r == PARSED)
		count_segments(&s, skb->gso_size, skb->gso_segs, headers);
	if (r != PARSED)
		(void)count_other(r, s.wire_bytes);
	else if (!count_in_cache(&s, in))
		(void)filter_table(skb, &s, in);
	return 0;
}
