/* SPDX-License-Identifier: Apache-2.0 */
/* One error line, made where the context is known and printed once at the top. */
#pragma once

struct error {
	char text[512]; /* what, where, what to do; no trailing newline, control characters made printable */
};

/* Formats the line and returns `code` (a negative errno), so that a caller can write
 * `return error_set(err, -EINVAL, "%s: …", path)`. `err` may be NULL. */
int error_set(struct error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
