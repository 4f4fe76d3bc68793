/* SPDX-License-Identifier: Apache-2.0 */
/* JA4 of a ClientHello (the TLS client part of the method, BSD licensed). The fingerprint is
 *   transport version sni ciphers extensions alpn _ hash of ciphers _ hash of extensions and signature algorithms
 * GREASE (RFC 8701) is left out everywhere. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netprobe/bytes.h"
#include "netprobe/dissect/cursor.h"
#include "netprobe/fingerprint/digest.h"
#include "netprobe/fingerprint/fingerprint.h"

#define VALUES_MAX 32768 /* a list of two-byte values is at most 65,535 bytes long */
#define HASH_CHARACTERS 12

/* RFC 8446 section 4.2, RFC 6066, RFC 7301 */
enum { EXTENSION_SERVER_NAME = 0, EXTENSION_SIGNATURE_ALGORITHMS = 13, EXTENSION_ALPN = 16, EXTENSION_SUPPORTED_VERSIONS = 43 };

struct hello {
	uint16_t version; /* the highest offered */
	struct span ciphers, extensions, signature_algorithms, alpn;
	bool server_name, versions_listed;
	unsigned cipher_count, extension_count;
};

static bool grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

static unsigned count_values(struct span s)
{
	unsigned n = 0;

	for (size_t i = 0; i + 2 <= s.size; i += 2)
		n += !grease(get_be16(s.data + i));
	return n;
}

/* A vector: its length in two bytes, or in one, and its bytes. */
static struct span vector16(struct cursor *c)
{
	return cursor_span(c, cursor_be16(c));
}

static struct span vector8(struct cursor *c)
{
	return cursor_span(c, cursor_u8(c));
}

static void read_versions(struct cursor body, struct hello *h)
{
	struct span versions = vector8(&body);

	h->versions_listed = true;
	h->version = 0;
	for (size_t i = 0; i + 2 <= versions.size; i += 2) {
		uint16_t v = get_be16(versions.data + i);

		if (!grease(v) && v > h->version)
			h->version = v;
	}
}

static void read_alpn(struct cursor body, struct hello *h)
{
	struct cursor names = cursor_of(vector16(&body));

	h->alpn = vector8(&names);
}

static int read_extensions(struct hello *h)
{
	struct cursor c = cursor_of(h->extensions);

	while (c.left > 0) {
		uint16_t type = cursor_be16(&c);
		struct cursor body = cursor_of(vector16(&c));

		if (c.failed)
			return -EBADMSG;
		h->extension_count += !grease(type);
		switch (type) {
		case EXTENSION_SERVER_NAME:
			h->server_name = true;
			break;
		case EXTENSION_SIGNATURE_ALGORITHMS:
			h->signature_algorithms = vector16(&body);
			break;
		case EXTENSION_ALPN:
			read_alpn(body, h);
			break;
		case EXTENSION_SUPPORTED_VERSIONS:
			read_versions(body, h);
			break;
		default:
			break;
		}
	}
	return 0;
}

/* RFC 8446 section 4.1.2; RFC 6347 section 4.2.1 for the cookie. */
static int read_hello(struct span body, bool cookie, struct hello *h)
{
	struct cursor c = cursor_of(body);

	h->version = cursor_be16(&c);
	cursor_skip(&c, 32); /* random */
	(void)vector8(&c);         /* session id */
	if (cookie)
		(void)vector8(&c);
	h->ciphers = vector16(&c);
	(void)vector8(&c); /* compression methods */
	if (!c.failed && c.left > 0)
		h->extensions = vector16(&c);
	if (c.failed || h->ciphers.size % 2 || h->version >> 8 == 0)
		return -EBADMSG;
	h->cipher_count = count_values(h->ciphers);
	return read_extensions(h);
}

static const char *version_name(uint16_t version)
{
	switch (version) {
	case 0x0304:
		return "13";
	case 0x0303:
		return "12";
	case 0x0302:
		return "11";
	case 0x0301:
		return "10";
	case 0x0300:
		return "s3";
	case 0x0002:
		return "s2";
	case 0xfeff:
		return "d1";
	case 0xfefd:
		return "d2";
	case 0xfefc:
		return "d3";
	default:
		return "00";
	}
}

static bool alphanumeric(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* First and last character of the first protocol offered; where they are none, of its bytes in hex; 99 where it is no ASCII
 * from the start; 00 without one. */
static void alpn_characters(struct span alpn, char out[3])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t first, last;

	out[0] = out[1] = '0';
	out[2] = '\0';
	if (alpn.size == 0)
		return;
	first = alpn.data[0];
	last = alpn.data[alpn.size - 1];
	if (first >= 0x80) {
		out[0] = out[1] = '9';
	} else if (alphanumeric(first) && alphanumeric(last)) {
		out[0] = (char)first;
		out[1] = (char)last;
	} else {
		out[0] = digits[first >> 4];
		out[1] = digits[last & 0x0f];
	}
}

static void sift(uint16_t *v, size_t root, size_t n)
{
	for (;;) {
		size_t child = root * 2 + 1;
		uint16_t swap;

		if (child >= n)
			return;
		if (child + 1 < n && v[child + 1] > v[child])
			child++;
		if (v[child] <= v[root])
			return;
		swap = v[root];
		v[root] = v[child];
		v[child] = swap;
		root = child;
	}
}

/* Heap sort: bounded for any input, and unlike qsort(3) without memory of its own. */
static void sort(uint16_t *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift(v, i, n);
	for (size_t end = n; end-- > 1;) {
		uint16_t largest = v[0];

		v[0] = v[end];
		v[end] = largest;
		sift(v, 0, end);
	}
}

/* Adds the values in four hex digits each, with commas between them. */
static void hash_values(struct digest *d, const uint16_t *v, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		char text[5] = { ',', digits[v[i] >> 12], digits[v[i] >> 8 & 15], digits[v[i] >> 4 & 15], digits[v[i] & 15] };

		digest_add(d, i ? text : text + 1, i ? 5 : 4);
	}
}

static size_t list_values(struct span s, uint16_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i + 2 <= s.size && n < VALUES_MAX; i += 2) {
		uint16_t v = get_be16(s.data + i);

		if (!grease(v))
			out[n++] = v;
	}
	return n;
}

static size_t list_extensions(struct span s, uint16_t *out)
{
	struct cursor c = cursor_of(s);
	size_t n = 0;

	while (c.left > 0 && n < VALUES_MAX) {
		uint16_t type = cursor_be16(&c);

		(void)vector16(&c);
		if (!grease(type) && type != EXTENSION_SERVER_NAME && type != EXTENSION_ALPN)
			out[n++] = type;
	}
	return n;
}

/* The hash of the sorted values, and behind a "_" of the signature algorithms as they come; zeros when there are no values. */
static int hash_part(uint16_t *values, size_t n, struct span algorithms, char out[HASH_CHARACTERS + 1])
{
	struct digest d;

	if (n == 0) {
		memset(out, '0', HASH_CHARACTERS);
		out[HASH_CHARACTERS] = '\0';
		return 0;
	}
	sort(values, n);
	digest_begin(&d, DIGEST_SHA256);
	hash_values(&d, values, n);
	n = list_values(algorithms, values);
	if (n > 0) {
		digest_add(&d, "_", 1);
		hash_values(&d, values, n);
	}
	return digest_end(&d, out, HASH_CHARACTERS);
}

static unsigned at_most_99(unsigned n)
{
	return n < 99 ? n : 99;
}

int ja4_client_hello(struct span body, char transport, char out[JA4_BYTES])
{
	struct hello h = { 0 };
	uint16_t values[VALUES_MAX];
	char ciphers[HASH_CHARACTERS + 1], extensions[HASH_CHARACTERS + 1], alpn[3];
	int r = read_hello(body, transport == 'd', &h);

	out[0] = '\0';
	if (r == 0)
		r = hash_part(values, list_values(h.ciphers, values), (struct span){ 0 }, ciphers);
	if (r == 0)
		r = hash_part(values, list_extensions(h.extensions, values), h.signature_algorithms, extensions);
	if (r < 0)
		return r;
	alpn_characters(h.alpn, alpn);
	(void)snprintf(out, JA4_BYTES, "%c%s%c%02u%02u%s_%s_%s", transport, version_name(h.version), h.server_name ? 'd' : 'i',
		       at_most_99(h.cipher_count), at_most_99(h.extension_count), alpn, ciphers, extensions);
	return 0;
}
