/* SPDX-License-Identifier: Apache-2.0 */
/* Initial packets of QUIC, protected as a client does it: RFC 9001 sections 5.2 to 5.4. Independent of what opens them. */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct quic_build {
	uint32_t version;
	const char *salt;  /* 20 bytes */
	const char *label; /* "quic" or "quicv2" */
	uint8_t type_bits; /* of an Initial, in the first byte */
};

#define QUIC_SALT_V1 "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a"
#define QUIC_SALT_V2 "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9"
#define QUIC_SALT_29 "\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99"
static const struct quic_build quic_v1 = { 0x00000001, QUIC_SALT_V1, "quic", 0x00 };
static const struct quic_build quic_v2 = { 0x6b3343cf, QUIC_SALT_V2, "quicv2", 0x10 };
static const struct quic_build quic_draft_29 = { 0xff00001d, QUIC_SALT_29, "quic", 0x00 };

static inline void quic_expand(const uint8_t *secret, const char *label, uint8_t *out, uint8_t size)
{
	uint8_t info[64] = { 0, size, (uint8_t)(6 + strlen(label)) }, t[32];
	size_t n = strlen(label);

	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, n);
	info[9 + n] = 0;
	info[10 + n] = 1;
	HMAC(EVP_sha256(), secret, 32, info, 11 + n, t, NULL);
	memcpy(out, t, size);
}

/* A packet of `frames`, padded with PADDING so that it has `size` bytes in all. `dcid`: eight bytes; `keyed`: the eight bytes
 * that the keys come from. The packet number has two bytes. */
static inline void quic_build(const struct quic_build *q, const char *dcid, const char *keyed, uint16_t number,
			      const void *frames, size_t frames_size, uint8_t *out, size_t size)
{
	uint8_t initial[32], secret[32], key[16] = { 0 }, iv[12] = { 0 }, hp[16] = { 0 }, mask[32], label[16] = { 0 };
	size_t length = size - 1 - 4 - 9 - 1 - 1 - 2, at = 0, number_at, plain;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n;

	HMAC(EVP_sha256(), q->salt, 20, (const uint8_t *)keyed, 8, initial, NULL);
	quic_expand(initial, "client in", secret, 32);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const names[] = { " key", " iv", " hp" };

		strcpy((char *)label, q->label);
		strcat((char *)label, names[i]);
		quic_expand(secret, (char *)label, i == 0 ? key : i == 1 ? iv : hp, i == 1 ? 12 : 16);
	}
	out[at++] = (uint8_t)(0xc1 | q->type_bits);
	for (unsigned i = 0; i < 4; i++)
		out[at++] = (uint8_t)(q->version >> (24 - 8 * i));
	out[at++] = 8;
	memcpy(out + at, dcid, 8);
	at += 8;
	out[at++] = 0;
	out[at++] = 0;
	out[at++] = (uint8_t)(0x40 | length >> 8);
	out[at++] = (uint8_t)length;
	number_at = at;
	out[at++] = (uint8_t)(number >> 8);
	out[at++] = (uint8_t)number;
	plain = size - at - 16;
	memset(out + at, 0, plain);
	memcpy(out + at, frames, frames_size);
	iv[10] ^= (uint8_t)(number >> 8);
	iv[11] ^= (uint8_t)number;
	EVP_EncryptInit_ex(c, EVP_aes_128_gcm(), NULL, key, iv);
	EVP_EncryptUpdate(c, NULL, &n, out, (int)at);
	EVP_EncryptUpdate(c, out + at, &n, out + at, (int)plain);
	EVP_EncryptFinal_ex(c, out + at + plain, &n);
	EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + at + plain);
	EVP_EncryptInit_ex(c, EVP_aes_128_ecb(), NULL, hp, NULL);
	EVP_EncryptUpdate(c, mask, &n, out + number_at + 4, 16);
	out[0] ^= mask[0] & 0x0f;
	out[number_at] ^= mask[1];
	out[number_at + 1] ^= mask[2];
	EVP_CIPHER_CTX_free(c);
}

/* A CRYPTO frame; returns its size. */
static inline size_t quic_crypto(uint8_t *out, size_t offset, const void *bytes, size_t size)
{
	out[0] = 6;
	out[1] = (uint8_t)(0x40 | offset >> 8);
	out[2] = (uint8_t)offset;
	out[3] = (uint8_t)(0x40 | size >> 8);
	out[4] = (uint8_t)size;
	memcpy(out + 5, bytes, size);
	return size + 5;
}
