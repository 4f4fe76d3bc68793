/* SPDX-License-Identifier: Apache-2.0 */
/* What the libFuzzer targets share. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input with a NUL behind it, to be freed. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* Whoever refuses says why, in one printable line. */
static inline void refusal(int r, const struct error *err)
{
	if (r >= 0)
		return;
	if (!*err->text)
		abort();
	for (const char *p = err->text; *p; p++)
		if ((unsigned char)*p < 0x20)
			abort();
}
