/* SPDX-License-Identifier: Apache-2.0 */
/* The archive after decompression: stored, not compressed, so that the input's bytes are the archive's. */
#include <zlib.h>

#include "lib/ustar.h"
#include "tests/fuzz/fuzz.h"

static uint64_t seen;

static int begin(void *arg, const struct ustar_entry *e, struct error *err)
{
	(void)err;
	*(uint64_t *)arg = e->size;
	if (strlen(e->name) > 99 || e->mode > 07777)
		abort();
	return 0;
}

static int data_(void *arg, const void *data, size_t size, struct error *err)
{
	(void)err;
	if (size > *(uint64_t *)arg)
		abort();
	*(uint64_t *)arg -= size;
	for (size_t i = 0; i < size; i++)
		seen += ((const uint8_t *)data)[i];
	return 0;
}

static int end(void *arg, struct error *err)
{
	(void)err;
	if (*(uint64_t *)arg != 0)
		abort();
	return 0;
}

static int stored(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	uLong bound = compressBound((uLong)size) + 64;
	uint8_t *out = malloc(bound);
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)data, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)bound };

	if (fd < 0 || !out || deflateInit2(&z, 0, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK || deflate(&z, Z_FINISH) != Z_STREAM_END ||
	    write(fd, out, z.total_out) != (ssize_t)z.total_out)
		abort();
	deflateEnd(&z);
	free(out);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ustar_limits limits = { 1 << 20, 1 << 20, 64 };
	struct error err = { .text = "" };
	uint64_t left = 0;
	const struct ustar_sink sink = { begin, data_, end, &left };
	int fd = stored(data, size);

	refusal(ustar_read(fd, "fuzz.tar.gz", &limits, &sink, &err), &err);
	close(fd);
	return 0;
}
