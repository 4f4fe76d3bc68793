/* SPDX-License-Identifier: Apache-2.0 */
/* A DNS message (RFC 1035 section 4), as far as is needed to tell that it is one: shared by DNS, mDNS, LLMNR, NetBIOS. */
#pragma once

#include "netprobe/dissect/dissect.h"

struct dns_message {
	uint16_t flags;
	uint16_t questions, answers, authorities, additionals;
	uint16_t type, class; /* of the first question, else of the first record */
	bool response;
	bool whole;           /* every record is there, and nothing is left behind them */
	bool printable;       /* names read so far are letters, digits, '-', '_' and the like */
	unsigned records;     /* questions and records that were read */
	bool first;           /* the first question or record could be read */
	struct span name;     /* of the first, as it is in the message, to its zero or pointer */
};

/* Reads a message of which `missing` bytes at the end are not there. False for what is none: a name, record or count that
 * cannot be. */
bool dns_message_read(struct span s, size_t missing, struct dns_message *out);
