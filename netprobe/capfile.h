/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), read from beginning to end. */
#pragma once

#include <stdint.h>

#include "lib/error.h"
#include "netprobe/packet.h"

#define CAPFILE_RECORD_MAX     (16u * 1024 * 1024) /* a packet or block above this is damage */
#define CAPFILE_INTERFACES_MAX 4096u               /* of one section */

struct capfile;

struct capfile_packet {
	int64_t time_ns;     /* Unix time */
	int link_type;
	uint32_t interface;  /* its number in the section; 0 in a pcap file */
	uint32_t wire_bytes;
	struct span frame;   /* valid until the next call */
};

/* Opens a file or pipe ("-" is standard input) and reads what it begins with. -EINVAL for what is no capture file. */
int capfile_open(const char *path, struct capfile **out, struct error *err);

/* The same of bytes that stay the caller's; `name` is for messages. */
int capfile_open_memory(const char *name, struct span bytes, struct capfile **out, struct error *err);

/* The next packet: 1, 0 at a clean end, -EBADMSG where the file is damaged or ends within a record (what came before it was
 * right, nothing comes after it), or another negative errno. */
int capfile_next(struct capfile *c, struct capfile_packet *out, struct error *err);

/* The name of an interface of the present section, or "". Owned by the capture file until the next call. */
const char *capfile_interface(const struct capfile *c, uint32_t interface);

void capfile_close(struct capfile *c);
