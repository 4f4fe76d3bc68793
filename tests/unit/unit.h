/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The error line holds each of the words that a person needs. */
#define assert_says(text, part)                                                          \
	do {                                                                             \
		if (!strstr((text), (part)))                                             \
			fail_msg("\"%s\" does not say \"%s\"", (text), (part));          \
	} while (0)

/* A directory of the test's own, removed by remove_directory(). */
static inline char *make_directory(char *buf, size_t size)
{
	snprintf(buf, size, "/tmp/sr-unit-XXXXXX");
	assert_non_null(mkdtemp(buf));
	return buf;
}

static inline void remove_directory(const char *path)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf -- '%s'", path);
	assert_int_equal(system(command), 0);
}

static inline void write_text(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}
