/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/pcapng.h"

#include <string.h>
#include <sys/utsname.h>

/* Block types and options, draft-ietf-opsawg-pcapng sections 4.1 to 4.3. Numbers are in the host's byte order: the byte-order magic
 * says which that is. */
enum { BLOCK_SECTION = 0x0A0D0D0A, BLOCK_INTERFACE = 1, BLOCK_PACKET = 6, BYTE_ORDER_MAGIC = 0x1A2B3C4D };
enum { OPT_END = 0, OPT_COMMENT = 1, SHB_OS = 3, SHB_USERAPPL = 4, IF_NAME = 2, IF_TSRESOL = 9, IF_FILTER = 11, EPB_FLAGS = 2 };

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	return put(p, &v, sizeof(v));
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	return put(p, &v, sizeof(v));
}

static uint8_t *pad(uint8_t *p, size_t written)
{
	size_t n = padded(written) - written;

	memset(p, 0, n);
	return p + n;
}

static uint8_t *put_option(uint8_t *p, uint16_t code, const void *value, size_t size)
{
	p = put16(put16(p, code), (uint16_t)size);
	return pad(put(p, value, size), size);
}

static uint8_t *begin(uint8_t *p, uint32_t type)
{
	return put32(put32(p, type), 0); /* the length comes with the end */
}

static uint8_t *end(uint8_t *block, uint8_t *p)
{
	uint32_t size = (uint32_t)(p - block) + 4;

	(void)put32(block + 4, size);
	return put32(p, size);
}

size_t pcapng_header(uint8_t *out, int link_type, uint32_t snaplen, const char *interface, const char *filter)
{
	static const char program[] = "serviceradar-netprobe " SR_VERSION;
	static const uint8_t nanoseconds = 9;
	char text[PCAPNG_TEXT_MAX + 1] = ""; /* if_filter: the first byte 0 says that a string follows */
	size_t length = strnlen(filter, PCAPNG_TEXT_MAX);
	struct utsname host;
	uint8_t *p = begin(out, BLOCK_SECTION), *block;

	p = put16(put16(put32(p, BYTE_ORDER_MAGIC), 1), 0);
	p = put32(put32(p, UINT32_MAX), UINT32_MAX); /* the section's length is not known */
	if (uname(&host) == 0)
		p = put_option(p, SHB_OS, host.release, strlen(host.release));
	p = put_option(p, SHB_USERAPPL, program, sizeof(program) - 1);
	p = end(out, put_option(p, OPT_END, "", 0));

	block = p;
	p = put32(put16(put16(begin(p, BLOCK_INTERFACE), (uint16_t)link_type), 0), snaplen);
	p = put_option(p, IF_NAME, interface, strlen(interface));
	p = put_option(p, IF_TSRESOL, &nanoseconds, 1);
	if (length) {
		memcpy(text + 1, filter, length);
		p = put_option(p, IF_FILTER, text, length + 1);
	}
	p = end(block, put_option(p, OPT_END, "", 0));
	return (size_t)(p - out);
}

static size_t captured(const struct pcapng_packet *p)
{
	return p->parts[0].size + p->parts[1].size + p->parts[2].size;
}

size_t pcapng_packet_size(const struct pcapng_packet *p)
{
	size_t comment = p->comment ? strlen(p->comment) : 0;

	return 28 + padded(captured(p)) + 8 + (comment ? 4 + padded(comment) : 0) + 4 + 4; /* fields, bytes, flags, comment, end, length */
}

size_t pcapng_packet_write(uint8_t *out, const struct pcapng_packet *in)
{
	uint64_t time = (uint64_t)in->time_ns;
	uint8_t *p = put32(begin(out, BLOCK_PACKET), 0);

	p = put32(put32(p, (uint32_t)(time >> 32)), (uint32_t)time);
	p = put32(put32(p, (uint32_t)captured(in)), in->wire_bytes);
	for (int i = 0; i < 3; i++)
		if (in->parts[i].size)
			p = put(p, in->parts[i].data, in->parts[i].size);
	p = pad(p, captured(in));
	p = put_option(p, EPB_FLAGS, &in->flags, sizeof(in->flags));
	if (in->comment && *in->comment)
		p = put_option(p, OPT_COMMENT, in->comment, strlen(in->comment));
	p = end(out, put_option(p, OPT_END, "", 0));
	return (size_t)(p - out);
}
