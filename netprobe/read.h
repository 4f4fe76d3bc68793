/* SPDX-License-Identifier: Apache-2.0 */
/* `--read`: a capture file through the same analysis as live packets, printed. */
#pragma once

#include <stdbool.h>

#include "lib/error.h"

struct read_options {
	const char *file;                   /* "-": standard input */
	const char *config;                 /* as with --config, or NULL */
	const char *const *fingerprint_dbs; /* ends with NULL; none given: the default one, if it is there */
	bool json;
};

/* Prints what would have been sent, in packet time: JSON objects or a table. 0 at a clean end; a negative errno when the file
 * cannot be opened, is damaged (what could be read has been printed), or standard output cannot be written. */
int read_capture(const struct read_options *o, struct error *err);
