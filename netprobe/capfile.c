/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/capfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#include "lib/cleanup.h"
#include "netprobe/bytes.h"

#define READ_BYTES (256u * 1024)

#define PCAP_MICRO    0xa1b2c3d4u
#define PCAP_NANO     0xa1b23c4du
#define PCAP_MODIFIED 0xa1b2cd34u /* a variant of 1990s Linux: eight more bytes before each packet */
#define PCAPNG_ORDER  0x1a2b3c4du

enum block { BLOCK_INTERFACE = 1, BLOCK_PACKET_OLD = 2, BLOCK_SIMPLE = 3, BLOCK_ENHANCED = 6, BLOCK_SECTION = 0x0a0d0d0a };
enum option { OPTION_END = 0, OPTION_IF_NAME = 2, OPTION_IF_TSRESOL = 9, OPTION_IF_TSOFFSET = 14 };

struct interface {
	int link_type;
	uint32_t snaplen;
	uint8_t resolution; /* as if_tsresol: a power of ten, or of two when the highest bit is set */
	int64_t offset_s;
	char name[IF_NAMESIZE];
};

struct capfile {
	char path[256];
	int fd; /* -1: from memory */
	uint8_t *buffer;
	const uint8_t *data; /* the buffer, or the memory */
	size_t capacity, used, at; /* of data: how much is there, and how much of it was taken */
	uint64_t position; /* in the file, of data[at] */
	bool ng, swapped, modified;
	int link_type;
	uint32_t fraction_ns; /* pcap: what a unit of the fraction is worth */
	int64_t last_ns;
	struct interface *interfaces;
	uint32_t interface_count, interface_capacity;
};

static uint16_t u16(const struct capfile *c, const uint8_t *p)
{
	return c->swapped ? get_be16(p) : get_le16(p);
}

static uint32_t u32(const struct capfile *c, const uint8_t *p)
{
	return c->swapped ? get_be32(p) : get_le32(p);
}

static int damaged(const struct capfile *c, struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "%s: damaged at byte %" PRIu64 ": %s", c->path, c->position, what);
}

/* Makes `n` bytes available at data[at]. 1, 0 when the file has fewer, or a negative errno. */
static int need(struct capfile *c, size_t n, struct error *err)
{
	if (c->used - c->at >= n)
		return 1;
	if (c->fd < 0)
		return 0;
	if (c->at > 0) {
		memmove(c->buffer, c->buffer + c->at, c->used - c->at);
		c->used -= c->at;
		c->at = 0;
	}
	if (n > c->capacity) {
		size_t capacity = c->capacity ? c->capacity : READ_BYTES;

		while (capacity < n)
			capacity *= 2;
		uint8_t *bigger = realloc(c->buffer, capacity);

		if (!bigger)
			return error_set(err, -ENOMEM, "%s: out of memory", c->path);
		c->data = c->buffer = bigger;
		c->capacity = capacity;
	}
	while (c->used < n) {
		ssize_t r = read(c->fd, c->buffer + c->used, c->capacity - c->used);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0) {
			int e = errno;

			return error_set(err, -e, "%s: cannot read: %s", c->path, strerror(e));
		}
		if (r == 0)
			return 0;
		c->used += (size_t)r;
	}
	return 1;
}

static const uint8_t *take(struct capfile *c, size_t n)
{
	const uint8_t *p = c->data + c->at;

	c->at += n;
	c->position += n;
	return p;
}

/* ---- pcap ---- */

static int pcap_header(struct capfile *c, struct error *err)
{
	int r = need(c, 24, err);

	if (r <= 0)
		return r < 0 ? r : damaged(c, err, "the file ends within its header");
	const uint8_t *h = take(c, 24);

	if (u16(c, h + 4) != 2)
		return error_set(err, -EINVAL, "%s: pcap version %u is not known", c->path, u16(c, h + 4));
	c->link_type = (int)(u32(c, h + 20) & 0xffff); /* above it: length of a frame check sequence */
	return 0;
}

static int pcap_next(struct capfile *c, struct capfile_packet *out, struct error *err)
{
	size_t header = c->modified ? 24 : 16;
	uint32_t captured;
	int r = need(c, header, err);

	if (r <= 0)
		return r < 0 || c->used == c->at ? r : damaged(c, err, "the file ends within a packet's header");
	captured = u32(c, c->data + c->at + 8);
	if (captured > CAPFILE_RECORD_MAX)
		return damaged(c, err, "a packet of more than 16 MiB");
	r = need(c, header + captured, err);
	if (r <= 0)
		return r < 0 ? r : damaged(c, err, "the file ends within a packet");
	const uint8_t *h = take(c, header + captured);

	out->time_ns = (int64_t)u32(c, h) * 1000000000 + (int64_t)u32(c, h + 4) * c->fraction_ns;
	out->link_type = c->link_type;
	out->interface = 0;
	out->wire_bytes = u32(c, h + 12);
	out->frame = (struct span){ h + header, captured };
	return 1;
}

/* ---- pcapng ---- */

static int64_t saturate(__int128 v)
{
	return v > INT64_MAX ? INT64_MAX : v < INT64_MIN ? INT64_MIN : (int64_t)v;
}

/* `units` of an interface's resolution to Unix nanoseconds. */
static int64_t to_ns(const struct interface *i, uint64_t units)
{
	unsigned exponent = i->resolution & 0x7f;
	__int128 ns = units;

	if (i->resolution & 0x80) {
		ns = exponent < 64 ? (ns * 1000000000) >> exponent : 0;
	} else {
		for (; exponent < 9; exponent++)
			ns *= 10;
		for (; exponent > 9 && ns; exponent--)
			ns /= 10;
	}
	return saturate(ns + (__int128)i->offset_s * 1000000000);
}

static void interface_options(const struct capfile *c, struct interface *i, struct span s)
{
	while (s.size >= 4) {
		unsigned code = u16(c, s.data), length = u16(c, s.data + 2);
		size_t padded = 4 + ((length + 3u) & ~(size_t)3);
		const uint8_t *value = s.data + 4;

		if (code == OPTION_END || 4 + (size_t)length > s.size)
			return;
		if (code == OPTION_IF_NAME) {
			size_t n = length < sizeof(i->name) ? length : sizeof(i->name) - 1;

			for (size_t k = 0; k < n; k++) /* it goes into messages and JSON */
				i->name[k] = value[k] && (value[k] < '!' || value[k] > '~') ? '?' : (char)value[k];
			i->name[n] = '\0';
		} else if (code == OPTION_IF_TSRESOL && length >= 1) {
			i->resolution = value[0];
		} else if (code == OPTION_IF_TSOFFSET && length >= 8) {
			uint64_t low = u32(c, value + (c->swapped ? 4 : 0)), high = u32(c, value + (c->swapped ? 0 : 4));

			i->offset_s = (int64_t)(high << 32 | low);
		}
		if (padded > s.size)
			return;
		s.data += padded;
		s.size -= padded;
	}
}

static int interface_block(struct capfile *c, struct span body, struct error *err)
{
	struct interface *i;

	if (body.size < 8)
		return damaged(c, err, "an interface block that is too short");
	if (c->interface_count == CAPFILE_INTERFACES_MAX)
		return damaged(c, err, "more than 4096 interfaces");
	if (c->interface_count == c->interface_capacity) {
		uint32_t capacity = c->interface_capacity ? c->interface_capacity * 2 : 8;
		struct interface *bigger = realloc(c->interfaces, capacity * sizeof(*bigger));

		if (!bigger)
			return error_set(err, -ENOMEM, "%s: out of memory", c->path);
		c->interfaces = bigger;
		c->interface_capacity = capacity;
	}
	i = &c->interfaces[c->interface_count++];
	*i = (struct interface){ .link_type = u16(c, body.data), .snaplen = u32(c, body.data + 4), .resolution = 6 };
	interface_options(c, i, (struct span){ body.data + 8, body.size - 8 });
	return 0;
}

/* Enhanced and old packet blocks; they differ in the interface's number. 1, or -EBADMSG. */
static int packet_block(struct capfile *c, unsigned type, struct span body, struct capfile_packet *out, struct error *err)
{
	const uint8_t *b = body.data;
	uint32_t captured;

	if (body.size < 20)
		return damaged(c, err, "a packet block that is too short");
	out->interface = type == BLOCK_ENHANCED ? u32(c, b) : u16(c, b);
	captured = u32(c, b + 12);
	if (out->interface >= c->interface_count)
		return damaged(c, err, "a packet of an interface that was not described");
	if (captured > body.size - 20)
		return damaged(c, err, "a packet that is longer than its block");
	const struct interface *i = &c->interfaces[out->interface];

	out->time_ns = c->last_ns = to_ns(i, (uint64_t)u32(c, b + 4) << 32 | u32(c, b + 8));
	out->link_type = i->link_type;
	out->wire_bytes = u32(c, b + 16);
	out->frame = (struct span){ b + 20, captured };
	return 1;
}

/* It has no time of its own: that of the packet before it. */
static int simple_block(struct capfile *c, struct span body, struct capfile_packet *out, struct error *err)
{
	size_t captured;

	if (body.size < 4)
		return damaged(c, err, "a packet block that is too short");
	if (!c->interface_count)
		return damaged(c, err, "a packet of an interface that was not described");
	const struct interface *i = &c->interfaces[0];

	out->interface = 0;
	out->time_ns = c->last_ns;
	out->link_type = i->link_type;
	out->wire_bytes = u32(c, body.data);
	captured = i->snaplen && i->snaplen < out->wire_bytes ? i->snaplen : out->wire_bytes;
	if (captured > body.size - 4)
		return damaged(c, err, "a packet that is longer than its block");
	out->frame = (struct span){ body.data + 4, captured };
	return 1;
}

/* Byte order and version; a section begins without interfaces. */
static int section_block(struct capfile *c, struct span body, struct error *err)
{
	if (body.size < 16)
		return damaged(c, err, "a section header that is too short");
	if (u16(c, body.data + 4) != 1)
		return damaged(c, err, "a pcapng version other than 1");
	c->interface_count = 0;
	return 0;
}

/* A section's byte order, which its own length is written in: told by the word behind the length. */
static int section_order(struct capfile *c, struct error *err)
{
	int r = need(c, 12, err);

	if (r <= 0)
		return r < 0 ? r : damaged(c, err, "the file ends within a section header");
	const uint8_t *order = c->data + c->at + 8;

	if (get_le32(order) != PCAPNG_ORDER && get_be32(order) != PCAPNG_ORDER)
		return damaged(c, err, "a section header of no known byte order");
	c->swapped = get_be32(order) == PCAPNG_ORDER;
	return 0;
}

/* One block, whole, with its body. 1, 0 at the end, or a negative errno. */
static int next_block(struct capfile *c, unsigned *type, struct span *body, struct error *err)
{
	uint32_t length;
	int r = need(c, 12, err);

	if (r <= 0)
		return r < 0 || c->used == c->at ? r : damaged(c, err, "the file ends within a block's header");
	*type = u32(c, c->data + c->at); /* a section's type reads the same both ways */
	if (*type == BLOCK_SECTION) {
		r = section_order(c, err);
		if (r < 0)
			return r;
	}
	length = u32(c, c->data + c->at + 4);
	if (length < 12 || length % 4 || length > CAPFILE_RECORD_MAX)
		return damaged(c, err, "a block length that cannot be");
	r = need(c, length, err);
	if (r <= 0)
		return r < 0 ? r : damaged(c, err, "the file ends within a block");
	if (u32(c, c->data + c->at + length - 4) != length)
		return damaged(c, err, "a block whose two lengths differ");
	*body = (struct span){ take(c, length) + 8, length - 12 };
	return 1;
}

static int pcapng_next(struct capfile *c, struct capfile_packet *out, struct error *err)
{
	for (;;) { /* ends with the file: each block takes at least 12 bytes of it */
		struct span body = { NULL, 0 };
		unsigned type = 0;
		int r = next_block(c, &type, &body, err);

		if (r <= 0)
			return r;
		switch (type) {
		case BLOCK_SECTION:
			r = section_block(c, body, err);
			break;
		case BLOCK_INTERFACE:
			r = interface_block(c, body, err);
			break;
		case BLOCK_ENHANCED:
		case BLOCK_PACKET_OLD:
			return packet_block(c, type, body, out, err);
		case BLOCK_SIMPLE:
			return simple_block(c, body, out, err);
		default: /* names, statistics, secrets, what others define */
			r = 0;
			break;
		}
		if (r < 0)
			return r;
	}
}

/* ---- both ---- */

static int begin(struct capfile *c, struct error *err)
{
	int r = need(c, 4, err);

	if (r < 0)
		return r;
	uint32_t magic = r ? get_le32(c->data + c->at) : 0;

	if (magic == BLOCK_SECTION) {
		c->ng = true;
		return 0;
	}
	for (int i = 0; r && i < 2; i++) {
		if (magic == PCAP_MICRO || magic == PCAP_NANO || magic == PCAP_MODIFIED) {
			c->swapped = i;
			c->modified = magic == PCAP_MODIFIED;
			c->fraction_ns = magic == PCAP_NANO ? 1 : 1000;
			return pcap_header(c, err);
		}
		magic = get_be32(c->data + c->at);
	}
	return error_set(err, -EINVAL, "%s: neither a pcap nor a pcapng file", c->path);
}

static int make(const char *path, struct capfile **out)
{
	struct capfile *c = calloc(1, sizeof(*c));

	*out = c;
	if (!c)
		return -ENOMEM;
	c->fd = -1;
	(void)snprintf(c->path, sizeof(c->path), "%s", path);
	return 0;
}

int capfile_open(const char *path, struct capfile **out, struct error *err)
{
	struct capfile *c;
	int r = make(path, &c);

	*out = NULL;
	if (r < 0)
		return error_set(err, r, "%s: out of memory", path);
	c->fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	r = c->fd < 0 ? -errno : 0;
	if (r < 0)
		(void)error_set(err, r, "%s: %s", path, strerror(-r));
	else
		r = begin(c, err);
	if (r < 0)
		capfile_close(c);
	else
		*out = c;
	return r;
}

int capfile_open_memory(const char *name, struct span bytes, struct capfile **out, struct error *err)
{
	struct capfile *c;
	int r = make(name, &c);

	*out = NULL;
	if (r < 0)
		return error_set(err, r, "%s: out of memory", name);
	c->data = bytes.data;
	c->used = bytes.size;
	r = begin(c, err);
	if (r < 0)
		capfile_close(c);
	else
		*out = c;
	return r;
}

int capfile_next(struct capfile *c, struct capfile_packet *out, struct error *err)
{
	return c->ng ? pcapng_next(c, out, err) : pcap_next(c, out, err);
}

const char *capfile_interface(const struct capfile *c, uint32_t interface)
{
	return interface < c->interface_count ? c->interfaces[interface].name : "";
}

void capfile_close(struct capfile *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	free(c->buffer);
	free(c->interfaces);
	free(c);
}
