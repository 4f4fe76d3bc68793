/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures and public keys in the format of minisign (https://jedisct1.github.io/minisign/, "Signature format"), verified
 * with libcrypto. Only pre-hashed signatures ("ED": Ed25519 over BLAKE2b-512) are accepted. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

#define MINISIGN_MAX_BYTES  4096 /* of a signature file or a key file */
#define MINISIGN_HASH_BYTES 64   /* BLAKE2b-512 */

struct minisign_key {
	uint8_t id[8]; /* little endian, as in the file */
	uint8_t key[32];
};

struct minisign_signature {
	uint8_t id[8];
	uint8_t signature[64], global[64];
	char trusted_comment[1024]; /* printable ASCII */
};

/* Read strictly: two or four lines, each ended by one newline, canonical base64 of exactly the right size, algorithm "Ed" for
 * a key and "ED" for a signature, no control characters in the trusted comment. -EINVAL and a line that names `where`. */
int minisign_key_parse(const char *text, size_t size, const char *where, struct minisign_key *out, struct error *err);
int minisign_signature_parse(const char *text, size_t size, const char *where, struct minisign_signature *out, struct error *err);

/* Verifies the signature over `hash` and the global signature over signature and trusted comment. -EBADMSG (no message) when
 * either does not hold, -ENOKEY when the key has another id. */
int minisign_verify(const struct minisign_key *key, const struct minisign_signature *sig, const uint8_t hash[MINISIGN_HASH_BYTES]);

/* The key id as 16 upper-case hex digits. minisign prints it without the zeros at its front, so one of 12 digits or more is read. */
void minisign_id_format(const uint8_t id[8], char out[17]);
int minisign_id_parse(const char *text, uint8_t out[8]);
