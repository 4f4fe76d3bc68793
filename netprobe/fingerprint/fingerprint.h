/* SPDX-License-Identifier: Apache-2.0 */
/* Fingerprints of stacks and clients: pure functions over bytes, and the database that p0f signatures are matched with. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "netprobe/packet.h"

#define JA4_BYTES   37  /* 36 characters and a NUL */
#define HASSH_BYTES 33  /* an MD5 in hex and a NUL */
#define P0F_BYTES   256 /* more than the longest raw signature and its NUL */

/* Whether libcrypto gives the digests that the functions below need: asked once at the start. -ENOTSUP with a message: then
 * they answer with it. */
int fingerprint_prepare(struct error *err);

/* JA4 base of a ClientHello's body. transport: 't', 'd' (DTLS: the body has a cookie) or 'q'. 0, or -EBADMSG for what is no
 * ClientHello, or -ENOTSUP. */
int ja4_client_hello(struct span body, char transport, char out[JA4_BYTES]);

/* HASSH (of a client's KEXINIT) or HASSH-server (of a server's), of the message from its number on. 0, or -EBADMSG, or -ENOTSUP
 * where libcrypto refuses MD5. */
int hassh_kexinit(struct span payload, bool server, char out[HASSH_BYTES]);

/* ---- p0f 3: TCP signatures ---- */

struct p0f_db;

struct p0f_match {
	bool found;
	bool generic, fuzzy;  /* how: p0f's params */
	bool tool;            /* a program that makes its own packets (class "!"), no operating system */
	bool random_ttl;      /* the signature's TTL is only the highest: distance is "at most" */
	uint8_t distance;     /* hops: to the signature's TTL, or guessed when nothing matches */
	char label[128];      /* type:class:name:flavor as in the file; "" when nothing matches, as the following */
	char name[64], flavor[96];
	char os_family[32];   /* linux, windows, macos, freebsd, …: lower case; "" for a tool */
};

/* The raw signature of a SYN, or of a SYN+ACK, as p0f prints it: version:ttl+distance:olen:mss:window,scale:options:quirks:
 * payload class. `syn_mss`: for a SYN+ACK the MSS of the SYN that it answers, else 0 (windows are told as a multiple of it).
 * 0, or -EBADMSG for a packet that is neither, is a fragment, is cut off within its headers, or has IPv6 extension headers. */
int p0f_signature(const struct packet *p, uint16_t syn_mss, char out[P0F_BYTES]);

/* The MSS option of a SYN, to be kept for its SYN+ACK; 0 without one. */
uint16_t p0f_mss(const struct packet *p);

/* Reads one or several files of the p0f.fp format (sections tcp:request and tcp:response; others are skipped); `paths` ends
 * with NULL. A file that is not there is left out; -ENOENT when none is. -EINVAL with file, line and what is wrong. */
int p0f_db_read(const char *const *paths, struct p0f_db **out, struct error *err);
void p0f_db_free(struct p0f_db *db);
/* Of the bytes that were read: what PingAck.p0f_corpus_revision tells; owned by the database. */
const char *p0f_db_revision(const struct p0f_db *db);
size_t p0f_db_signatures(const struct p0f_db *db);

/* Matches a SYN or SYN+ACK. db may be NULL: nothing is found. */
void p0f_match(const struct p0f_db *db, const struct packet *p, uint16_t syn_mss, struct p0f_match *out);

/* For a daemon: files that may change, come and go while it runs. */
#define P0F_DEFAULT_PATH "/etc/p0f/p0f.fp" /* of the package p0f */
#define P0F_FILES_MAX    8u

struct p0f_store;

/* Copies `paths` (ends with NULL; P0F_FILES_MAX at most: -E2BIG) and reads what is there; NULL or an empty list:
 * P0F_DEFAULT_PATH. No file at all is no error. With a wrong file the error is returned and *out is set all the same: a
 * daemon goes on without a database, and p0f_store_refresh takes the file when it is repaired. */
int p0f_store_new(const char *const *paths, struct p0f_store **out, struct error *err);
void p0f_store_free(struct p0f_store *s);
/* Looks whether a file is another one, longer or newer than what was read (one stat each), and then reads all anew. 1 when
 * the database was replaced: what p0f_store_db returned before is gone. 0 when nothing changed. Negative, once for each
 * change, when a file is wrong: the database before it stays in use. */
int p0f_store_refresh(struct p0f_store *s, struct error *err);
/* NULL when there is no file. */
const struct p0f_db *p0f_store_db(const struct p0f_store *s);
