/* SPDX-License-Identifier: Apache-2.0 */
/* Flows of a file, as nfdump and IPFIX tools write them: JSON objects (in an array, or one after the other) or CSV with a head line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/error.h"

struct flow_line {
	char source_ip[64], destination_ip[64], protocol[16]; /* "" when it is not there; protocol is a name or a number */
	uint64_t id, source_port, destination_port, start_ns, end_ns, bytes, packets; /* Unix time; 0 when it is not there */
};

struct flow_file {
	FILE *in;
	bool csv;
	int columns[64]; /* of the CSV: what each is, -1 for what is not used */
	unsigned n_columns;
	uint64_t number; /* of the record */
};

/* Tells the format from the first characters. `in` stays the caller's. -EINVAL and the reason for what is neither. */
int flow_file_begin(struct flow_file *f, FILE *in, struct error *err);

/* 1 with the next flow, 0 at the end, -EINVAL with the reason for a record that is none: the one after it may be read. */
int flow_file_next(struct flow_file *f, struct flow_line *out, struct error *err);
