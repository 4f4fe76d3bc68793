/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the tap share: tap_load.c loads the programs, tap.c keeps the list of interfaces, tap_table.c reads the
 * table, tap_ring.c the packets. */
#pragma once

#include <net/if.h>

#include "netprobe/pins.h"
#include "netprobe/tap.h"

#define TAP_PROGRAMS   3
#define TAP_BATCH      2048u /* entries of the table read by one system call */
#define TAP_END_OFFSET 0u

struct tap_bpf;
struct ring_buffer;

/* A watched interface. */
struct tap_watched {
	char name[IF_NAMESIZE];
	uint32_t ifindex, place, flags;
	int socket;          /* -1: none */
	int fresh, settled;  /* its tables; the shared ones when there are such */
};

struct tap {
	struct tap_options options;
	enum tap_kind kind;
	bool plain;
	struct tap_bpf *skel;
	const char *program_state[TAP_PROGRAMS];
	void *links[2];
	struct pins pins;
	bool pinned, taken_up, walked;
	struct tap_was_told *told; /* sorted by flow; until the second walk */
	size_t n_told;
	int told_map;              /* borrowed from skel */
	uint32_t cpus, table_entries, ring_bytes;
	uint64_t seed, verdict_mask;
	int fresh_outer, settled_outer, filter; /* borrowed from skel */
	int shared_fresh, shared_settled;       /* -1: each interface has its own */
	/* Mapped. */
	const struct tap_cache_entry *cache;
	const struct tap_counters *counters;
	struct tap_interface *interfaces;
	struct tap_control *control;
	struct tap_account *account;
	tap_verdict *verdicts;
	struct ring_buffer *ring;
	/* The list. */
	struct tap_watched watched[TAP_INTERFACES_MAX];
	size_t n_watched;
	/* Reading. */
	uint32_t *sequences;             /* of the whole cache, when a batch began */
	struct flow_key *keys;           /* TAP_BATCH */
	struct flow_value *values;
	struct flow_key *ending;
	uint8_t **partial;               /* for each CPU: a packet that comes in several records */
	struct tap_record *partial_of;
	uint32_t *partial_size;
	uint64_t tick_ns;
	int64_t tick_offset;
	bool tick_known;
	uint64_t present;
};

/* tap_pins.c */
struct tap_was_told {
	uint64_t flow;
	struct tap_told told;
	bool there; /* the walk met the flow */
};
void tap_pins_table(struct tap *t, const struct tap_watched *w, bool keep); /* pins the tables of an interface, or unpins them */
int tap_pins_take_tables(struct tap *t, uint32_t place, int *fresh, int *settled); /* those that are pinned, or -errno */
int tap_pins_read_told(struct tap *t);
const struct tap_told *tap_pins_told(struct tap *t, uint64_t flow);
void tap_pins_walked(struct tap *t);

/* tap_load.c */
int tap_load(struct tap *t, struct error *err);
void tap_unload(struct tap *t);
int tap_attach(struct tap *t, bool on, struct error *err);
int tap_keep_maps(struct tap *t); /* pins them, and the shared tables */
int tap_new_table(const struct tap *t, const char *name); /* a descriptor or a negative errno */

/* tap_table.c */
int tap_walk_table(struct tap *t, int map, uint32_t only_ifindex, enum tap_why why, tap_flow_fn *fn, void *userdata);
void tap_flow_of(struct tap *t, const struct flow_key *key, const struct flow_value *value, struct tap_flow *out);
struct tap_counters tap_sum(const struct tap *t);

/* tap_ring.c */
int tap_ring_new(struct tap *t, int map);
void tap_ring_free(struct tap *t);
