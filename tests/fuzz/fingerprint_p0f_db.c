/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/packet.c netprobe/link.c netprobe/fingerprint/p0f_packet.c netprobe/fingerprint/p0f_print.c netprobe/fingerprint/p0f_match.c netprobe/fingerprint/p0f_record.c netprobe/fingerprint/p0f_db.c netprobe/fingerprint/digest.c */
/* A file of the p0f.fp format, read from memory; a SYN is looked up in what is accepted. */
#include "netprobe/fingerprint/fingerprint.h"
#include "netprobe/link.h"
#include "tests/fuzz/fuzz.h"

static const uint8_t syn[] = { 0x45, 0, 0, 60, 0, 5, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
			       0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0xa0, 2, 0x72, 0x10, 0, 0, 0, 0,
			       2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[64];
	const char *paths[] = { path, NULL };
	struct error err = { .text = "" };
	struct p0f_db *db = NULL;
	struct packet p = { 0 };
	struct p0f_match m;
	int r;

	if (fd < 0)
		fd = memfd_create("p0f.fp", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = p0f_db_read(paths, &db, &err);
	refusal(r, &err);
	(void)packet_parse(&p, LINKTYPE_RAW, (struct span){ syn, sizeof(syn) }, sizeof(syn));
	if (r == 0)
		p0f_match(db, &p, 0, &m);
	p0f_db_free(db);
	return 0;
}
