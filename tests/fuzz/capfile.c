/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/capfile.c */
/* A capture file: frames are within it, and what is damaged is told in one printable line. */
#include "netprobe/capfile.h"
#include "tests/fuzz/fuzz.h"

static uint64_t seen;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { .text = "" };
	struct capfile_packet p;
	struct capfile *c;
	int r = capfile_open_memory("fuzz.pcap", (struct span){ data, size }, &c, &err);

	while (r == 0 && (r = capfile_next(c, &p, &err)) == 1) {
		if (p.frame.data < data || p.frame.data + p.frame.size > data + size)
			abort();
		for (size_t i = 0; i < p.frame.size; i++)
			seen += p.frame.data[i];
		for (const char *name = capfile_interface(c, p.interface); *name; name++)
			if (*name < '!' || *name > '~')
				abort();
		r = 0;
	}
	refusal(r, &err);
	capfile_close(c);
	return 0;
}
