/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/link.h"

#include "netprobe/bytes.h"

#define VLAN_TAGS_MAX   4
#define MPLS_LABELS_MAX 8

/* EtherTypes, as IEEE registers them. */
enum {
	ETHERTYPE_LENGTH_MAX = 0x5dc, /* up to here the field is a length: IEEE 802.3 with LLC */
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_MULTICAST = 0x8848,
	ETHERTYPE_PPPOE_SESSION = 0x8864,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_QINQ_OLD = 0x9100,
	ETHERTYPE_QINQ_OLDER = 0x9200,
};

/* Protocol numbers of PPP, RFC 1661 section 2 and the registry that it founds. */
enum { PPP_IPV4 = 0x0021, PPP_IPV6 = 0x0057, PPP_MPLS = 0x0281 };

static enum packet_result skip(struct span *s, size_t n)
{
	if (s->size < n)
		return PACKET_TRUNCATED;
	s->data += n;
	s->size -= n;
	return PACKET_OK;
}

static enum packet_result by_version(const struct span *s)
{
	unsigned version;

	if (!s->size)
		return PACKET_TRUNCATED;
	version = s->data[0] >> 4;
	return version == 4 || version == 6 ? PACKET_OK : PACKET_NOT_IP;
}

/* Labels to the bottom of the stack (RFC 3032 section 2.1); what follows tells itself by its version. */
static enum packet_result mpls(struct span *s)
{
	for (unsigned i = 0; i < MPLS_LABELS_MAX; i++) {
		if (s->size < 4)
			return PACKET_TRUNCATED;
		bool bottom = s->data[2] & 1;

		(void)skip(s, 4);
		if (bottom)
			return by_version(s);
	}
	return PACKET_NOT_IP;
}

/* The protocol may be in one byte when it is odd (RFC 1661 section 6.5). */
static enum packet_result ppp_protocol(struct span *s)
{
	unsigned protocol;

	if (s->size < 2)
		return PACKET_TRUNCATED;
	if (s->data[0] & 1) {
		protocol = s->data[0];
		(void)skip(s, 1);
	} else {
		protocol = get_be16(s->data);
		(void)skip(s, 2);
	}
	switch (protocol) {
	case PPP_IPV4:
	case PPP_IPV6:
		return by_version(s);
	case PPP_MPLS:
		return mpls(s);
	default:
		return PACKET_NOT_IP;
	}
}

/* RFC 2516 section 4: version, type, code, session, length. */
static enum packet_result pppoe(struct span *s)
{
	if (s->size < 6)
		return PACKET_TRUNCATED;
	if (s->data[0] != 0x11 || s->data[1] != 0)
		return PACKET_NOT_IP;
	(void)skip(s, 6);
	return ppp_protocol(s);
}

/* LLC with SNAP (RFC 1042): AA AA 03, organization 0, EtherType. Leaves the EtherType's payload. */
static enum packet_result llc_snap(struct span *s, unsigned *type)
{
	if (s->size < 8)
		return PACKET_TRUNCATED;
	if (get_be32(s->data) != 0xaaaa0300 || s->data[4] || s->data[5])
		return PACKET_NOT_IP;
	*type = get_be16(s->data + 6);
	return skip(s, 8);
}

/* From behind an EtherType: VLAN tags, then what carries IP. */
static enum packet_result ethertype(struct span *s, unsigned type)
{
	unsigned tags = 0;

	if (type <= ETHERTYPE_LENGTH_MAX) {
		enum packet_result r = llc_snap(s, &type);

		if (r != PACKET_OK)
			return r;
	}
	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ || type == ETHERTYPE_QINQ_OLD || type == ETHERTYPE_QINQ_OLDER) {
		if (tags++ == VLAN_TAGS_MAX)
			return PACKET_MALFORMED;
		if (s->size < 4)
			return PACKET_TRUNCATED;
		type = get_be16(s->data + 2);
		(void)skip(s, 4);
	}
	switch (type) {
	case ETHERTYPE_IPV4:
	case ETHERTYPE_IPV6:
		return s->size ? PACKET_OK : PACKET_TRUNCATED;
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_MULTICAST:
		return mpls(s);
	case ETHERTYPE_PPPOE_SESSION:
		return pppoe(s);
	default:
		return PACKET_NOT_IP;
	}
}

static enum packet_result ethernet(struct span *s)
{
	unsigned type;

	if (s->size < 14)
		return PACKET_TRUNCATED;
	type = get_be16(s->data + 12);
	(void)skip(s, 14);
	return ethertype(s, type);
}

/* HDLC-like framing (RFC 1662 section 3.1) may begin with address FF and control 03; Cisco's with 0F or 8F and 00, then an
 * EtherType. */
static enum packet_result ppp(struct span *s)
{
	if (s->size < 2)
		return PACKET_TRUNCATED;
	if ((s->data[0] == 0x0f || s->data[0] == 0x8f) && s->data[1] == 0) {
		unsigned type;

		if (s->size < 4)
			return PACKET_TRUNCATED;
		type = get_be16(s->data + 2);
		(void)skip(s, 4);
		return type > ETHERTYPE_LENGTH_MAX ? ethertype(s, type) : PACKET_NOT_IP;
	}
	if (s->data[0] == 0xff && s->data[1] == 0x03)
		(void)skip(s, 2);
	return ppp_protocol(s);
}

/* IEEE 802.11-2020 section 9.2.4. `padded`: the header is padded to four bytes before the body (radiotap's flag). */
static enum packet_result ieee80211(struct span *s, bool padded)
{
	size_t header = 24;
	unsigned type;
	enum packet_result r;

	if (s->size < 2)
		return PACKET_TRUNCATED;
	const uint8_t control = s->data[0], flags = s->data[1];

	if ((control & 0x0f) != 0x08 || (control & 0x40)) /* no data frame, or one without data */
		return PACKET_NOT_IP;
	if (flags & 0x40) /* encrypted */
		return PACKET_NOT_IP;
	if ((flags & 0x03) == 0x03) /* to and from a distribution system: a fourth address */
		header += 6;
	bool aggregate = false;

	if (control & 0x80) { /* QoS control */
		if (s->size < header + 2)
			return PACKET_TRUNCATED;
		aggregate = s->data[header] & 0x80;
		header += 2;
		if (flags & 0x80) /* HT control */
			header += 4;
	}
	if (padded)
		header = (header + 3) & ~(size_t)3;
	if (aggregate) /* A-MSDU: the first of its frames */
		header += 14;
	r = skip(s, header);
	if (r == PACKET_OK)
		r = llc_snap(s, &type);
	return r == PACKET_OK ? ethertype(s, type <= ETHERTYPE_LENGTH_MAX ? 0xffff : type) : r;
}

/* https://www.radiotap.org: version, pad, length, presence words; of the fields only the flags matter. */
static enum packet_result radiotap(struct span *s)
{
	size_t length, at = 4;
	uint8_t flags = 0;

	if (s->size < 8)
		return PACKET_TRUNCATED;
	length = get_le16(s->data + 2);
	if (s->data[0] != 0 || length < 8)
		return PACKET_MALFORMED;
	if (s->size < length)
		return PACKET_TRUNCATED;
	const uint32_t present = get_le32(s->data + 4);

	while (at + 4 <= length && (get_le32(s->data + at) & 0x80000000u))
		at += 4;
	at += 4;
	if (present & 1) /* TSFT: eight bytes, aligned to eight */
		at = ((at + 7) & ~(size_t)7) + 8;
	if ((present & 2) && at < length)
		flags = s->data[at];
	(void)skip(s, length);
	return ieee80211(s, flags & 0x20);
}

/* The protocol family of the system that captured, in its byte order or (LOOP) in network order: what it says beyond "some
 * number that stands for IP" the version tells better, for the numbers differ between systems. */
static enum packet_result bsd_loopback(struct span *s)
{
	uint32_t family;

	if (s->size < 4)
		return PACKET_TRUNCATED;
	family = get_be32(s->data);
	if (family > 0xffff)
		family = get_le32(s->data);
	(void)skip(s, 4);
	switch (family) {
	case 2:  /* AF_INET everywhere */
	case 10: /* AF_INET6: Linux */
	case 23: /* Windows */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* Darwin */
		return by_version(s);
	default:
		return PACKET_NOT_IP;
	}
}

static enum packet_result linux_cooked(struct span *s, size_t header, size_t type_at)
{
	unsigned type;

	if (s->size < header)
		return PACKET_TRUNCATED;
	type = get_be16(s->data + type_at);
	(void)skip(s, header);
	return type == 4 ? ethertype(s, 0) /* LLC */ : type > ETHERTYPE_LENGTH_MAX ? ethertype(s, type) : PACKET_NOT_IP;
}

/* Per-Packet Information: version, flags, length, the link type of what follows. */
static enum packet_result per_packet_information(struct span *s, int *link_type)
{
	size_t length;

	if (s->size < 8)
		return PACKET_TRUNCATED;
	length = get_le16(s->data + 2);
	if (s->data[0] != 0 || length < 8)
		return PACKET_MALFORMED;
	*link_type = (int)(get_le32(s->data + 4) & 0xffff);
	return skip(s, length);
}

enum packet_result link_payload(int link_type, struct span frame, struct span *ip, size_t *offset)
{
	enum packet_result r = PACKET_OK;

	*ip = frame;
	if (link_type == LINKTYPE_PPI)
		r = per_packet_information(ip, &link_type);
	if (r != PACKET_OK)
		return r;
	switch (link_type) {
	case LINKTYPE_ETHERNET:
		r = ethernet(ip);
		break;
	case LINKTYPE_RAW:
	case LINKTYPE_DLT_RAW:
	case LINKTYPE_DLT_RAW_OPENBSD:
	case LINKTYPE_IPV4:
	case LINKTYPE_IPV6:
		r = by_version(ip);
		break;
	case LINKTYPE_LINUX_SLL:
		r = linux_cooked(ip, 16, 14);
		break;
	case LINKTYPE_LINUX_SLL2:
		r = linux_cooked(ip, 20, 0);
		break;
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
		r = bsd_loopback(ip);
		break;
	case LINKTYPE_PPP:
	case LINKTYPE_PPP_HDLC:
	case LINKTYPE_C_HDLC:
		r = ppp(ip);
		break;
	case LINKTYPE_PPP_ETHER:
		r = pppoe(ip);
		break;
	case LINKTYPE_IEEE802_11:
		r = ieee80211(ip, false);
		break;
	case LINKTYPE_IEEE802_11_RADIOTAP:
		r = radiotap(ip);
		break;
	default:
		r = PACKET_LINK_UNKNOWN;
		break;
	}
	*offset = frame.size - ip->size;
	return r;
}
