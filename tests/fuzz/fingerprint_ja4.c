/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/fingerprint/ja4.c netprobe/fingerprint/digest.c */
/* A ClientHello's body behind a byte that chooses the transport. */
#include "netprobe/fingerprint/fingerprint.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char out[JA4_BYTES];

	if (size == 0)
		return 0;
	if (ja4_client_hello((struct span){ data + 1, size - 1 }, "tdq"[data[0] % 3], out) < 0)
		return 0;
	if (strlen(out) != JA4_BYTES - 1 || out[10] != '_' || out[23] != '_')
		abort();
	for (const char *p = out; *p; p++)
		if (*p != '_' && (*p < '0' || *p > 'z'))
			abort();
	return 0;
}
