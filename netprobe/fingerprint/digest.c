/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fingerprint/digest.h"

#include <errno.h>

void digest_begin(struct digest *d, enum digest_algorithm algorithm)
{
	d->algorithm = algorithm;
	d->failed = (algorithm == DIGEST_MD5 ? MD5_Init(&d->md5) : SHA256_Init(&d->sha256)) != 1;
}

void digest_add(struct digest *d, const void *data, size_t size)
{
	if (d->failed || size == 0)
		return;
	d->failed = (d->algorithm == DIGEST_MD5 ? MD5_Update(&d->md5, data, size) : SHA256_Update(&d->sha256, data, size)) != 1;
}

int digest_end(struct digest *d, char *hex, size_t characters)
{
	static const char digits[] = "0123456789abcdef";
	size_t size = d->algorithm == DIGEST_MD5 ? MD5_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
	unsigned char bytes[SHA256_DIGEST_LENGTH];

	hex[0] = '\0';
	if (d->failed || (d->algorithm == DIGEST_MD5 ? MD5_Final(bytes, &d->md5) : SHA256_Final(bytes, &d->sha256)) != 1)
		return -ENOTSUP;
	if (characters > size * 2)
		characters = size * 2;
	for (size_t i = 0; i < characters; i++)
		hex[i] = digits[i % 2 ? bytes[i / 2] & 0x0f : bytes[i / 2] >> 4];
	hex[characters] = '\0';
	return 0;
}
