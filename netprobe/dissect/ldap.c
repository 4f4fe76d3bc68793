/* SPDX-License-Identifier: Apache-2.0 */
/* LDAP 2 and 3: RFC 4511 section 4; without a connection over UDP ([MS-ADTS] section 6.3.3). */
#include "netprobe/dissect/ber.h"
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/tls_hello.h"

enum {
	BIND_REQUEST = 0x60,
	BIND_RESPONSE = 0x61,
	UNBIND_REQUEST = 0x42,
	SEARCH_REQUEST = 0x63,
	SEARCH_ENTRY = 0x64,
	SEARCH_DONE = 0x65,
	SEARCH_REFERENCE = 0x73,
	EXTENDED_REQUEST = 0x77,
	EXTENDED_RESPONSE = 0x78,
};

#define PART_MAX 64u /* bytes after which the first operation has to have shown itself */

static bool known(uint8_t tag)
{
	return (tag >= BIND_REQUEST && tag <= EXTENDED_RESPONSE) || tag == UNBIND_REQUEST;
}

/* The beginning of an operation's content. */
static bool operation(uint8_t tag, struct span body)
{
	struct cursor c = cursor_of(body);
	struct ber e;
	int64_t value;

	switch (tag) {
	case BIND_REQUEST:
		return ber_integer(&c, BER_INTEGER, &value) && (value == 2 || value == 3) && ber_whole(&c, BER_OCTETS, &e) &&
		       ber_next(&c, &e) && (e.tag == 0x80 || e.tag == 0xa3 || (e.tag >= 0x89 && e.tag <= 0x8b));
	case SEARCH_REQUEST:
		return ber_whole(&c, BER_OCTETS, &e) && ber_integer(&c, BER_ENUM, &value) && value >= 0 && value <= 3 &&
		       ber_integer(&c, BER_ENUM, &value) && value >= 0 && value <= 3;
	case BIND_RESPONSE:
	case SEARCH_DONE:
	case 0x67: /* answers to modify, add, delete, rename, compare */
	case 0x69:
	case 0x6b:
	case 0x6d:
	case 0x6f:
	case EXTENDED_RESPONSE:
		return ber_integer(&c, BER_ENUM, &value) && value >= 0 && value <= 4096 && ber_whole(&c, BER_OCTETS, &e);
	case SEARCH_ENTRY:
		return ber_whole(&c, BER_OCTETS, &e) && ber_next(&c, &e) && e.tag == BER_SEQUENCE;
	case SEARCH_REFERENCE:
		return ber_next(&c, &e) && e.tag == BER_OCTETS;
	case EXTENDED_REQUEST:
		return ber_whole(&c, 0x80, &e) && e.body.size >= 5 && e.body.data[1] == '.';
	case UNBIND_REQUEST:
		return !body.size;
	default:
		return false;
	}
}

static enum dissect_answer message(struct span s, size_t missing, uint8_t *tag)
{
	struct cursor c = cursor_of(s);
	struct ber e;
	int64_t id;
	bool part;

	if (!ber_next(&c, &e))
		return s.size < 6 ? DISSECT_MORE : DISSECT_NO;
	if (e.tag != BER_SEQUENCE || (missing != SIZE_MAX && e.declared > e.body.size + missing))
		return DISSECT_NO;
	part = e.body.size < e.declared && e.body.size < PART_MAX;
	c = cursor_of(e.body);
	if (!ber_integer(&c, BER_INTEGER, &id) || id < 0 || !ber_next(&c, &e))
		return part && c.left < 2 ? DISSECT_MORE : DISSECT_NO;
	*tag = e.tag;
	if (operation(e.tag, e.body))
		return DISSECT_YES;
	return part && known(e.tag) ? DISSECT_MORE : DISSECT_NO;
}

enum dissect_answer dissect_ldap(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false;

	for (unsigned d = 0; d < 2; d++) {
		uint8_t tag = 0;
		enum dissect_answer a = in->stream[d].size ? message(in->stream[d], SIZE_MAX, &tag) : DISSECT_NO;

		if (a == DISSECT_YES) {
			v->more = (tag == EXTENDED_REQUEST || tag == EXTENDED_RESPONSE) && !tls_hello_within(in);
			return dissect_yes(v, 0.96F);
		}
		more |= a == DISSECT_MORE;
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}

enum dissect_answer dissect_ldap_udp(const struct dissect_input *in, struct dissect_verdict *v)
{
	uint8_t tag;

	return message(in->stream[in->direction], in->missing, &tag) == DISSECT_YES ? dissect_yes(v, 0.95F) : DISSECT_NO;
}
