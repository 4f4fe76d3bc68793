/* SPDX-License-Identifier: Apache-2.0 */
/* What the fingerprints of one device say together: its operating system, how sure that is, and what speaks against it. */
#pragma once

#include <stdbool.h>

#include "netprobe/fingerprint/fingerprint.h"

/* What a JA4 or a HASSH tells of the software that made it. */
struct client_hint {
	const char *fingerprint;   /* in the table: the key */
	const char *name;          /* of the software */
	const char *version_range; /* that it was recorded from */
	const char *os_family;     /* a system, "unix" for any of its kind, or "": found everywhere, no vote */
	float weight;              /* of its vote, 0–1 */
};

/* From a small table of recorded clients and servers (clients.c). NULL when it is not known. Of a JA4 the two hashes count: the
 * part before them changes with the server's name and the protocols offered, not with the software. */
const struct client_hint *client_hint_ja4(const char *ja4);
const struct client_hint *client_hint_hassh(const char *hassh);
const struct client_hint *client_hint_hassh_server(const char *hassh);

/* What was seen of one device; NULL or "" for what was not. Strings are kept by reference. */
struct fuse_input {
	const char *p0f_signature;
	const struct p0f_match *p0f;
	const char *ja4, *hassh, *hassh_server;
	const struct client_hint *ja4_hint, *hassh_hint, *hassh_server_hint;
};

#define FUSE_SIGNALS 4u

struct fuse_disagreement {
	const char *signal; /* "p0f", "ja4", "hassh", "hassh_server" */
	const char *signature, *family, *name, *version_range;
};

/* Strings are those of the input. */
struct fuse_result {
	const char *os_family, *name, *version_range; /* "" when nothing is known */
	float confidence;         /* 0 when nothing is known, never 1 */
	unsigned agreement_count; /* signals that say this family */
	unsigned disagreements;
	struct fuse_disagreement disagreement[FUSE_SIGNALS - 1];
};

/* Fills the hints of *in from the table. */
void fuse_look_up(struct fuse_input *in);

/* A pure function of *in. The family is the one with the most weight; each further signal for it raises the confidence, each
 * against it lowers it and is listed. A hint "unix" speaks for any system of that kind and against the others; the answer is
 * "unix" only when nothing says which. A tool that makes its own packets, and a hint without a family, have no vote. */
void fuse(const struct fuse_input *in, struct fuse_result *out);
