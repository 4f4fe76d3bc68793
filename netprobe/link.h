/* SPDX-License-Identifier: Apache-2.0 */
/* Link layers: where in a frame the IP header begins. */
#pragma once

#include "netprobe/packet.h"

/* Link types, https://www.tcpdump.org/linktypes.html. */
enum {
	LINKTYPE_NULL = 0,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_PPP = 9,
	LINKTYPE_DLT_RAW = 12, /* DLT_RAW of most systems, written into files by mistake */
	LINKTYPE_DLT_RAW_OPENBSD = 14,
	LINKTYPE_PPP_HDLC = 50,
	LINKTYPE_PPP_ETHER = 51,
	LINKTYPE_RAW = 101,
	LINKTYPE_C_HDLC = 104,
	LINKTYPE_IEEE802_11 = 105,
	LINKTYPE_LOOP = 108,
	LINKTYPE_LINUX_SLL = 113,
	LINKTYPE_IEEE802_11_RADIOTAP = 127,
	LINKTYPE_PPI = 192,
	LINKTYPE_IPV4 = 228,
	LINKTYPE_IPV6 = 229,
	LINKTYPE_LINUX_SLL2 = 276,
};

/* Sets *ip to the frame from the IP header on, trailing bytes included; it has at least one byte. *offset: how many bytes of
 * link layer were before it. PACKET_OK says that it is to be IP, not that it is. */
enum packet_result link_payload(int link_type, struct span frame, struct span *ip, size_t *offset);
