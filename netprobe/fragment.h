/* SPDX-License-Identifier: Apache-2.0 */
/* Ports of first fragments, for the later ones of the same datagram, which have none. */
#pragma once

#include "netprobe/packet.h"

struct fragment_table;

int fragment_table_new(struct fragment_table **out);
void fragment_table_free(struct fragment_table *t);

/* A first fragment: its ports are remembered. A later one: *source and *destination are set when the first one came before
 * it, at most 30 s ago, and was not displaced. */
void fragment_ports(struct fragment_table *t, const struct packet *p, uint16_t *source, uint16_t *destination);
