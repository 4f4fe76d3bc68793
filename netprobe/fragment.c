/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fragment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS       1024u
#define LIFETIME_NS INT64_C(30000000000) /* RFC 8200 section 4.5 allows 60 s, RFC 791 proposes 15 */

struct slot {
	int64_t time_ns;
	uint32_t id, interface;
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	uint8_t protocol, family;
};

/* A newer datagram takes the place of an older one with the same hash: fragments are rare, and what is lost is a port. */
struct fragment_table {
	struct slot slots[SLOTS];
};

int fragment_table_new(struct fragment_table **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void fragment_table_free(struct fragment_table *t)
{
	free(t);
}

static struct slot *slot_of(struct fragment_table *t, const struct packet *p)
{
	uint32_t h = p->fragment_id * 0x9e3779b1u;

	for (int i = 12; i < 16; i++)
		h = (h ^ p->source[i] ^ (uint32_t)p->destination[i] << 8) * 0x85ebca6bu;
	return &t->slots[(h >> 16) % SLOTS];
}

void fragment_ports(struct fragment_table *t, const struct packet *p, uint16_t *source, uint16_t *destination)
{
	struct slot *s = slot_of(t, p);

	if (!p->fragment_offset) {
		*s = (struct slot){ .time_ns = p->time_ns, .id = p->fragment_id, .interface = p->interface,
				    .source_port = p->source_port, .destination_port = p->destination_port,
				    .protocol = p->protocol, .family = p->family };
		memcpy(s->source, p->source, 16);
		memcpy(s->destination, p->destination, 16);
	} else if (s->family == p->family && s->id == p->fragment_id && s->protocol == p->protocol && s->interface == p->interface &&
		   p->time_ns - s->time_ns <= LIFETIME_NS && !memcmp(s->source, p->source, 16) &&
		   !memcmp(s->destination, p->destination, 16)) {
		*source = s->source_port;
		*destination = s->destination_port;
	}
}
