/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fingerprint/banner.h"

#include <string.h>
#include <strings.h>

#define BANNER_BYTES_MAX 2048u

/* A banner can be set to anything; one that tells its version is most often the truth. */
#define CONFIDENCE_VERSION 0.9
#define CONFIDENCE_PRODUCT 0.75

static const struct {
	const char *name, *label;
} protocols[BANNER_PROTOCOLS] = {
	[BANNER_SSH] = { "ssh", "serviceradar:ssh" },   [BANNER_HTTP] = { "http", "serviceradar:http" },
	[BANNER_SMTP] = { "smtp", "serviceradar:smtp" }, [BANNER_FTP] = { "ftp", "serviceradar:ftp" },
	[BANNER_SMB] = { "smb", "serviceradar:smb" },
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool alphanumeric(uint8_t c)
{
	return digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

static struct span behind(struct span s, size_t n)
{
	return n < s.size ? (struct span){ s.data + n, s.size - n } : (struct span){ 0 };
}

static bool starts(struct span s, const char *text)
{
	size_t n = strlen(text);

	if (s.size < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(s.data[i]) != lower((uint8_t)text[i]))
			return false;
	return true;
}

/* Without what is white around it. */
static struct span trim(struct span s)
{
	while (s.size && s.data[0] <= ' ')
		s = behind(s, 1);
	while (s.size && s.data[s.size - 1] <= ' ')
		s.size--;
	return s;
}

/* The first line, which is taken off *s. */
static struct span line_of(struct span *s)
{
	const uint8_t *end = s->size ? memchr(s->data, '\n', s->size) : NULL;
	struct span line = { s->data, end ? (size_t)(end - s->data) : s->size };

	*s = behind(*s, line.size + 1);
	return trim(line);
}

/* Behind the text stands what can stand behind a product's name: not more letters, and nothing of a host name. */
static bool ends_word(struct span s)
{
	return s.size == 0 || (!alphanumeric(s.data[0]) && s.data[0] != '.' && s.data[0] != '-') ||
	       (s.data[0] == '.' && (s.size == 1 || s.data[1] <= ' '));
}

/* ---- what of a banner is the text to look at ---- */

/* SSH-2.0-softwareversion comments; lines before it are allowed (RFC 4253 section 4.2). Without "SSH-" it is the software
 * version. */
static struct span text_ssh(struct span s)
{
	struct span left = s;

	while (left.size) {
		struct span line = line_of(&left);
		const uint8_t *dash;

		if (!starts(line, "SSH-"))
			continue;
		line = behind(line, 4);
		dash = line.size ? memchr(line.data, '-', line.size) : NULL;
		return dash ? behind(line, (size_t)(dash - line.data) + 1) : (struct span){ 0 };
	}
	return line_of(&s);
}

/* The value of the Server header; of bytes that are no HTTP response, the first line. */
static struct span text_http(struct span s)
{
	struct span left = s, line;

	if (!starts(s, "HTTP/")) {
		line = line_of(&s);
		return starts(line, "Server:") ? trim(behind(line, 7)) : line;
	}
	(void)line_of(&left);
	while (left.size) {
		line = line_of(&left);
		if (line.size == 0) /* the end of the head: a body says nothing of the server */
			break;
		if (starts(line, "Server:"))
			return trim(behind(line, 7));
	}
	return (struct span){ 0 };
}

/* Behind a reply code: "220 " or "220-". */
static struct span behind_code(struct span s)
{
	bool code = s.size >= 4 && digit(s.data[0]) && digit(s.data[1]) && digit(s.data[2]) &&
		    (s.data[3] == ' ' || s.data[3] == '-');

	return code ? trim(behind(s, 4)) : s;
}

/* The host names itself first; what it is called is not what it runs. */
static struct span text_smtp(struct span s)
{
	struct span line = line_of(&s), text = behind_code(line);
	const uint8_t *space = text.size ? memchr(text.data, ' ', text.size) : NULL;

	if (text.data == line.data) /* no greeting, but the bare text */
		return text;
	return space ? trim(behind(text, (size_t)(space - text.data))) : (struct span){ 0 };
}

/* A greeting may have several lines: the product stands in any of them. */
static struct span text_ftp(struct span s)
{
	return behind_code(trim(s));
}

static struct span text_smb(struct span s)
{
	return line_of(&s);
}

static struct span text_of(enum banner_protocol p, struct span s)
{
	static struct span (*const texts[BANNER_PROTOCOLS])(struct span s) = {
		[BANNER_SSH] = text_ssh, [BANNER_HTTP] = text_http, [BANNER_SMTP] = text_smtp,
		[BANNER_FTP] = text_ftp, [BANNER_SMB] = text_smb,
	};

	return texts[p](s);
}

/* ---- matching ---- */

/* Finds `word` as a word; *at is where it begins. */
static bool find_word(struct span s, const char *word, bool at_start, size_t *at)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s.size; i++) {
		if ((i == 0 || !alphanumeric(s.data[i - 1])) && starts(behind(s, i), word) && ends_word(behind(s, i + n))) {
			*at = i;
			return true;
		}
		if (at_start)
			break;
	}
	return false;
}

/* As find_word at the start; the version may follow behind a dash (Cisco-1.25). */
static bool find_product(struct span s, const struct banner_pattern *p, size_t *at)
{
	size_t n = strlen(p->text);

	if (find_word(s, p->text, p->at_start, at))
		return true;
	*at = 0;
	return p->at_start && starts(s, p->text) && s.size > n && s.data[n] == '-';
}

static bool one_of(uint8_t c, const char *set)
{
	return c && strchr(set, c);
}

/* The version behind a product: behind a mark or two and perhaps the word, it begins with a digit. */
static void copy_version(struct span s, char *out, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < 2 && s.size && one_of(s.data[0], " /_-(:"); i++)
		s = behind(s, 1);
	if (starts(s, "version "))
		s = behind(s, 8);
	else if (starts(s, "v"))
		s = behind(s, 1);
	if (s.size && digit(s.data[0]))
		while (n < s.size && n + 1 < size && (alphanumeric(s.data[n]) || one_of(s.data[n], "._-+"))) {
			out[n] = (char)s.data[n];
			n++;
		}
	while (n > 0 && !alphanumeric((uint8_t)out[n - 1]))
		n--;
	out[n] = '\0';
}

static const char *system_in(struct span s)
{
	size_t at;

	for (size_t i = 0; i < banner_system_count; i++) {
		size_t n = strlen(banner_systems[i].word);

		for (size_t from = 0; from + n <= s.size; from++)
			if ((from == 0 || !alphanumeric(s.data[from - 1])) && starts(behind(s, from), banner_systems[i].word)) {
				at = from + n;
				if (at == s.size || !alphanumeric(s.data[at]))
					return banner_systems[i].os_family;
			}
	}
	return NULL;
}

/* The system that the comment behind a product names. Of SSH that is the rest; else what stands in parentheses, so that a
 * greeting's words ("Welcome to the Linux mirror") are not taken for it. */
static const char *find_system(enum banner_protocol p, struct span s)
{
	if (p == BANNER_SSH || p == BANNER_SMB)
		return system_in(s);
	while (s.size) {
		const uint8_t *open = memchr(s.data, '(', s.size), *close;
		const char *family;

		s = open ? behind(s, (size_t)(open - s.data) + 1) : (struct span){ 0 };
		close = s.size ? memchr(s.data, ')', s.size) : NULL;
		if (!close)
			return NULL;
		family = system_in((struct span){ s.data, (size_t)(close - s.data) });
		if (family)
			return family;
		s = behind(s, (size_t)(close - s.data) + 1);
	}
	return NULL;
}

static bool protocol_of(const char *name, enum banner_protocol *out)
{
	for (unsigned i = 0; i < BANNER_PROTOCOLS; i++)
		if (strcasecmp(name, protocols[i].name) == 0) {
			*out = (enum banner_protocol)i;
			return true;
		}
	return false;
}

void banner_match(const char *protocol, struct span banner, struct banner_match *out)
{
	enum banner_protocol p;
	struct span text;

	*out = (struct banner_match){ BANNER_UNKNOWN, BANNER_UNKNOWN, BANNER_UNKNOWN, "", "", 0 };
	if (!protocol_of(protocol, &p))
		return;
	if (banner.size > BANNER_BYTES_MAX)
		banner.size = BANNER_BYTES_MAX;
	text = text_of(p, banner);
	for (size_t i = 0; i < banner_pattern_count; i++) {
		const struct banner_pattern *pattern = &banner_patterns[i];
		size_t at;

		if (pattern->protocol != p || !find_product(text, pattern, &at))
			continue;
		text = behind(text, at + strlen(pattern->text));
		copy_version(text, out->version, sizeof(out->version));
		out->corpus_label = protocols[p].label;
		out->product = pattern->product;
		out->pattern = pattern->id;
		out->os_family = pattern->os_family ? pattern->os_family : find_system(p, text);
		if (!out->os_family)
			out->os_family = BANNER_UNKNOWN;
		out->confidence = *out->version ? CONFIDENCE_VERSION : CONFIDENCE_PRODUCT;
		return;
	}
}
