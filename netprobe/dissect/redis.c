/* SPDX-License-Identifier: Apache-2.0 */
/* Redis: requests are arrays of bulk strings (RESP 2 and 3, "Redis serialization protocol specification"). */
#include "netprobe/dissect/dissectors.h"
#include "netprobe/dissect/text.h"

#define PORT_REDIS 6379u
#define ITEMS_MAX  (1u << 20)
#define INLINE_MAX 64u

static const char *const inline_commands[] = { "PING",  "INFO", "AUTH", "SELECT", "GET",     "SET",
					       "HELLO", "KEYS", "ECHO", "CONFIG", "COMMAND", "" };

/* A marker, a number, CRLF. */
static bool number(struct cursor *c, uint8_t marker, uint32_t *value)
{
	unsigned digits;

	*value = 0;
	if (cursor_u8(c) != marker)
		return false;
	for (digits = 0; digits < 7 && c->left && text_digit(c->at[0]); digits++)
		*value = *value * 10 + (uint32_t)(cursor_u8(c) - '0');
	return digits && cursor_u8(c) == '\r' && cursor_u8(c) == '\n';
}

static enum dissect_answer request(struct span s)
{
	struct cursor c = cursor_of(s);
	uint32_t items, length;
	struct span command;

	if (!number(&c, '*', &items))
		return c.failed ? DISSECT_MORE : DISSECT_NO;
	if (!items || items > ITEMS_MAX)
		return DISSECT_NO;
	if (!number(&c, '$', &length))
		return c.failed ? DISSECT_MORE : DISSECT_NO;
	if (!length || length > 32)
		return DISSECT_NO;
	command = cursor_span(&c, length);
	if (c.failed)
		return DISSECT_MORE;
	for (size_t i = 0; i < command.size; i++)
		if (!text_letter(command.data[i]) && command.data[i] != '.' && command.data[i] != '_' &&
		    command.data[i] != '-' && !(i && text_digit(command.data[i])))
			return DISSECT_NO;
	return DISSECT_YES;
}

/* What a server begins an answer with. */
static bool reply(struct span s)
{
	bool whole;

	text_line(s, &whole);
	return whole && strchr("+-:$*%_#,(=~", s.data[0]);
}

enum dissect_answer dissect_redis(const struct dissect_input *in, struct dissect_verdict *v)
{
	bool more = false, port = dissect_port(in, PORT_REDIS);

	for (unsigned d = 0; d < 2; d++) {
		struct span s = in->stream[d];
		enum dissect_answer a;
		bool whole;

		if (!s.size)
			continue;
		a = s.data[0] == '*' ? request(s) : DISSECT_NO;
		if (a == DISSECT_YES)
			return dissect_yes(v, 0.96F);
		more |= a == DISSECT_MORE;
		/* Commands typed in line: then the answer and the port have to fit. */
		text_line(s, &whole);
		more |= port && !whole && s.size < INLINE_MAX && text_letter(s.data[0]);
		if (port && text_command(s, inline_commands)) {
			if (in->stream[!d].size && reply(in->stream[!d]))
				return dissect_yes(v, 0.88F);
			more = true;
		}
	}
	return more ? DISSECT_MORE : DISSECT_NO;
}
