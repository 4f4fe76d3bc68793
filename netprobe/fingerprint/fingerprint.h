/* SPDX-License-Identifier: Apache-2.0 */
/* Fingerprints of stacks and clients: pure functions over bytes, and the database that p0f signatures are matched with. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "netprobe/packet.h"

#define JA4_BYTES   37  /* 36 characters and a NUL */
#define HASSH_BYTES 33  /* an MD5 in hex and a NUL */
#define P0F_BYTES   160 /* a raw signature and a NUL */

/* JA4 base of a ClientHello's body. transport: 't', 'd' (DTLS: the body has a cookie) or 'q'. 0, or -EBADMSG for what is no
 * ClientHello. */
int ja4_client_hello(struct span body, char transport, char out[JA4_BYTES]);

/* HASSH (of a client's KEXINIT) or HASSH-server (of a server's). 0, or -EBADMSG. */
int hassh_kexinit(struct span payload, bool server, char out[HASSH_BYTES]);

/* ---- p0f 3: TCP signatures ---- */

struct p0f_db;

struct p0f_match {
	bool found;
	bool generic, fuzzy;  /* how: p0f's params */
	uint8_t distance;     /* hops, guessed from the TTL */
	char label[128];      /* type:class:name:flavor as in the file */
	char name[64], flavor[64], os_family[32];
};

/* The raw signature of a SYN, or of a SYN+ACK, as p0f prints it: version:ttl+distance:olen:mss:window,scale:options:quirks:
 * payload class. `syn`: for a SYN+ACK the MSS of the SYN that it answers, else 0 (windows are told as a multiple of it).
 * 0, or -EBADMSG for a packet that is neither. */
int p0f_signature(const struct packet *p, uint16_t syn_mss, char out[P0F_BYTES]);

/* Reads one or several files of the p0f.fp format (sections tcp:request and tcp:response; others are skipped). -ENOENT when
 * none is there; -EINVAL with file, line and what is wrong. */
int p0f_db_read(const char *const *paths, struct p0f_db **out, struct error *err);
void p0f_db_free(struct p0f_db *db);
/* Of the bytes that were read: what PingAck.p0f_corpus_revision tells; owned by the database. */
const char *p0f_db_revision(const struct p0f_db *db);

/* Matches a SYN or SYN+ACK. db may be NULL: nothing is found. */
void p0f_match(const struct p0f_db *db, const struct packet *p, uint16_t syn_mss, struct p0f_match *out);
