/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"

#define PATH_BYTES 512
#define NAME_BYTES 64

int pins_usable(const char *dir, struct error *err)
{
	struct statfs fs;

	if (statfs(dir, &fs) < 0)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	if ((unsigned long)fs.f_type != BPF_FS_MAGIC)
		return error_set(err, -ENOTSUP, "%s: not in a BPF file system", dir);
	if (access(dir, W_OK | X_OK) < 0)
		return error_set(err, -errno, "%s: %s", dir, strerror(errno));
	return 0;
}

/* "DIR/PREFIXmap_NAME". A BPF file system takes no dots in names: ".rodata". */
static void map_path(const struct pins *p, const char *name, char out[PATH_BYTES])
{
	size_t at = (size_t)snprintf(out, PATH_BYTES, "%s/%smap_", p->dir, p->prefix);

	(void)snprintf(out + at, PATH_BYTES - at, "%s", name);
	for (char *c = out + at; *c; c++)
		if (*c == '.')
			*c = '_';
}

int pins_keep_map(const struct pins *p, const char *name, int fd)
{
	char path[PATH_BYTES];

	map_path(p, name, path);
	(void)unlink(path);
	return bpf_obj_pin(fd, path) < 0 ? -errno : 0;
}

int pins_take_map(const struct pins *p, const char *name)
{
	char path[PATH_BYTES];
	int fd;

	map_path(p, name, path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

void pins_drop_map(const struct pins *p, const char *name)
{
	char path[PATH_BYTES];

	map_path(p, name, path);
	(void)unlink(path);
}

bool pins_read_constants(const struct pins *p, const struct bpf_map *constants, void *out, size_t size)
{
	_cleanup_close_ int fd = pins_take_map(p, bpf_map__name(constants));
	struct bpf_map_info info = { 0 };
	__u32 zero = 0, length = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0 && info.value_size == size &&
	       bpf_map_lookup_elem(fd, &zero, out) == 0;
}

/* Whether the constants that are pinned are those of this program. */
static bool same_constants(const struct pins *p, const struct bpf_map *constants)
{
	_cleanup_free_ void *pinned = NULL;
	size_t bytes = 0;
	const void *ours = bpf_map__initial_value((struct bpf_map *)(uintptr_t)constants, &bytes);

	pinned = ours ? malloc(bytes) : NULL;
	return pinned && pins_read_constants(p, constants, pinned, bytes) && memcmp(pinned, ours, bytes) == 0;
}

/* Not by bpf_map__set_pin_path(): it makes directories, which the daemon may not when it serves. */
static bool take_map(const struct pins *p, struct bpf_map *map)
{
	_cleanup_close_ int fd = pins_take_map(p, bpf_map__name(map));
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0 && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) && info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) && bpf_map__reuse_fd(map, fd) == 0;
}

int pins_offer(const struct pins *p, struct bpf_object *obj, const struct bpf_map *constants)
{
	struct bpf_map *map;
	int taken = 0, all = 0;

	if (!same_constants(p, constants)) {
		log_debug("pins: %smap_%s is missing, or another one", p->prefix, bpf_map__name(constants));
	} else {
		bpf_object__for_each_map(map, obj) {
			bool fits = take_map(p, map);

			all++;
			taken += fits;
			if (!fits)
				log_debug("pins: %smap_%s is missing, or another one", p->prefix, bpf_map__name(map));
		}
	}
	if (all > 0 && taken == all)
		return 1;
	pins_clear(p);
	return taken == 0 ? 0 : -ESTALE; /* some are the object's now: it has to be opened anew */
}

int pins_keep_maps(const struct pins *p, struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj) {
		int r = pins_keep_map(p, bpf_map__name(map), bpf_map__fd(map));

		if (r < 0) {
			pins_clear(p);
			return r;
		}
	}
	return 0;
}

/* "PREFIXlink_PROGRAM_TAG" of a loaded program. */
static void link_name(const struct pins *p, const struct bpf_program *program, char out[NAME_BYTES])
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int n = snprintf(out, NAME_BYTES, "%slink_%s_", p->prefix, bpf_program__name(program));

	(void)bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
	for (size_t i = 0; i < sizeof(info.tag) && n > 0 && n + 3 <= NAME_BYTES; i++)
		n += snprintf(out + n, NAME_BYTES - (size_t)n, "%02x", info.tag[i]);
}

static void link_path(const struct pins *p, const struct bpf_program *program, char out[PATH_BYTES])
{
	char name[NAME_BYTES];

	link_name(p, program, name);
	(void)snprintf(out, PATH_BYTES, "%s/%s", p->dir, name);
}

struct bpf_link *pins_take_link(const struct pins *p, const struct bpf_program *program)
{
	char path[PATH_BYTES];

	link_path(p, program, path);
	return bpf_link__open(path);
}

/* Not bpf_link__pin(), which makes directories, too. */
int pins_keep_link(const struct pins *p, const struct bpf_program *program, const struct bpf_link *link)
{
	char path[PATH_BYTES];

	link_path(p, program, path);
	return bpf_obj_pin(bpf_link__fd(link), path) < 0 ? -errno : 0;
}

void pins_drop_link(const struct pins *p, const struct bpf_program *program)
{
	char path[PATH_BYTES];

	link_path(p, program, path);
	(void)unlink(path);
}

static bool is_one_of(const struct pins *p, const char *name, const struct bpf_program *const *programs, size_t n)
{
	char ours[NAME_BYTES];

	for (size_t i = 0; i < n; i++) {
		link_name(p, programs[i], ours);
		if (strcmp(name, ours) == 0)
			return true;
	}
	return false;
}

static void remove_but(const struct pins *p, const char *kind, const struct bpf_program *const *programs, size_t n)
{
	_cleanup_closedir_ DIR *d = opendir(p->dir);
	char prefix[NAME_BYTES];
	const struct dirent *e;

	(void)snprintf(prefix, sizeof(prefix), "%s%s_", p->prefix, kind);
	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && !is_one_of(p, e->d_name, programs, n))
			(void)unlinkat(dirfd(d), e->d_name, 0);
}

void pins_keep_only(const struct pins *p, const struct bpf_program *const *programs, size_t n)
{
	remove_but(p, "link", programs, n);
}

/* The links first: what goes on counting has its maps. */
void pins_clear(const struct pins *p)
{
	remove_but(p, "link", NULL, 0);
	remove_but(p, "map", NULL, 0);
}
