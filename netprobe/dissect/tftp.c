/* SPDX-License-Identifier: Apache-2.0 */
/* TFTP: RFC 1350 section 5, options of RFC 2347. Data goes between other ports than 69: its first block and the
 * acknowledgement of it make a pair. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"

#define PORT_TFTP   69u
#define BLOCK_BYTES 512u
#define STRINGS_MAX 16u

enum { READ = 1, WRITE, DATA, ACKNOWLEDGEMENT, ERROR, OPTIONS };

/* The next string, with its NUL. */
static bool string(struct cursor *c, struct span *out)
{
	const uint8_t *end = c->left ? memchr(c->at, 0, c->left) : NULL;

	if (!end || end == c->at)
		return false;
	*out = cursor_span(c, (size_t)(end - c->at));
	cursor_skip(c, 1);
	for (size_t i = 0; i < out->size; i++)
		if (out->data[i] < 0x20 || out->data[i] == 0x7f)
			return false;
	return true;
}

static bool request(struct cursor c)
{
	struct span name, mode, option;

	if (!string(&c, &name) || !string(&c, &mode))
		return false;
	if (!(mode.size == 5 && text_starts(mode, "OCTET")) && !(mode.size == 8 && text_starts(mode, "NETASCII")) &&
	    !(mode.size == 4 && text_starts(mode, "MAIL")))
		return false;
	for (unsigned i = 0; i < STRINGS_MAX && c.left; i++)
		if (!string(&c, &option))
			return false;
	return !c.left;
}

/* Names and values, nothing else. */
static bool options(struct cursor c)
{
	static const char *const known[] = { "BLKSIZE", "TIMEOUT", "TSIZE", "WINDOWSIZE", "MULTICAST", "ROLLOVER", "" };
	struct span name, value;
	bool any = false;

	for (unsigned i = 0; i < STRINGS_MAX / 2 && c.left; i++) {
		if (!string(&c, &name) || !string(&c, &value))
			return false;
		any |= text_command(name, known);
	}
	return any && !c.left;
}

/* DATA and its acknowledgement, in either order of coming. */
static bool pair(struct span data, struct span acknowledgement)
{
	return acknowledgement.size == 4 && acknowledgement.data[1] == ACKNOWLEDGEMENT && !acknowledgement.data[0] &&
	       data.size >= 4 && data.size <= BLOCK_BYTES + 4 && data.data[1] == DATA && !data.data[0] &&
	       memcmp(data.data + 2, acknowledgement.data + 2, 2) == 0;
}

enum dissect_answer dissect_tftp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	struct cursor c = cursor_of(s);
	uint16_t operation = cursor_be16(&c), block;

	switch (operation) {
	case READ:
	case WRITE:
		return request(c) ? dissect_yes(v, dissect_port(in, PORT_TFTP) ? 0.98F : 0.88F) : DISSECT_NO;
	case OPTIONS:
		return options(c) ? dissect_yes(v, 0.9F) : DISSECT_NO;
	case DATA:
	case ACKNOWLEDGEMENT:
		block = cursor_be16(&c);
		if (c.failed || block > 1 || (operation == DATA ? s.size > BLOCK_BYTES + 4 : s.size != 4))
			return DISSECT_NO;
		for (unsigned i = 0; i < in->earlier_count; i++)
			if (in->earlier[i].direction != in->direction &&
			    (pair(in->earlier[i].bytes, s) || pair(s, in->earlier[i].bytes)))
				return dissect_yes(v, 0.85F);
		return DISSECT_MORE;
	default:
		return DISSECT_NO;
	}
}
