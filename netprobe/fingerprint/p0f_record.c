/* SPDX-License-Identifier: Apache-2.0 */
/* A `sig` value of the sections tcp:request and tcp:response:
 * version:initial TTL:IP options:MSS:window,scale:option layout:quirks:payload class */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netprobe/fingerprint/p0f.h"

#define FIELDS 8u

enum { FIELD_VERSION, FIELD_TTL, FIELD_IP_OPTIONS, FIELD_MSS, FIELD_WINDOW, FIELD_LAYOUT, FIELD_QUIRKS, FIELD_PAYLOAD };

/* A piece of text. */
struct piece {
	const char *at;
	size_t size;
};

static bool is(struct piece p, const char *text)
{
	return strlen(text) == p.size && memcmp(p.at, text, p.size) == 0;
}

/* The part before `mark`, which it takes off *p together with the mark; all of it when there is none. */
static struct piece cut(struct piece *p, char mark)
{
	const char *end = p->size ? memchr(p->at, mark, p->size) : NULL;
	struct piece part = { p->at, end ? (size_t)(end - p->at) : p->size };
	size_t gone = part.size + (end != NULL);

	p->at += gone;
	p->size -= gone;
	return part;
}

static bool starts(struct piece *p, const char *prefix)
{
	size_t n = strlen(prefix);

	if (p->size < n || memcmp(p->at, prefix, n) != 0)
		return false;
	p->at += n;
	p->size -= n;
	return true;
}

/* A decimal number up to `limit`. */
static bool number(struct piece p, uint32_t limit, uint32_t *out)
{
	uint32_t n = 0;

	if (p.size == 0 || p.size > 5)
		return false;
	for (size_t i = 0; i < p.size; i++) {
		if (p.at[i] < '0' || p.at[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(p.at[i] - '0');
	}
	*out = n;
	return n <= limit;
}

/* As number, or "*": P0F_ANY. */
static bool number_or_any(struct piece p, uint32_t limit, int32_t *out)
{
	uint32_t n = 0;

	if (is(p, "*")) {
		*out = P0F_ANY;
		return true;
	}
	if (!number(p, limit, &n))
		return false;
	*out = (int32_t)n;
	return true;
}

static bool parse_version(struct piece p, struct p0f_record *r)
{
	r->ip_version = is(p, "*") ? P0F_ANY : is(p, "4") ? 4 : is(p, "6") ? 6 : 0;
	return r->ip_version != 0;
}

/* "64", "64-" (any up to it), or as it was observed: "54+10", "54+?". */
static bool parse_ttl(struct piece p, struct p0f_record *r)
{
	struct piece seen;
	uint32_t ttl, distance = 0;

	if (p.size > 1 && p.at[p.size - 1] == '-') {
		r->random_ttl = true;
		p.size--;
	}
	seen = cut(&p, '+');
	if (!number(seen, 255, &ttl) || ttl == 0)
		return false;
	if (p.size && is(p, "?"))
		distance = p0f_guess_distance((uint8_t)ttl);
	else if (p.size && (!number(p, 255, &distance) || r->random_ttl))
		return false;
	r->ttl = (uint8_t)(ttl + distance);
	return ttl + distance <= 255;
}

static bool parse_ip_options(struct piece p, struct p0f_record *r)
{
	uint32_t n = 0;
	bool ok = number(p, 255, &n);

	r->ip_options = (uint8_t)n;
	return ok;
}

static bool parse_window(struct piece p, struct p0f_record *r)
{
	struct piece window = cut(&p, ',');
	int32_t scale = 0;
	uint32_t n = 0;

	if (!number_or_any(p, 255, &scale))
		return false;
	r->scale = (int16_t)scale;
	if (is(window, "*"))
		return true; /* WINDOW_ANY */
	if (starts(&window, "%"))
		r->window_kind = WINDOW_MODULO;
	else if (starts(&window, "mss*"))
		r->window_kind = WINDOW_MSS;
	else if (starts(&window, "mtu*"))
		r->window_kind = WINDOW_MTU;
	else
		r->window_kind = WINDOW_EXACT;
	if (!number(window, 65535, &n) || (n == 0 && r->window_kind != WINDOW_EXACT))
		return false;
	r->window = (uint16_t)n;
	return true;
}

static bool parse_option(struct piece p, struct p0f_layout *l)
{
	uint32_t n = 0;

	if (l->count == P0F_OPTIONS_MAX)
		return false;
	if (starts(&p, "eol+")) {
		if (!number(p, 255, &n))
			return false;
		l->eol_padding = (uint8_t)n;
		l->kinds[l->count++] = OPTION_EOL;
		return true;
	}
	if (starts(&p, "?")) {
		if (!number(p, 255, &n))
			return false;
		l->kinds[l->count++] = (uint8_t)n;
		return true;
	}
	for (unsigned kind = OPTION_NOP; kind <= OPTION_TS; kind++) {
		const char *name = p0f_option_name((uint8_t)kind);

		if (name && is(p, name)) {
			l->kinds[l->count++] = (uint8_t)kind;
			return true;
		}
	}
	return false;
}

static bool parse_layout(struct piece p, struct p0f_record *r)
{
	while (p.size > 0) {
		struct piece option = cut(&p, ',');

		if (!parse_option(option, &r->layout))
			return false;
	}
	return true;
}

static bool parse_quirks(struct piece p, struct p0f_record *r)
{
	while (p.size > 0) {
		struct piece quirk = cut(&p, ',');
		unsigned q = 0;

		while (q < QUIRKS && !is(quirk, p0f_quirk_names[q]))
			q++;
		if (q == QUIRKS)
			return false;
		r->quirks |= QUIRK(q);
	}
	return true;
}

static bool parse_mss(struct piece p, struct p0f_record *r)
{
	return number_or_any(p, 65535, &r->mss);
}

static bool parse_payload(struct piece p, struct p0f_record *r)
{
	r->payload = is(p, "+") ? 1 : is(p, "*") ? P0F_ANY : 0;
	return r->payload || is(p, "0");
}

int p0f_record_parse(const char *text, struct p0f_record *out, const char **why)
{
	static const struct {
		bool (*parse)(struct piece p, struct p0f_record *r);
		const char *wrong;
	} fields[FIELDS] = {
		[FIELD_VERSION] = { parse_version, "the IP version is not 4, 6 or *" },
		[FIELD_TTL] = { parse_ttl, "the initial TTL is wrong" },
		[FIELD_IP_OPTIONS] = { parse_ip_options, "the length of the IP options is wrong" },
		[FIELD_MSS] = { parse_mss, "the MSS is wrong" },
		[FIELD_WINDOW] = { parse_window, "the window or its scale is wrong" },
		[FIELD_LAYOUT] = { parse_layout, "the layout of the TCP options is wrong" },
		[FIELD_QUIRKS] = { parse_quirks, "there is no such quirk" },
		[FIELD_PAYLOAD] = { parse_payload, "the payload class is not 0, + or *" },
	};
	struct piece left = { text, strlen(text) };
	unsigned marks = 0;

	*out = (struct p0f_record){ .next = -1 };
	for (size_t i = 0; i < left.size; i++)
		marks += text[i] == ':';
	*why = "a signature has eight fields with colons between them";
	if (marks != FIELDS - 1)
		return -EINVAL;
	for (unsigned i = 0; i < FIELDS; i++) {
		*why = fields[i].wrong;
		if (!fields[i].parse(cut(&left, ':'), out))
			return -EINVAL;
	}
	return 0;
}
