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
static bool name(struct cursor *c, const uint8_t *start, struct dns_message *m)
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
		for (size_t i = 0; i < label.size && m->printable; i++)
			m->printable = printable(label.data[i]) || label.data[i] == ' ' || label.data[i] >= 0x80;
	}
}

bool dns_message_read(struct span s, size_t missing, struct dns_message *out)
{
	struct cursor c = cursor_of(s);
	struct dns_message *m = out;
	unsigned sections[2];

	*m = (struct dns_message){ .printable = true };
	cursor_skip(&c, 2);
	m->flags = cursor_be16(&c);
	m->questions = cursor_be16(&c);
	m->answers = cursor_be16(&c);
	m->authorities = cursor_be16(&c);
	m->additionals = cursor_be16(&c);
	m->response = m->flags & 0x8000;
	sections[0] = m->questions;
	sections[1] = (unsigned)m->answers + m->authorities + m->additionals;
	if (c.failed || !(sections[0] + sections[1]))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned n = 0; n < sections[i] && m->records < RECORDS_MAX; n++) {
			const uint8_t *from = c.at;
			bool ok = name(&c, s.data, m);
			size_t length = (size_t)(c.at - from);
			uint16_t type = cursor_be16(&c), class = cursor_be16(&c);

			if (ok && !c.failed && !m->records) {
				m->name = (struct span){ from, length };
				m->type = type;
				m->class = class;
				m->first = true;
			}
			if (i) {
				cursor_skip(&c, 4);
				cursor_skip(&c, cursor_be16(&c));
			}
			if (c.failed) /* fewer bytes than the message says: all right when they were cut off */
				return missing && m->records;
			if (!ok)
				return false;
			m->records++;
		}
	}
	m->whole = !c.left && !missing && m->records < RECORDS_MAX;
	return true;
}
