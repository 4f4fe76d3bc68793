/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "netprobe/fingerprint/digest.h"
#include "netprobe/fingerprint/fingerprint.h"

/* Of no bytes. */
static bool gives(enum digest_algorithm algorithm, const char *expected)
{
	struct digest d;
	char hex[9];

	digest_begin(&d, algorithm);
	return digest_end(&d, hex, 8) == 0 && strcmp(hex, expected) == 0;
}

int fingerprint_prepare(struct error *err)
{
	if (!gives(DIGEST_SHA256, "e3b0c442"))
		return error_set(err, -ENOTSUP, "libcrypto gives no SHA-256: there will be no JA4");
	if (!gives(DIGEST_MD5, "d41d8cd9"))
		return error_set(err, -ENOTSUP, "libcrypto gives no MD5: there will be no HASSH");
	return 0;
}
