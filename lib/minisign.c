/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/minisign.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define UNTRUSTED "untrusted comment: "
#define TRUSTED   "trusted comment: "

struct line {
	const char *s;
	size_t n;
};

/* Cuts the text into exactly `n` lines, each ended by a newline. */
static int split(const char *text, size_t size, struct line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *end = memchr(text, '\n', size);

		if (!end)
			return -EINVAL;
		lines[i] = (struct line){ text, (size_t)(end - text) };
		size -= lines[i].n + 1;
		text = end + 1;
	}
	return size == 0 ? 0 : -EINVAL;
}

static int begins(const struct line *l, const char *prefix)
{
	size_t n = strlen(prefix);

	return l->n >= n && memcmp(l->s, prefix, n) == 0;
}

/* libcrypto is generous about base64; that the text is the one encoding of these bytes is seen by encoding them again. */
static int decode(const struct line *l, uint8_t *out, size_t size)
{
	unsigned char bytes[132], again[180];
	int n;

	if (l->n != (size + 2) / 3 * 4 || l->n >= sizeof(again) || (size + 2) / 3 * 3 > sizeof(bytes))
		return -EINVAL;
	n = EVP_DecodeBlock(bytes, (const unsigned char *)l->s, (int)l->n);
	if (n < 0 || (size_t)n < size)
		return -EINVAL;
	if (EVP_EncodeBlock(again, bytes, (int)size) != (int)l->n || memcmp(again, l->s, l->n) != 0)
		return -EINVAL;
	memcpy(out, bytes, size);
	return 0;
}

int minisign_key_parse(const char *text, size_t size, const char *where, struct minisign_key *out, struct error *err)
{
	uint8_t raw[42];
	struct line l[2];

	if (split(text, size, l, 2) < 0 || !begins(&l[0], UNTRUSTED))
		return error_set(err, -EINVAL, "%s: no minisign public key: two lines are needed, the first an \"" UNTRUSTED "\"", where);
	if (decode(&l[1], raw, sizeof(raw)) < 0)
		return error_set(err, -EINVAL, "%s:2: not the base64 of a minisign public key", where);
	if (memcmp(raw, "Ed", 2) != 0)
		return error_set(err, -EINVAL, "%s:2: not an Ed25519 key", where);
	memcpy(out->id, raw + 2, 8);
	memcpy(out->key, raw + 10, 32);
	return 0;
}

static int comment(const struct line *l, const char *where, struct minisign_signature *out, struct error *err)
{
	size_t n = l->n - strlen(TRUSTED);
	const char *s = l->s + strlen(TRUSTED);

	if (n >= sizeof(out->trusted_comment))
		return error_set(err, -EINVAL, "%s:3: the trusted comment is longer than %zu bytes", where, sizeof(out->trusted_comment) - 1);
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return error_set(err, -EINVAL, "%s:3: the trusted comment holds a character that is not printable ASCII", where);
	memcpy(out->trusted_comment, s, n);
	out->trusted_comment[n] = '\0';
	return 0;
}

int minisign_signature_parse(const char *text, size_t size, const char *where, struct minisign_signature *out, struct error *err)
{
	uint8_t raw[74];
	struct line l[4];
	int r;

	if (split(text, size, l, 4) < 0 || !begins(&l[0], UNTRUSTED) || !begins(&l[2], TRUSTED))
		return error_set(err, -EINVAL, "%s: no minisign signature: four lines are needed, comment, signature, trusted comment, signature",
				 where);
	if (decode(&l[1], raw, sizeof(raw)) < 0)
		return error_set(err, -EINVAL, "%s:2: not the base64 of a minisign signature", where);
	if (memcmp(raw, "Ed", 2) == 0)
		return error_set(err, -EINVAL, "%s:2: a legacy signature, not pre-hashed: sign again with minisign -S -H", where);
	if (memcmp(raw, "ED", 2) != 0)
		return error_set(err, -EINVAL, "%s:2: not an Ed25519 signature", where);
	memcpy(out->id, raw + 2, 8);
	memcpy(out->signature, raw + 10, 64);
	r = comment(&l[2], where, out, err);
	if (r == 0 && decode(&l[3], out->global, sizeof(out->global)) < 0)
		r = error_set(err, -EINVAL, "%s:4: not the base64 of 64 signature bytes", where);
	return r;
}

static int verify(EVP_PKEY *key, const uint8_t signature[64], const void *data, size_t size)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int r = -EBADMSG;

	if (ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 && EVP_DigestVerify(ctx, signature, 64, data, size) == 1)
		r = 0;
	EVP_MD_CTX_free(ctx);
	return r;
}

int minisign_verify(const struct minisign_key *key, const struct minisign_signature *sig, const uint8_t hash[MINISIGN_HASH_BYTES])
{
	uint8_t all[64 + sizeof(sig->trusted_comment)];
	size_t n = strlen(sig->trusted_comment);
	EVP_PKEY *pkey;
	int r;

	if (memcmp(key->id, sig->id, sizeof(key->id)) != 0)
		return -ENOKEY;
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key->key, sizeof(key->key));
	if (!pkey)
		return -EBADMSG;
	memcpy(all, sig->signature, 64);
	memcpy(all + 64, sig->trusted_comment, n);
	r = verify(pkey, sig->signature, hash, MINISIGN_HASH_BYTES);
	if (r == 0)
		r = verify(pkey, sig->global, all, 64 + n);
	EVP_PKEY_free(pkey);
	return r;
}

void minisign_id_format(const uint8_t id[8], char out[17])
{
	for (size_t i = 0; i < 8; i++)
		(void)snprintf(out + 2 * i, 3, "%02X", id[7 - i]);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int minisign_id_parse(const char *text, uint8_t out[8])
{
	static const char zeros[] = "0000";
	size_t n = strlen(text);
	char full[17];

	if (n < 12 || n > 16)
		return -EINVAL;
	(void)snprintf(full, sizeof(full), "%s%s", zeros + (n - 12), text);
	for (size_t i = 0; i < 8; i++) {
		int high = digit(full[2 * i]), low = digit(full[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		out[7 - i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
