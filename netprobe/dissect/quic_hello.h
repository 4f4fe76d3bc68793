/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "netprobe/dissect/dissect.h"

enum quic_hello {
	QUIC_HELLO_NONE,   /* no Initial packet of a client could be opened */
	QUIC_HELLO_OTHER,  /* opened, and there is no ClientHello in it (Google's versions have their own) */
	QUIC_HELLO_PART,
	QUIC_HELLO_HANDED,
};

/* Opens the Initial packets of the datagrams so far, puts the CRYPTO frames together in any order, and hands the ClientHello
 * out when it is whole. */
enum quic_hello quic_hello(const struct dissect_input *in);
