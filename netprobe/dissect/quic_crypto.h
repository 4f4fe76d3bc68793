/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a client's Initial packets: RFC 9001 section 5, RFC 9369 section 3.3, and the drafts before them. Their keys come from
 * what the packet itself tells, so anyone who sees the packet can read them. */
#pragma once

#include "netprobe/dissect/dissect.h"

#define QUIC_CID_MAX    20u
#define QUIC_PACKET_MAX 65535u

/* Which keys a version derives; QUIC_KEYS_NONE: none that are known. */
enum quic_keys {
	QUIC_KEYS_V1,
	QUIC_KEYS_V2,
	QUIC_KEYS_DRAFT_29,
	QUIC_KEYS_DRAFT_23,
	QUIC_KEYS_DRAFT_22,
	QUIC_KEYS_T051,
	QUIC_KEYS_T050,
	QUIC_KEYS_Q050,
	QUIC_KEYS_NONE,
};

/* Has libcrypto make and allocate all that it will need: at start, before files are out of reach. False when it has not got
 * what QUIC needs; then packets are known by their headers alone. */
bool quic_crypto_prepare(void);

/* Opens one Initial packet of a client whose first destination connection id was `dcid`. `packet`: from the first byte of the
 * header to the end that its length field says; `number_at`: where the packet number begins. *plain is the payload, in a buffer
 * that the next call overwrites. False when the packet does not authenticate. */
bool quic_open_initial(enum quic_keys keys, struct span dcid, struct span packet, size_t number_at, struct span *plain);
