/* SPDX-License-Identifier: Apache-2.0 */
/* MD5 and SHA-256 by libcrypto, with contexts that are made once: no allocation for each fingerprint. */
#pragma once

#include <stddef.h>

enum digest { DIGEST_MD5, DIGEST_SHA256, DIGESTS };

/* Makes the contexts. -ENOTSUP when libcrypto has one of the two not. */
int digest_prepare(void);

/* One computation at a time of each kind: begin, add, end. An error of begin or add is told by end. */
void digest_begin(enum digest d);
void digest_add(enum digest d, const void *data, size_t size);
/* The first `characters` hex digits (lower case, at most 64) and a NUL. 0, or -ENOTSUP. */
int digest_end(enum digest d, char *hex, size_t characters);
