/* SPDX-License-Identifier: Apache-2.0 */
/* The raw bytes of a bundle, as if a trusted key had signed them. */
#include "lib/bundle.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle b = { .id = "probe", .version = "1.0.0", .arch = "amd64" };
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct error err = { .text = "" };

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	refusal(bundle_unpack(fd, -1, "fuzz.tar.gz", &b, &err), &err);
	bundle_free(&b);
	close(fd);
	return 0;
}
