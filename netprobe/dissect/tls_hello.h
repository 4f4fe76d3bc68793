/* SPDX-License-Identifier: Apache-2.0 */
/* A ClientHello, wherever it is carried. */
#pragma once

#include "netprobe/dissect/dissect.h"

/* True when `body`, of a ClientHello behind its handshake header, is well formed: RFC 8446 section 4.1.2, with DTLS's cookie
 * when `dtls` (RFC 6347 section 4.2.1). */
bool tls_client_hello_valid(struct span body, bool dtls);

/* Looks for a ClientHello that begins further on in a TCP stream (STARTTLS and the like) and hands it out. True when it was,
 * now or before. */
bool tls_hello_within(const struct dissect_input *in);
