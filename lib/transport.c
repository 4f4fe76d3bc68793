/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/transport.h"

#include <netinet/in.h>
#include <stddef.h>
#include <strings.h>

int transport_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} names[] = { { "tcp", IPPROTO_TCP }, { "udp", IPPROTO_UDP }, { "icmp", IPPROTO_ICMP }, { "icmpv6", IPPROTO_ICMPV6 },
		      { "udplite", IPPROTO_UDPLITE } };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i].name) == 0)
			return names[i].number;
	return -1;
}
