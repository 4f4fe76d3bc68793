/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

char *text_address(uint8_t family, const uint8_t address[16], char out[TEXT_ADDRESS_BYTES])
{
	if (!inet_ntop(family, family == AF_INET ? address + 12 : address, out, TEXT_ADDRESS_BYTES))
		*out = '\0';
	return out;
}

char *text_transport(uint8_t protocol, char out[TEXT_TRANSPORT_BYTES])
{
	const char *name = protocol == IPPROTO_TCP    ? "tcp" :
			   protocol == IPPROTO_UDP    ? "udp" :
			   protocol == IPPROTO_ICMP   ? "icmp" :
			   protocol == IPPROTO_ICMPV6 ? "icmpv6" :
							NULL;

	if (name)
		(void)snprintf(out, TEXT_TRANSPORT_BYTES, "%s", name);
	else
		(void)snprintf(out, TEXT_TRANSPORT_BYTES, "%u", protocol);
	return out;
}
