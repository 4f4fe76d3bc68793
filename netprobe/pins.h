/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel programs and maps that outlive the daemon: pinned in a directory of a BPF file system (bpf(2), BPF_OBJ_PIN), counting and
 * queueing on while no daemon runs, and taken up again by the next one.
 *
 * Maps are "map_NAME". A link is "link_PROGRAM_TAG", where the tag is the kernel's digest of the program's instructions: a link of
 * another build has another name. What the constants of the programs say (layout of the maps, which programs are there, namespaces)
 * must be the same, else nothing is taken up. */
#pragma once

#include <bpf/libbpf.h>

#include "lib/error.h"

#define PINS_DEFAULT "/run/serviceradar/netprobe/bpf" /* where the unit shows the daemon its directory below /sys/fs/bpf */

/* Whether `dir` is a directory of a BPF file system that we may write to; else err says why not. */
int pins_usable(const char *dir, struct error *err);

/* Before the object is loaded: its maps become the pinned ones, or are pinned when they are made. `constants` is its .rodata, as it
 * is to be. 1 when there are maps to take up, 0 when all is new: whatever was pinned before is gone. -errno. */
int pins_offer(const char *dir, struct bpf_object *obj, const struct bpf_map *constants);

/* Of a loaded program: its link if that is pinned, or NULL. */
struct bpf_link *pins_take_link(const char *dir, const struct bpf_program *program);

/* Pins a link, or unpins it: then it ends with its descriptor. 0 or -errno. */
int pins_keep_link(const char *dir, const struct bpf_program *program, const struct bpf_link *link);
void pins_drop_link(const char *dir, const struct bpf_program *program);

/* Removes the links of all but these loaded programs, in this build: they are detached at once. */
void pins_keep_only(const char *dir, const struct bpf_program *const *programs, size_t n);

/* Removes everything. */
void pins_clear(const char *dir);
