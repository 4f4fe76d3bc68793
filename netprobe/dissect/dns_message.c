/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/dissect/dns_message.h"

#include "netprobe/dissect/cursor.h"

#define NAME_MAX_BYTES 255u
#define RECORDS_MAX    64u /* read of one message */
#define POINTER        0xc0u

static bool printable(uint8_t b)
{
	return b > 0x20 && b < 0x7f && b != '"' && b != '\\' && b != '<' && b != '>';
}

/* A name: labels, the root or a pointer to something before it (RFC 1035 section 4.1.4). */
static bool name(struct cursor *c, const uint8_t *start, struct dns_message *m, bool first)
{
	size_t total = 0;

	for (;;) {
		uint8_t length = cursor_u8(c);
		struct span label;

		if (c->failed)
			return false;
		if (!length)
			return true;
		if ((length & POINTER) == POINTER) {
			size_t here = (size_t)(c->at - 1 - start);
			size_t to = (size_t)(length & 0x3f) << 8 | cursor_u8(c);

			return !c->failed && to < here && to >= 12;
		}
		if (length & POINTER)
			return false;
		total += length + 1u;
		label = cursor_span(c, length);
		if (c->failed || total > NAME_MAX_BYTES)
			return false;
		if (first) {
			m->label = length;
			first = false;
		}
		for (size_t i = 0; i < label.size && m->printable; i++)
			m->printable = printable(label.data[i]) || label.data[i] == ' ' || label.data[i] >= 0x80;
	}
}

bool dns_message_read(struct span s, size_t missing, struct dns_message *out)
{
	struct cursor c = cursor_of(s);
	struct dns_message m = { .printable = true };
	unsigned sections[2], records;

	cursor_skip(&c, 2);
	m.flags = cursor_be16(&c);
	m.questions = cursor_be16(&c);
	m.answers = cursor_be16(&c);
	m.authorities = cursor_be16(&c);
	m.additionals = cursor_be16(&c);
	m.response = m.flags & 0x8000;
	if (c.failed)
		return false;
	sections[0] = m.questions;
	sections[1] = (unsigned)m.answers + m.authorities + m.additionals;
	/* A question is at least five bytes, a record eleven. */
	if (!(sections[0] + sections[1]) || sections[0] * 5 + sections[1] * 11 > c.left + missing)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		for (records = 0; records < sections[i] && m.records < RECORDS_MAX; records++) {
			uint16_t type, class, length;
			bool ok = name(&c, s.data, &m, !m.records);

			type = cursor_be16(&c);
			class = cursor_be16(&c);
			if (i) {
				cursor_skip(&c, 4);
				length = cursor_be16(&c);
				cursor_skip(&c, length);
			}
			if (c.failed) { /* fewer bytes than the message says: all right when they were cut off */
				*out = m;
				return missing && m.records;
			}
			if (!ok)
				return false;
			if (!m.records) {
				m.type = type;
				m.class = class;
			}
			m.records++;
		}
	}
	m.whole = !c.left && !missing && m.records < RECORDS_MAX;
	*out = m;
	return true;
}
