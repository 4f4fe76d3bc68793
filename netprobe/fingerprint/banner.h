/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of itself when it is asked: product, version and system out of a banner. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "netprobe/packet.h"

#define BANNER_UNKNOWN "unknown"

/* Strings are static, or of this struct; BANNER_UNKNOWN where the banner does not say it. */
struct banner_match {
	const char *corpus_label; /* "serviceradar:ssh", …; BANNER_UNKNOWN when no pattern fits */
	const char *product;
	const char *os_family;    /* only when the product is bound to a system or the banner names one */
	const char *pattern;      /* id of the pattern; "" when none fits */
	char version[32];
	double confidence;        /* 0 when no pattern fits; below 1, a banner can be set to anything */
};

/* `protocol`: ssh, http, smtp, ftp or smb, in any case; others are unknown. `banner` may be what came over the wire (a
 * greeting, the head of an HTTP response) or the bare text (the value of the Server header); 2,048 bytes of it are looked at.
 */
void banner_match(const char *protocol, struct span banner, struct banner_match *out);

/* ---- between banner.c and its table ---- */

enum banner_protocol { BANNER_SSH, BANNER_HTTP, BANNER_SMTP, BANNER_FTP, BANNER_SMB, BANNER_PROTOCOLS };

struct banner_pattern {
	enum banner_protocol protocol;
	bool at_start;         /* of the text: else as a word anywhere in it */
	const char *text;      /* in any case */
	const char *id;
	const char *product;
	const char *os_family; /* NULL: runs on several */
};

/* A word in a comment that names the system. */
struct banner_system {
	const char *word, *os_family;
};

extern const struct banner_pattern banner_patterns[];
extern const size_t banner_pattern_count;
extern const struct banner_system banner_systems[];
extern const size_t banner_system_count;
