/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The number (IANA, "Protocol Numbers") of tcp, udp, icmp, icmpv6 or udplite, in small letters or large; -1 for any other name. */
int transport_number(const char *name);
