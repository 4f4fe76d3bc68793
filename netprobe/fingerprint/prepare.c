/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fingerprint/digest.h"
#include "netprobe/fingerprint/fingerprint.h"

int fingerprint_prepare(struct error *err)
{
	int r = digest_prepare();

	return r < 0 ? error_set(err, r, "libcrypto gives no SHA-256 or no MD5: JA4 or HASSH will be missing") : 0;
}
