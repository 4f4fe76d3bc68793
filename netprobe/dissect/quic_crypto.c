/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/dissect/quic_crypto.h"

/* The digests of EVP allocate with every beginning; these work on the stack, and libcrypto keeps them. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>

#define HASH_BYTES  32u
#define BLOCK_BYTES 64u
#define SALT_BYTES  20u
#define KEY_BYTES   16u
#define IV_BYTES    12u
#define TAG_BYTES   16u
#define PLAIN_MAX   2048u /* no Initial is larger on the internet; jumbo frames are cut off */

/* Initial salts: RFC 9001 section 5.2, RFC 9369 section 3.3.1, section 5.2 of draft-ietf-quic-tls, and Google's versions. */
static const struct {
	uint8_t salt[SALT_BYTES];
	const char *key, *iv, *hp; /* labels */
} versions[] = {
	[QUIC_KEYS_V1] = { { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
			     0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
			   "quic key",
			   "quic iv",
			   "quic hp" },
	[QUIC_KEYS_V2] = { { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
			     0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },
			   "quicv2 key",
			   "quicv2 iv",
			   "quicv2 hp" },
	[QUIC_KEYS_DRAFT_29] = { { 0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
				   0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99 },
				 "quic key",
				 "quic iv",
				 "quic hp" },
	[QUIC_KEYS_DRAFT_23] = { { 0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
				   0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02 },
				 "quic key",
				 "quic iv",
				 "quic hp" },
	[QUIC_KEYS_DRAFT_22] = { { 0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
				   0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a },
				 "quic key",
				 "quic iv",
				 "quic hp" },
	[QUIC_KEYS_T051] = { { 0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50,
			       0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d },
			     "quic key",
			     "quic iv",
			     "quic hp" },
	[QUIC_KEYS_T050] = { { 0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80,
			       0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10 },
			     "quic key",
			     "quic iv",
			     "quic hp" },
	[QUIC_KEYS_Q050] = { { 0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94,
			       0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45 },
			     "quic key",
			     "quic iv",
			     "quic hp" },
};

/* What libcrypto needs, made once and used for every packet: nothing is allocated for each. The daemon has one thread. */
static struct {
	bool tried, ok;
	EVP_CIPHER *ecb, *gcm;
	EVP_CIPHER_CTX *mask, *open;
	uint8_t plain[PLAIN_MAX];
	/* The keys of the last packet: a hello takes several, and all are opened anew when one more comes. */
	enum quic_keys last;
	size_t last_cid_size;
	uint8_t last_cid[QUIC_CID_MAX], last_iv[IV_BYTES];
	bool have_last;
} crypto;

static bool prepare(void)
{
	static const uint8_t zero[KEY_BYTES];

	if (crypto.tried)
		return crypto.ok;
	crypto.tried = true;
	crypto.ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	crypto.gcm = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
	crypto.mask = EVP_CIPHER_CTX_new();
	crypto.open = EVP_CIPHER_CTX_new();
	/* With an algorithm named anew a context allocates anew: it is named here only. */
	crypto.ok = crypto.ecb && crypto.gcm && crypto.mask && crypto.open &&
		    EVP_EncryptInit_ex2(crypto.mask, crypto.ecb, zero, NULL, NULL) == 1 &&
		    EVP_DecryptInit_ex2(crypto.open, crypto.gcm, zero, NULL, NULL) == 1;
	return crypto.ok;
}

/* HMAC-SHA256 (RFC 2104) of two parts. */
static void hmac(const uint8_t *key, size_t key_size, struct span a, struct span b, uint8_t out[HASH_BYTES])
{
	uint8_t pad[BLOCK_BYTES], inner[HASH_BYTES];
	SHA256_CTX h;

	memset(pad, 0x36, sizeof(pad));
	for (size_t i = 0; i < key_size; i++)
		pad[i] ^= key[i];
	SHA256_Init(&h);
	SHA256_Update(&h, pad, sizeof(pad));
	SHA256_Update(&h, a.data, a.size);
	if (b.size)
		SHA256_Update(&h, b.data, b.size);
	SHA256_Final(inner, &h);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	SHA256_Init(&h);
	SHA256_Update(&h, pad, sizeof(pad));
	SHA256_Update(&h, inner, sizeof(inner));
	SHA256_Final(out, &h);
}

/* HKDF-Expand-Label (RFC 8446 section 7.1) with an empty context and at most 32 bytes. */
static void expand(const uint8_t secret[HASH_BYTES], const char *label, uint8_t *out, uint8_t size)
{
	uint8_t info[64], t[HASH_BYTES];
	size_t n = strlen(label);

	info[0] = 0;
	info[1] = size;
	info[2] = (uint8_t)(6 + n);
	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, n);
	info[9 + n] = 0;
	info[10 + n] = 1; /* the counter of HKDF-Expand (RFC 5869 section 2.3) */
	hmac(secret, HASH_BYTES, (struct span){ info, 11 + n }, (struct span){ NULL, 0 }, t);
	memcpy(out, t, size);
}

/* The client's keys, into the two contexts and last_iv. */
static bool derive(enum quic_keys keys, struct span dcid)
{
	uint8_t initial[HASH_BYTES], secret[HASH_BYTES], key[KEY_BYTES], hp[KEY_BYTES];

	if (crypto.have_last && crypto.last == keys && crypto.last_cid_size == dcid.size &&
	    memcmp(crypto.last_cid, dcid.data, dcid.size) == 0)
		return true;
	crypto.have_last = false;
	hmac(versions[keys].salt, SALT_BYTES, dcid, (struct span){ NULL, 0 }, initial);
	expand(initial, "client in", secret, HASH_BYTES);
	expand(secret, versions[keys].key, key, KEY_BYTES);
	expand(secret, versions[keys].iv, crypto.last_iv, IV_BYTES);
	expand(secret, versions[keys].hp, hp, KEY_BYTES);
	if (EVP_EncryptInit_ex2(crypto.mask, NULL, hp, NULL, NULL) != 1 ||
	    EVP_DecryptInit_ex2(crypto.open, NULL, key, NULL, NULL) != 1)
		return false;
	crypto.last = keys;
	crypto.last_cid_size = dcid.size;
	memcpy(crypto.last_cid, dcid.data, dcid.size);
	crypto.have_last = true;
	return true;
}

bool quic_crypto_prepare(void)
{
	static const uint8_t packet[64];
	struct span plain;

	quic_open_initial(QUIC_KEYS_V1, (struct span){ packet, 8 }, (struct span){ packet, sizeof(packet) }, 20, &plain);
	return crypto.ok;
}

bool quic_open_initial(enum quic_keys keys, struct span dcid, struct span packet, size_t number_at, struct span *plain)
{
	uint8_t header[512], mask[16], nonce[IV_BYTES];
	size_t number_bytes, size;
	int n;

	/* The sample for the mask is taken as if the number had four bytes (RFC 9001 section 5.4.2). */
	if (keys == QUIC_KEYS_NONE || dcid.size > QUIC_CID_MAX || number_at + 4 > sizeof(header) ||
	    packet.size < number_at + 4 + 16 || packet.size - number_at > PLAIN_MAX || !prepare() || !derive(keys, dcid))
		return false;
	if (EVP_EncryptUpdate(crypto.mask, mask, &n, packet.data + number_at + 4, sizeof(mask)) != 1)
		return false;
	memcpy(header, packet.data, number_at + 4);
	header[0] ^= mask[0] & 0x0f;
	number_bytes = (header[0] & 3u) + 1;
	memcpy(nonce, crypto.last_iv, sizeof(nonce));
	for (size_t i = 0; i < number_bytes; i++) {
		header[number_at + i] ^= mask[1 + i];
		nonce[IV_BYTES - number_bytes + i] ^= header[number_at + i];
	}
	size = packet.size - number_at - number_bytes;
	if (size <= TAG_BYTES)
		return false;
	size -= TAG_BYTES;
	memcpy(mask, packet.data + packet.size - TAG_BYTES, TAG_BYTES);
	if (EVP_DecryptInit_ex2(crypto.open, NULL, NULL, nonce, NULL) != 1 ||
	    EVP_DecryptUpdate(crypto.open, NULL, &n, header, (int)(number_at + number_bytes)) != 1 ||
	    EVP_DecryptUpdate(crypto.open, crypto.plain, &n, packet.data + number_at + number_bytes, (int)size) != 1 ||
	    EVP_CIPHER_CTX_ctrl(crypto.open, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, mask) != 1 ||
	    EVP_DecryptFinal_ex(crypto.open, crypto.plain + size, &n) != 1)
		return false;
	*plain = (struct span){ crypto.plain, size };
	return true;
}
