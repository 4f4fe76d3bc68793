/* SPDX-License-Identifier: Apache-2.0 */
/* MD5 and SHA-256 by libcrypto, by its functions of single algorithms: EVP allocates memory each time it begins (OpenSSL
 * 3.0), and a fingerprint is made for every connection. */
#pragma once

#define OPENSSL_SUPPRESS_DEPRECATED /* these functions; nothing else is to take their place without allocating */
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA256 };

struct digest {
	enum digest_algorithm algorithm;
	bool failed;
	union {
		MD5_CTX md5;
		SHA256_CTX sha256;
	};
};

/* Begin, add, end; an error of one is told by end. */
void digest_begin(struct digest *d, enum digest_algorithm algorithm);
void digest_add(struct digest *d, const void *data, size_t size);
/* The first `characters` hex digits (lower case, as many as there are at most) and a NUL. 0, or -ENOTSUP: libcrypto refuses. */
int digest_end(struct digest *d, char *hex, size_t characters);
