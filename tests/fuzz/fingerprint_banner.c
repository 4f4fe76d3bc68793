/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/fingerprint/banner.c netprobe/fingerprint/banner_table.c */
/* A banner behind a byte that chooses the protocol. What comes out must fit a protobuf string. */
#include "netprobe/fingerprint/banner.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const protocols[] = { "ssh", "http", "smtp", "ftp", "smb", "other" };
	struct banner_match m;

	if (size == 0)
		return 0;
	banner_match(protocols[data[0] % 6], (struct span){ data + 1, size - 1 }, &m);
	for (const char *p = m.version; *p; p++)
		if (*p <= ' ' || *p > '~')
			abort();
	if ((m.confidence == 0) != (strcmp(m.product, BANNER_UNKNOWN) == 0))
		abort();
	return 0;
}
