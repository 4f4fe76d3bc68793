/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel programs and maps that outlive the daemon: pinned in a directory of a BPF file system (bpf(2), BPF_OBJ_PIN), counting and
 * queueing on while no daemon runs, and taken up again by the next one.
 *
 * Maps are "map_NAME". A link is "link_PROGRAM_TAG", where the tag is the kernel's digest of the program's instructions: a link of
 * another build has another name. What the constants of the programs say (layout of the maps, which programs are there, namespaces)
 * must be the same, else nothing is taken up. Each object has a prefix of its own in the directory. */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "lib/error.h"

#define PINS_DEFAULT "/run/serviceradar/netprobe/bpf" /* where the unit shows the daemon its directory below /sys/fs/bpf */

struct pins {
	const char *dir; /* NULL: nothing is pinned */
	const char *prefix; /* of all names: "", "tap_" */
};

/* Whether `dir` is a directory of a BPF file system that we may write to; else err says why not. */
int pins_usable(const char *dir, struct error *err);

/* Before the object is loaded: its maps become the pinned ones, if all are there and fit and the constants, its .rodata as it is to be, are
 * the same. 1, or 0 when all is new: whatever was pinned before is gone, and pins_keep_maps comes after loading. -errno. */
int pins_offer(const struct pins *p, struct bpf_object *obj, const struct bpf_map *constants);

/* Pins the maps of a loaded object: all or none. -errno. */
int pins_keep_maps(const struct pins *p, struct bpf_object *obj);

/* Reads the constants that are pinned; false when there are none, or not so many bytes. */
bool pins_read_constants(const struct pins *p, const struct bpf_map *constants, void *out, size_t size);

/* A map that the object does not have, by name: pins it instead of what was there, gets it (a descriptor or -errno), unpins it. */
int pins_keep_map(const struct pins *p, const char *name, int fd);
int pins_take_map(const struct pins *p, const char *name);
void pins_drop_map(const struct pins *p, const char *name);

/* Of a loaded program: its link if that is pinned, or NULL. */
struct bpf_link *pins_take_link(const struct pins *p, const struct bpf_program *program);

/* Pins a link, or unpins it: then it ends with its descriptor. 0 or -errno. */
int pins_keep_link(const struct pins *p, const struct bpf_program *program, const struct bpf_link *link);
void pins_drop_link(const struct pins *p, const struct bpf_program *program);

/* Removes the links of all but these loaded programs, in this build: they are detached at once. */
void pins_keep_only(const struct pins *p, const struct bpf_program *const *programs, size_t n);

/* Removes everything of this prefix. */
void pins_clear(const struct pins *p);
