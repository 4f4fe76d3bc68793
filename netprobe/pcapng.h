/* SPDX-License-Identifier: Apache-2.0 */
/* pcapng blocks, written (draft-ietf-opsawg-pcapng): a section header, one interface, packets. */
#pragma once

#include <stdint.h>

#include "netprobe/packet.h"

/* Direction and kind of reception: bits 0-1 and 2-4 of epb_flags, section 4.3.1. */
enum { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2, PCAPNG_UNICAST = 1 << 2, PCAPNG_MULTICAST = 2 << 2, PCAPNG_BROADCAST = 3 << 2,
       PCAPNG_PROMISCUOUS = 4 << 2 };

/* What an Enhanced Packet Block takes beside its packet's bytes at most, its comment's bytes and padding apart. */
#define PCAPNG_PACKET_OVERHEAD 64u
#define PCAPNG_HEADER_MAX      8192u
#define PCAPNG_TEXT_MAX        4096u /* of the filter; longer ones are cut */

struct pcapng_packet {
	int64_t time_ns;        /* Unix time */
	uint32_t wire_bytes;
	uint32_t flags;         /* PCAPNG_* */
	struct span parts[3];   /* the packet's bytes, one behind the other */
	const char *comment;    /* UTF-8; NULL or "": none */
};

/* Section Header Block and Interface Description Block with if_tsresol 9, into `out`, which has PCAPNG_HEADER_MAX bytes. `filter`
 * may be "". Returns their size. */
size_t pcapng_header(uint8_t *out, int link_type, uint32_t snaplen, const char *interface, const char *filter);

/* The size of the block that pcapng_packet_write makes. */
size_t pcapng_packet_size(const struct pcapng_packet *p);

/* An Enhanced Packet Block of interface 0. Returns its size. */
size_t pcapng_packet_write(uint8_t *out, const struct pcapng_packet *p);
