/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tap's maps. Sizes that depend on the machine or the configuration are set before loading. */
#pragma once

#include "tap.h"

const volatile __u32 own_netns = 0;    /* inode of the daemon's network namespace */
const volatile __u32 cpus = 1;         /* possible ones */
const volatile __u32 ring_bytes = 0;
const volatile __u64 cache_seed = 0;   /* so that nobody outside can know which flows share a place */
const volatile __u32 verdict_mask = 0; /* entries of `verdicts` - 1 */

/* What else has to be the same for the next daemon to take the maps up. */
const volatile __u32 layout = 0;       /* TAP_LAYOUT */
const volatile __u32 way = 0;          /* enum tap_kind, and 4 when without kfuncs */
const volatile __u32 max_entries = 0;  /* as the daemon was told: 0: tables of its own for each interface */

/* One pair of tables for each interface, at the interface's place: new flows in `fresh`, answered ones in `settled`. */
struct table {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TAP_INTERFACE_SLOTS);
	__uint(key_size, sizeof(struct flow_key)); /* clang leaves the types of an inner map incomplete */
	__uint(value_size, sizeof(struct flow_value));
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TAP_INTERFACE_SLOTS);
	__type(key, __u32);
	__array(values, struct table);
} fresh SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TAP_INTERFACE_SLOTS);
	__type(key, __u32);
	__array(values, struct table);
} settled SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TAP_FRAGMENTS);
	__type(key, struct tap_fragment_key);
	__type(value, __u32);
} fragments SEC(".maps");

/* Mapped by the daemon, which reads all of them without a system call. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* TAP_CACHE_ENTRIES for each CPU */
	__type(key, __u32);
	__type(value, struct tap_cache_entry);
} cache SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* one for each CPU */
	__type(key, __u32);
	__type(value, struct tap_counters);
} counters SEC(".maps");

/* … and these it writes, except the kernel's half of an interface. Global variables: the programs reach them without a lookup. */
struct tap_interface interfaces[TAP_INTERFACE_SLOTS];
volatile struct tap_control control;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* a power of two */
	__type(key, __u32);
	__type(value, tap_verdict);
} verdicts SEC(".maps");

/* Not used by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* as many as `verdicts` */
	__type(key, __u64);
	__type(value, struct tap_told);
} told SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* ring_bytes */
} packets SEC(".maps");
