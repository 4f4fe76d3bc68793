/* SPDX-License-Identifier: Apache-2.0 */
/* Memcached: the text and meta commands ("protocol.txt" of memcached), the binary protocol, and both behind UDP's header. */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"

#define PORT_MEMCACHED  11211u
#define UDP_HEADER      8u
#define BINARY_HEADER   24u
#define BINARY_REQUEST  0x80u
#define BINARY_RESPONSE 0x81u
#define OPCODE_MAX      0x49u
#define KEY_MAX         250u

static const char *const with_key[] = { "get",  "gets",  "set", "add",  "replace", "append", "prepend", "cas", "delete", "incr",
					"decr", "touch", "gat", "gats", "mg",      "ms",     "md",      "ma",  "me" };
static const char *const replies[] = { "VALUE ",    "STAT ",         "STORED\r\n",    "NOT_STORED\r\n", "END\r\n",
				       "VERSION ",  "DELETED\r\n",   "NOT_FOUND\r\n", "EXISTS\r\n",     "TOUCHED\r\n",
				       "RESET\r\n", "SERVER_ERROR ", "HD\r\n",        "EN\r\n",         "VA " };

/* Numbers in a row, separated by blanks. */
static unsigned numbers(struct span line)
{
	unsigned n = 0;
	bool within = false;

	for (size_t i = 0; i < line.size; i++) {
		if (text_digit(line.data[i])) {
			n += !within;
			within = true;
		} else if (line.data[i] == ' ') {
			within = false;
		} else {
			break;
		}
	}
	return n;
}

/* Storage commands say flags, time and length: they are told from what looks alike. *sure for those. */
static bool request(struct span s, bool *sure)
{
	bool whole;
	struct span line = text_line(s, &whole);
	size_t word, key;

	*sure = false;
	if (!whole || !text_all_plain(line))
		return false;
	for (word = 0; word < line.size && line.data[word] != ' '; word++)
		;
	if (word == line.size)
		return (line.size == 5 && memcmp(line.data, "stats", 5) == 0) ||
		       (line.size == 7 && memcmp(line.data, "version", 7) == 0);
	if (SPAN_STARTS(line, "stats "))
		return true;
	for (key = word + 1; key < line.size && line.data[key] != ' '; key++)
		;
	if (key == word + 1 || key - word - 1 > KEY_MAX)
		return false;
	for (unsigned i = 0; i < sizeof(with_key) / sizeof(with_key[0]); i++) {
		if (strlen(with_key[i]) != word || memcmp(line.data, with_key[i], word) != 0)
			continue;
		*sure = i >= 2 && i <= 7 && numbers(span_from(line, key + 1)) >= 3;
		return *sure || i < 2 || i > 7;
	}
	return false;
}

static bool reply(struct span s)
{
	for (unsigned i = 0; i < sizeof(replies) / sizeof(replies[0]); i++)
		if (span_starts(s, replies[i], strlen(replies[i])))
			return true;
	return false;
}

static bool binary(struct span s)
{
	struct cursor c = cursor_of(s);
	uint8_t magic = cursor_u8(&c), opcode = cursor_u8(&c);
	uint16_t key = cursor_be16(&c);
	uint8_t extras = cursor_u8(&c), type = cursor_u8(&c);
	uint16_t status = cursor_be16(&c);
	uint32_t body = cursor_be32(&c);

	cursor_skip(&c, BINARY_HEADER - 12);
	return !c.failed && (magic == BINARY_REQUEST || magic == BINARY_RESPONSE) && opcode <= OPCODE_MAX && key <= KEY_MAX &&
	       extras <= 32 && !type && (magic == BINARY_REQUEST || status <= 0x86) && body >= (uint32_t)key + extras &&
	       body < 1u << 26 && (key || !body || extras || magic == BINARY_RESPONSE);
}

enum dissect_answer dissect_memcached(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool port = dissect_port(in, PORT_MEMCACHED), more = false, sure;

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		bool whole;

		if (!s.size)
			continue;
		if (s.data[0] == BINARY_REQUEST || s.data[0] == BINARY_RESPONSE) {
			bool part = s.size < BINARY_HEADER;

			if (!part && binary(s) && (port || (in->stream[!d].size && binary(in->stream[!d]))))
				return dissect_yes(v, 0.9F);
			more |= part || binary(s);
			continue;
		}
		if (request(s, &sure)) {
			if (sure || port || (in->stream[!d].size && reply(in->stream[!d])))
				return dissect_yes(v, sure && port ? 0.97F : 0.9F);
			more |= !in->stream[!d].size;
			continue;
		}
		text_line(s, &whole);
		more |= !whole && s.size < 300;
		more |= reply(s) && !in->stream[!d].size;
		if (port && reply(s))
			return dissect_yes(v, 0.85F);
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}

/* Id of the request, number of the datagram, how many there are, zero. */
enum dissect_answer dissect_memcached_udp(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	struct cursor c = cursor_of(s);
	bool port = dissect_port(in, PORT_MEMCACHED), sure;
	uint16_t number, total, reserved;
	struct span body;

	cursor_skip(&c, 2);
	number = cursor_be16(&c);
	total = cursor_be16(&c);
	reserved = cursor_be16(&c);
	body = span_from(s, UDP_HEADER);
	if (c.failed || !total || number >= total || reserved || !body.size)
		return DISSECT_NO;
	if (request(body, &sure) && (sure || port))
		return dissect_yes(v, 0.93F);
	return !number && reply(body) ? dissect_yes(v, port ? 0.95F : 0.8F) : DISSECT_NO;
}
