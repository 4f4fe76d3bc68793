/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fingerprint/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>

static struct {
	EVP_MD *algorithm;
	EVP_MD_CTX *context;
	bool failed;
} digests[DIGESTS];

static int prepare(enum digest d)
{
	/* "-fips": HASSH is an MD5 by definition and protects nothing; a system in FIPS mode may have it all the same. */
	static const char *const names[DIGESTS] = { [DIGEST_MD5] = "MD5", [DIGEST_SHA256] = "SHA256" };

	if (digests[d].context)
		return 0;
	if (!digests[d].algorithm)
		digests[d].algorithm = EVP_MD_fetch(NULL, names[d], "-fips");
	if (!digests[d].algorithm)
		return -ENOTSUP;
	digests[d].context = EVP_MD_CTX_new();
	return digests[d].context && EVP_DigestInit_ex2(digests[d].context, digests[d].algorithm, NULL) == 1 ? 0 : -ENOTSUP;
}

int digest_prepare(void)
{
	int r = prepare(DIGEST_SHA256);
	int md5 = prepare(DIGEST_MD5);

	return r < 0 ? r : md5;
}

void digest_begin(enum digest d)
{
	/* Without a type the context is begun again as it is, which allocates nothing. */
	digests[d].failed = prepare(d) < 0 || EVP_DigestInit_ex2(digests[d].context, NULL, NULL) != 1;
}

void digest_add(enum digest d, const void *data, size_t size)
{
	if (!digests[d].failed && EVP_DigestUpdate(digests[d].context, data, size) != 1)
		digests[d].failed = true;
}

int digest_end(enum digest d, char *hex, size_t characters)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[EVP_MAX_MD_SIZE];
	unsigned size = 0;

	hex[0] = '\0';
	if (digests[d].failed || EVP_DigestFinal_ex(digests[d].context, bytes, &size) != 1)
		return -ENOTSUP;
	if (characters > size * 2)
		characters = size * 2;
	for (size_t i = 0; i < characters; i++)
		hex[i] = digits[i % 2 ? bytes[i / 2] & 0x0f : bytes[i / 2] >> 4];
	hex[characters] = '\0';
	return 0;
}
