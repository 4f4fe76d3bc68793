/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of QUIC packets, of all versions that begin with one of the long form. */
#pragma once

#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/quic_crypto.h"

enum quic_kind { QUIC_INITIAL, QUIC_ZERO_RTT, QUIC_HANDSHAKE, QUIC_RETRY, QUIC_NEGOTIATION };

struct quic_packet {
	enum quic_kind kind;
	enum quic_keys keys;
	uint32_t version;
	struct span dcid, scid, token;
	struct span packet; /* from its first byte to the end that its length says */
	size_t number_at;   /* in `packet`, where the packet number begins */
};

/* What is known of a version: false for one that is none. */
bool quic_version(uint32_t version, enum quic_keys *keys);

/* The next packet of the long form in a datagram of which `missing` bytes are not there. False when there is none. */
bool quic_next(struct cursor *c, size_t missing, struct quic_packet *out);

/* A variable-length integer, RFC 9000 section 16. */
uint64_t quic_varint(struct cursor *c);
