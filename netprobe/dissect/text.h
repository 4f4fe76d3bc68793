/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of text protocols. */
#pragma once

#include "netprobe/dissect/cursor.h"

static inline bool text_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static inline bool text_upper(uint8_t c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool text_letter(uint8_t c)
{
	return text_upper((uint8_t)(c & ~0x20u));
}

/* Visible ASCII, blanks and tabs. */
static inline bool text_plain(uint8_t c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t';
}

/* The first line, without CR and LF. `whole` is false when its end is not there yet. */
static inline struct span text_line(struct span s, bool *whole)
{
	const uint8_t *end = s.size ? memchr(s.data, '\n', s.size) : NULL;

	*whole = end;
	if (end)
		s.size = (size_t)(end - s.data);
	if (s.size && s.data[s.size - 1] == '\r')
		s.size--;
	return s;
}

/* What comes behind the first line; empty when it has no end. */
static inline struct span text_next(struct span s)
{
	const uint8_t *end = s.size ? memchr(s.data, '\n', s.size) : NULL;

	return end ? span_from(s, (size_t)(end - s.data) + 1) : (struct span){ NULL, 0 };
}

/* Equal without regard to case; `upper` is in upper case. */
static inline bool text_same(const uint8_t *data, const char *upper, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = data[i];

		if (c >= 'a' && c <= 'z')
			c = (uint8_t)(c - 0x20);
		if (c != (uint8_t)upper[i])
			return false;
	}
	return true;
}

/* Begins with a word, without regard to case. */
static inline bool text_starts(struct span s, const char *upper)
{
	size_t n = strlen(upper);

	return s.size >= n && text_same(s.data, upper, n);
}

/* Holds a word, without regard to case; looks at the first 512 bytes. */
static inline bool text_holds(struct span s, const char *upper)
{
	size_t n = strlen(upper), end = s.size < 512 ? s.size : 512;

	for (size_t i = 0; i + n <= end; i++)
		if (text_same(s.data + i, upper, n))
			return true;
	return false;
}

/* No control characters; greetings are in any language. */
static inline bool text_printable(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!text_plain(s.data[i]) && s.data[i] < 0x80)
			return false;
	return true;
}

/* Only text_plain bytes. */
static inline bool text_all_plain(struct span s)
{
	for (size_t i = 0; i < s.size; i++)
		if (!text_plain(s.data[i]))
			return false;
	return true;
}

/* Begins with three digits and a blank, a '-' or the line's end: a reply of SMTP (RFC 5321 section 4.2) or FTP (RFC 959
 * section 4.2). Returns its code, or 0. */
static inline unsigned text_reply(struct span s)
{
	if (s.size < 4 || s.data[0] < '1' || s.data[0] > '5' || !text_digit(s.data[1]) || !text_digit(s.data[2]) ||
	    (s.data[3] != ' ' && s.data[3] != '-' && s.data[3] != '\r'))
		return 0;
	return (unsigned)(s.data[0] - '0') * 100 + (unsigned)(s.data[1] - '0') * 10 + (unsigned)(s.data[2] - '0');
}

/* The words of a table that end with "" in the first line: the word, then a blank or the line's end. */
static inline bool text_command(struct span s, const char *const *words)
{
	for (; **words; words++) {
		size_t n = strlen(*words);

		if (text_starts(s, *words) && (s.size == n || s.data[n] == ' ' || s.data[n] == '\r' || s.data[n] == '\n'))
			return true;
	}
	return false;
}
