/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/fs.h"
#include "lib/utf8.h"

static void cleanup_tokenerp(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static void locate(const char *text, size_t offset, unsigned int *line, unsigned int *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset; i++) {
		if (text[i] == '\n') {
			(*line)++;
			*column = 1;
		} else {
			(*column)++;
		}
	}
}

/* A scanner for what json-c lets pass: two equal keys in one object, strings in single quotes, NaN and its like, control
 * characters in strings. It runs over text that json-c accepted, so brackets and commas are where they belong. Keys are
 * compared after unescaping, by json-c itself. */
struct keys {
	const char *text;
	size_t size, at;
	const char *where;
	struct error *err;
};

static size_t string_end(const struct keys *k, size_t at)
{
	for (at++; at < k->size && k->text[at] != '"'; at++)
		if (k->text[at] == '\\')
			at++;
	return at < k->size ? at + 1 : k->size;
}

static int refuse(const struct keys *k, size_t at, const char *what)
{
	unsigned int line, column;

	locate(k->text, at, &line, &column);
	return error_set(k->err, -EINVAL, "%s:%u:%u: not JSON: %s", k->where, line, column, what);
}

/* RFC 8259, section 6: [ minus ] int [ frac ] [ exp ] */
static bool is_number(const char *s, size_t n)
{
	const char *end = s + n;

	s += s < end && *s == '-';
	if (s < end && *s == '0')
		s++;
	else if (s < end && *s >= '1' && *s <= '9')
		while (s < end && *s >= '0' && *s <= '9')
			s++;
	else
		return false;
	for (int part = 0; part < 2 && s < end; part++) {
		const char *first;

		if (part == 0 ? *s != '.' : (*s != 'e' && *s != 'E'))
			continue;
		s++;
		s += part == 1 && s < end && (*s == '+' || *s == '-');
		first = s;
		while (s < end && *s >= '0' && *s <= '9')
			s++;
		if (s == first)
			return false;
	}
	return s == end;
}

/* A literal or number that begins at `at`; its end goes to *end. */
static int check_token(const struct keys *k, size_t at, size_t *end)
{
	const char *s = k->text + at;
	size_t n = 0;

	while (at + n < k->size && !strchr(" \t\r\n,:[]{}\"", s[n]))
		n++;
	*end = at + n;
	if ((n == 4 && (memcmp(s, "true", 4) == 0 || memcmp(s, "null", 4) == 0)) || (n == 5 && memcmp(s, "false", 5) == 0) ||
	    is_number(s, n))
		return 0;
	return refuse(k, at, "neither a string, a number, true, false nor null");
}

static int check_string(const struct keys *k, size_t at, size_t end)
{
	size_t n;

	for (size_t i = at; i < end; i += n) {
		n = utf8_length((const unsigned char *)k->text + i);
		if (n == 0)
			return refuse(k, i, "not UTF-8");
		if ((unsigned char)k->text[i] < 0x20)
			return refuse(k, i, "a control character in a string");
	}
	return 0;
}

static struct json_object *unescape(const struct keys *k, size_t from, size_t to)
{
	_cleanup_(cleanup_tokenerp) struct json_tokener *t = json_tokener_new();

	return t ? json_tokener_parse_ex(t, k->text + from, (int)(to - from)) : NULL;
}

static int check_keys(struct keys *k)
{
	struct json_object *seen[JSON_MAX_DEPTH + 1] = { 0 };
	bool expect_key[JSON_MAX_DEPTH + 1] = { 0 };
	int depth = 0, r = 0;

	for (size_t i = 0; i < k->size && r == 0; i++) {
		char c = k->text[i];

		if ((c == '{' || c == '[') && depth < JSON_MAX_DEPTH) {
			depth++;
			seen[depth] = c == '{' ? json_object_new_object() : NULL;
			expect_key[depth] = c == '{';
		} else if ((c == '}' || c == ']') && depth > 0) {
			json_object_put(seen[depth]);
			seen[depth--] = NULL;
		} else if (c == ',' && depth > 0) {
			expect_key[depth] = seen[depth] != NULL;
		} else if (c == '"') {
			size_t end = string_end(k, i);

			r = check_string(k, i, end);
			if (r == 0 && depth > 0 && expect_key[depth]) {
				_cleanup_json_ struct json_object *key = unescape(k, i, end);
				const char *name = key ? json_object_get_string(key) : "";

				if (json_object_object_get_ex(seen[depth], name, NULL)) {
					unsigned int line, column;

					locate(k->text, i, &line, &column);
					r = error_set(k->err, -EINVAL, "%s:%u:%u: key \"%s\" is there twice", k->where,
						      line, column, name);
				} else {
					json_object_object_add(seen[depth], name, NULL);
				}
				expect_key[depth] = false;
			}
			i = end - 1;
		} else if (!strchr(" \t\r\n:{}[],", c)) {
			size_t end;

			r = check_token(k, i, &end);
			i = end - 1;
		}
	}
	while (depth > 0)
		json_object_put(seen[depth--]);
	return r;
}

int json_parse(const char *text, size_t size, const char *where, struct json_object **out, struct error *err)
{
	_cleanup_(cleanup_tokenerp) struct json_tokener *t = NULL;
	_cleanup_json_ struct json_object *object = NULL;
	struct keys keys = { .text = text, .size = size, .where = where, .err = err };
	enum json_tokener_error status;
	unsigned int line, column;
	size_t end;
	int r;

	*out = NULL;
	if (size > JSON_MAX_BYTES)
		return error_set(err, -EFBIG, "%s: larger than %u bytes", where, JSON_MAX_BYTES);
	if (size == 0 || strspn(text, " \t\r\n") >= size)
		return error_set(err, -EINVAL, "%s: empty, not JSON", where);
	if (memchr(text, '\0', size))
		return error_set(err, -EINVAL, "%s: not JSON: it has a NUL byte in it", where);
	t = json_tokener_new_ex(JSON_MAX_DEPTH);
	if (!t)
		return error_set(err, -ENOMEM, "%s: out of memory", where);
	json_tokener_set_flags(t, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	object = json_tokener_parse_ex(t, text, (int)size);
	status = json_tokener_get_error(t);
	if (status == json_tokener_continue) { /* a number at the very end, or a text that stops early */
		object = json_tokener_parse_ex(t, "", -1);
		status = json_tokener_get_error(t);
		if (status != json_tokener_success)
			return error_set(err, -EINVAL, "%s: not JSON: it ends too early", where);
		end = size;
	} else {
		end = json_tokener_get_parse_end(t);
	}
	locate(text, end < size ? end : size, &line, &column);
	if (status != json_tokener_success)
		return error_set(err, -EINVAL, "%s:%u:%u: not JSON: %s", where, line, column,
				 json_tokener_error_desc(status));
	if (end < size && end + strspn(text + end, " \t\r\n") < size)
		return error_set(err, -EINVAL, "%s:%u:%u: not JSON: more text after the end", where, line, column);
	r = check_keys(&keys);
	if (r < 0)
		return r;
	*out = steal_ptr(&object);
	return 0;
}

int json_read_file(int dirfd, const char *path, struct json_object **out, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	*out = NULL;
	r = fs_read_file(dirfd, path, JSON_MAX_BYTES, &text, &size, err);
	return r < 0 ? r : json_parse(text, size, path, out, err);
}
