/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and protocol numbers as the messages have them. */
#pragma once

#include <stdint.h>

#define TEXT_ADDRESS_BYTES   46
#define TEXT_TRANSPORT_BYTES 8

/* `address` as in struct packet: IPv4 in the last four bytes. Returns `out`. */
char *text_address(uint8_t family, const uint8_t address[16], char out[TEXT_ADDRESS_BYTES]);

/* tcp, udp, icmp, icmpv6, or the number. Returns `out`. */
char *text_transport(uint8_t protocol, char out[TEXT_TRANSPORT_BYTES]);
