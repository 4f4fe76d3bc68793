/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/fingerprint/hassh.c netprobe/fingerprint/digest.c */
#include "netprobe/fingerprint/fingerprint.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int server = 0; server < 2; server++) {
		char out[HASSH_BYTES];
		int r = hassh_kexinit((struct span){ data, size }, server, out);

		if (strlen(out) != (r < 0 ? 0 : HASSH_BYTES - 1))
			abort();
	}
	return 0;
}
