/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/fingerprint/ja4.c netprobe/fingerprint/hassh.c netprobe/fingerprint/digest.c netprobe/fingerprint/prepare.c */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "lib/cleanup.h"
#include "netprobe/fingerprint/fingerprint.h"
#include "tests/unit/unit.h"

struct bytes {
	uint8_t data[80 * 1024];
	size_t size;
};

static void add(struct bytes *b, const void *data, size_t size)
{
	assert_true(b->size + size <= sizeof(b->data));
	if (size)
		memcpy(b->data + b->size, data, size);
	b->size += size;
}

static void add8(struct bytes *b, unsigned v)
{
	add(b, &(uint8_t){ (uint8_t)v }, 1);
}

static void add16(struct bytes *b, unsigned v)
{
	add8(b, v >> 8);
	add8(b, v & 0xff);
}

static void add_list(struct bytes *b, const uint16_t *values, size_t n)
{
	add16(b, (unsigned)n * 2);
	for (size_t i = 0; i < n; i++)
		add16(b, values[i]);
}

/* version, random, session id, cookie (DTLS), ciphers, compression; then the extensions. */
static void begin_hello(struct bytes *b, unsigned version, bool cookie, const uint16_t *ciphers, size_t n)
{
	b->size = 0;
	add16(b, version);
	for (int i = 0; i < 32; i++)
		add8(b, 0xaa);
	add8(b, 0);
	if (cookie)
		add8(b, 0);
	add_list(b, ciphers, n);
	add16(b, 0x0100);
}

static void add_extension(struct bytes *b, unsigned type, const void *body, size_t size)
{
	add16(b, type);
	add16(b, (unsigned)size);
	add(b, body, size);
}

#define EXTENSION(b, type, ...) add_extension((b), (type), (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void end_hello(struct bytes *b, const struct bytes *extensions)
{
	add16(b, (unsigned)extensions->size);
	add(b, extensions->data, extensions->size);
}

static const char *ja4(const struct bytes *b, char transport)
{
	static char out[JA4_BYTES];
	_cleanup_free_ uint8_t *exact = malloc(b->size ? b->size : 1); /* a sanitizer sees a read beyond it */

	assert_non_null(exact);
	memcpy(exact, b->data, b->size);
	if (ja4_client_hello((struct span){ exact, b->size }, transport, out) < 0)
		return NULL;
	return out;
}

/* The first 12 digits of the SHA-256 of a text, as the method is defined, computed by another way than ja4.c's. */
static const char *hash12(const char *text)
{
	static char out[2][13];
	static unsigned turn;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char *to = out[turn++ % 2];

	assert_int_equal(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL), 1);
	for (int i = 0; i < 6; i++)
		snprintf(to + i * 2, 3, "%02x", digest[i]);
	return to;
}

static void ja4_is(const struct bytes *b, char transport, const char *head, const char *ciphers, const char *extensions)
{
	const char *got = ja4(b, transport);
	char expected[64];

	snprintf(expected, sizeof(expected), "%s_%s_%s", head, *ciphers ? hash12(ciphers) : "000000000000",
		 *extensions ? hash12(extensions) : "000000000000");
	assert_non_null(got);
	assert_string_equal(got, expected);
}

static void a_full_hello(void **state)
{
	static struct bytes b, e;

	(void)state;
	begin_hello(&b, 0x0303, false, (const uint16_t[]){ 0x2a2a, 0x1303, 0x1301, 0xc02f, 0x1302 }, 5);
	e.size = 0;
	EXTENSION(&e, 0x3a3a, 0);
	EXTENSION(&e, 0, 0, 4, 0, 0, 1, 'x');
	EXTENSION(&e, 43, 7, 0x6a, 0x6a, 3, 4, 3, 3, 3);
	EXTENSION(&e, 13, 0, 8, 8, 4, 4, 3, 0x1a, 0x1a, 2, 1);
	EXTENSION(&e, 16, 0, 12, 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1');
	EXTENSION(&e, 51, 0);
	EXTENSION(&e, 0xff01, 0);
	end_hello(&b, &e);
	ja4_is(&b, 't', "t13d0406h2", "1301,1302,1303,c02f", "000d,002b,0033,ff01_0804,0403,0201");
	ja4_is(&b, 'q', "q13d0406h2", "1301,1302,1303,c02f", "000d,002b,0033,ff01_0804,0403,0201");
}

static void hellos_with_little_in_them(void **state)
{
	static struct bytes b, e;

	(void)state;
	begin_hello(&b, 0x0301, false, (const uint16_t[]){ 0x000a }, 1); /* no extensions at all */
	ja4_is(&b, 't', "t10i010000", "000a", "");
	begin_hello(&b, 0x0300, false, NULL, 0);
	ja4_is(&b, 't', "ts3i000000", "", "");
	e.size = 0; /* nothing left without the name and ALPN */
	EXTENSION(&e, 0, 0);
	EXTENSION(&e, 16, 0, 3, 2, 'h', '3');
	begin_hello(&b, 0x0303, false, (const uint16_t[]){ 0x1301 }, 1);
	end_hello(&b, &e);
	ja4_is(&b, 'q', "q12d0102h3", "1301", "");
	e.size = 0; /* no signature algorithms: no underscore */
	EXTENSION(&e, 10, 0);
	begin_hello(&b, 0x0302, false, (const uint16_t[]){ 0x1301 }, 1);
	end_hello(&b, &e);
	ja4_is(&b, 't', "t11i010100", "1301", "000a");
}

static void dtls_has_a_cookie(void **state)
{
	static struct bytes b;

	(void)state;
	begin_hello(&b, 0xfefd, true, (const uint16_t[]){ 0xc02b, 0xc02f }, 2);
	ja4_is(&b, 'd', "dd2i020000", "c02b,c02f", "");
	begin_hello(&b, 0xfeff, true, (const uint16_t[]){ 0xc02b }, 1);
	ja4_is(&b, 'd', "dd1i010000", "c02b", "");
}

static void alpn_is(const uint8_t *name, uint8_t size, const char *expected)
{
	static struct bytes b, e;
	uint8_t body[300] = { 0, (uint8_t)(size + 1), size };
	const char *got;

	memcpy(body + 3, name, size);
	e.size = 0;
	add_extension(&e, 16, body, size + 3u);
	begin_hello(&b, 0x0303, false, (const uint16_t[]){ 0x1301 }, 1);
	end_hello(&b, &e);
	got = ja4(&b, 't');
	assert_non_null(got);
	assert_memory_equal(got + 8, expected, 2);
}

static void alpn_characters(void **state)
{
	(void)state;
	alpn_is((const uint8_t *)"http/1.1", 8, "h1");
	alpn_is((const uint8_t *)"x", 1, "xx");
	alpn_is((const uint8_t *)"", 0, "00");
	alpn_is((const uint8_t[]){ 0x80, 'a' }, 2, "99");
	alpn_is((const uint8_t[]){ 0x3a, 0x3a }, 2, "3a"); /* GREASE that is ASCII: in hex */
	alpn_is((const uint8_t[]){ 'a', 0xfe }, 2, "6e");
}

static void counts_stop_at_99(void **state)
{
	static struct bytes b, e;
	uint16_t ciphers[120];
	const char *got;

	(void)state;
	for (size_t i = 0; i < 120; i++)
		ciphers[i] = (uint16_t)(0x9000 - i);
	e.size = 0;
	for (unsigned i = 0; i < 100; i++)
		add_extension(&e, 100 + i, NULL, 0);
	begin_hello(&b, 0x0303, false, ciphers, 120);
	end_hello(&b, &e);
	got = ja4(&b, 't');
	assert_non_null(got);
	assert_memory_equal(got, "t12i999900", 10);
}

static void the_highest_version_counts(void **state)
{
	static const struct {
		uint8_t low[2];
		const char *name;
	} versions[] = { { { 3, 4 }, "13" }, { { 3, 3 }, "12" }, { { 3, 2 }, "11" }, { { 3, 1 }, "10" }, { { 3, 0 }, "s3" },
			 { { 0xfe, 0xfd }, "d2" }, { { 0xfe, 0xff }, "d1" }, { { 0xfe, 0xfc }, "d3" }, { { 0x7f, 0x1c }, "00" } };
	static struct bytes b, e;

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const char *got;

		e.size = 0;
		EXTENSION(&e, 43, 6, 2, 0, versions[i].low[0], versions[i].low[1], 2, 1);
		begin_hello(&b, 0x0301, false, (const uint16_t[]){ 0x1301 }, 1);
		end_hello(&b, &e);
		got = ja4(&b, 't');
		assert_non_null(got);
		assert_memory_equal(got + 1, versions[i].name, 2);
	}
}

static void what_is_cut_off_is_no_hello(void **state)
{
	static struct bytes b, e, part;
	size_t without = 0;

	(void)state;
	e.size = 0;
	EXTENSION(&e, 10, 0, 2, 0, 29);
	begin_hello(&b, 0x0303, false, (const uint16_t[]){ 0x1301 }, 1);
	without = b.size;
	end_hello(&b, &e);
	assert_non_null(ja4(&b, 't'));
	for (size_t n = 0; n < b.size; n++) {
		part.size = 0;
		add(&part, b.data, n);
		if (n == without) /* a hello without extensions */
			assert_non_null(ja4(&part, 't'));
		else
			assert_null(ja4(&part, 't'));
	}
	b.data[0] = 0; /* a version that TLS never had */
	assert_null(ja4(&b, 't'));
}

static void the_longest_lists(void **state)
{
	static struct bytes b;
	static uint16_t ciphers[32767];

	(void)state;
	for (size_t i = 0; i < 32767; i++)
		ciphers[i] = (uint16_t)(i * 7);
	begin_hello(&b, 0x0303, false, ciphers, 32767);
	assert_non_null(ja4(&b, 't'));
}

/* ---- HASSH ---- */

static void begin_kexinit(struct bytes *b, const char *const lists[10])
{
	b->size = 0;
	add8(b, 20);
	for (int i = 0; i < 16; i++)
		add8(b, (unsigned)i);
	for (int i = 0; i < 10; i++) {
		add16(b, 0);
		add16(b, (unsigned)strlen(lists[i]));
		add(b, lists[i], strlen(lists[i]));
	}
	add8(b, 0);
	add16(b, 0);
	add16(b, 0);
}

static const char *const lists[10] = { "kex1,kex2", "hostkey", "cipher-c", "cipher-s", "mac-c", "mac-s", "none,zlib", "none", "", "" };

static void hassh_is(bool server, const char *text)
{
	static struct bytes b;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char expected[33], got[HASSH_BYTES];

	begin_kexinit(&b, lists);
	assert_int_equal(hassh_kexinit((struct span){ b.data, b.size }, server, got), 0);
	assert_int_equal(EVP_Digest(text, strlen(text), digest, NULL, EVP_md5(), NULL), 1);
	for (int i = 0; i < 16; i++)
		snprintf(expected + i * 2, 3, "%02x", digest[i]);
	assert_string_equal(got, expected);
}

static void hassh_of_client_and_server(void **state)
{
	(void)state;
	hassh_is(false, "kex1,kex2;cipher-c;mac-c;none,zlib");
	hassh_is(true, "kex1,kex2;cipher-s;mac-s;none");
}

static void what_is_cut_off_is_no_kexinit(void **state)
{
	static struct bytes b;
	char got[HASSH_BYTES];

	(void)state;
	begin_kexinit(&b, lists);
	for (size_t n = 0; n < b.size; n++)
		assert_int_equal(hassh_kexinit((struct span){ b.data, n }, false, got), -EBADMSG);
	b.data[0] = 21;
	assert_int_equal(hassh_kexinit((struct span){ b.data, b.size }, false, got), -EBADMSG);
	assert_string_equal(got, "");
}

/* Of libcrypto; ja4.c and hassh.c have no allocation of their own. */
static unsigned allocations;

static void *count_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return malloc(size);
}

static void *count_realloc(void *p, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	allocations++;
	return realloc(p, size);
}

static void plain_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static void nothing_is_allocated(void **state)
{
	static struct bytes b, k;
	char out[JA4_BYTES];
	struct error err;

	(void)state;
	assert_int_equal(fingerprint_prepare(&err), 0);
	EVP_MD_CTX_free(EVP_MD_CTX_new());
	assert_int_not_equal(allocations, 0); /* they are counted */
	begin_hello(&b, 0x0303, false, (const uint16_t[]){ 0x1301, 0x1302 }, 2);
	begin_kexinit(&k, lists);
	allocations = 0;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(ja4_client_hello((struct span){ b.data, b.size }, 't', out), 0);
		assert_int_equal(hassh_kexinit((struct span){ k.data, k.size }, true, out), 0);
	}
	assert_int_equal(allocations, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_allocated),
		cmocka_unit_test(a_full_hello),
		cmocka_unit_test(hellos_with_little_in_them),
		cmocka_unit_test(dtls_has_a_cookie),
		cmocka_unit_test(alpn_characters),
		cmocka_unit_test(counts_stop_at_99),
		cmocka_unit_test(the_highest_version_counts),
		cmocka_unit_test(what_is_cut_off_is_no_hello),
		cmocka_unit_test(the_longest_lists),
		cmocka_unit_test(hassh_of_client_and_server),
		cmocka_unit_test(what_is_cut_off_is_no_kexinit),
	};

	if (CRYPTO_set_mem_functions(count_malloc, count_realloc, plain_free) != 1)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
