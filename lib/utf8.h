/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* Length in bytes of the well-formed UTF-8 sequence at s (Unicode 15, table 3-7: no overlong forms, no surrogates), or 0.
 * The text must end with a NUL: a sequence is never read past it. */
size_t utf8_length(const unsigned char *s);
