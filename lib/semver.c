/* SPDX-License-Identifier: Apache-2.0 */
/* Semantic versions, semver.org 2.0.0: syntax (sections 2, 9, 10) and precedence (section 11). */
#include <stdlib.h>
#include <string.h>

#include "lib/manifest.h"

#define VERSION_MAX 64

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool identifier_char(char c)
{
	return digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* A number without leading zeros; the end of it, or NULL. */
static const char *number(const char *s)
{
	const char *p = s;

	while (digit(*p))
		p++;
	return p == s || (*s == '0' && p - s > 1) ? NULL : p;
}

/* Dot-separated identifiers; numeric ones may have leading zeros only in build metadata. */
static const char *identifiers(const char *s, bool leading_zeros)
{
	for (;;) {
		const char *p = s;
		bool numeric = true;

		for (; identifier_char(*p); p++)
			numeric = numeric && digit(*p);
		if (p == s || (numeric && !leading_zeros && *s == '0' && p - s > 1))
			return NULL;
		if (*p != '.')
			return p;
		s = p + 1;
	}
}

bool semver_valid(const char *s)
{
	if (!s || strlen(s) > VERSION_MAX)
		return false;
	for (int i = 0; i < 3; i++) {
		s = number(s);
		if (!s || (i < 2 && *s++ != '.'))
			return false;
	}
	if (*s == '-')
		s = identifiers(s + 1, false);
	if (s && *s == '+')
		s = identifiers(s + 1, true);
	return s && !*s;
}

/* Numbers of any length: without leading zeros the longer one is larger. */
static int compare_numbers(const char *a, size_t na, const char *b, size_t nb)
{
	if (na != nb)
		return na < nb ? -1 : 1;
	return strncmp(a, b, na);
}

static int compare_identifiers(const char *a, size_t na, const char *b, size_t nb)
{
	bool numeric_a = strspn(a, "0123456789") >= na, numeric_b = strspn(b, "0123456789") >= nb;
	int r;

	if (numeric_a != numeric_b)
		return numeric_a ? -1 : 1;
	if (numeric_a)
		return compare_numbers(a, na, b, nb);
	r = strncmp(a, b, na < nb ? na : nb);
	return r || na == nb ? r : (na < nb ? -1 : 1);
}

int semver_compare(const char *a, const char *b)
{
	int r;

	for (int i = 0; i < 3; i++) {
		size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");

		r = compare_numbers(a, na, b, nb);
		if (r)
			return r;
		a += na + (i < 2);
		b += nb + (i < 2);
	}
	if (*a != '-' || *b != '-') /* a pre-release comes before its release */
		return (*a != '-') - (*b != '-');
	a++;
	b++;
	for (;;) {
		size_t na = strcspn(a, ".+"), nb = strcspn(b, ".+");
		bool more_a, more_b;

		r = compare_identifiers(a, na, b, nb);
		if (r)
			return r;
		more_a = a[na] == '.';
		more_b = b[nb] == '.';
		if (!more_a || !more_b)
			return more_a - more_b;
		a += na + 1;
		b += nb + 1;
	}
}
