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

/* A BPF file system takes no dots in names: ".rodata". */
static void map_path(const char *dir, const struct bpf_map *map, char out[PATH_BYTES])
{
	size_t at = (size_t)snprintf(out, PATH_BYTES, "%s/map_", dir);

	(void)snprintf(out + at, PATH_BYTES - at, "%s", bpf_map__name(map));
	for (char *p = out + at; *p; p++)
		if (*p == '.')
			*p = '_';
}

/* Whether the constants that are pinned are those of this program. */
static bool same_constants(const char *dir, const struct bpf_map *constants)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ void *pinned = NULL;
	struct bpf_map_info info = { 0 };
	__u32 zero = 0, size = sizeof(info);
	char path[PATH_BYTES];
	const void *ours;
	size_t bytes;

	map_path(dir, constants, path);
	fd = bpf_obj_get(path);
	ours = bpf_map__initial_value((struct bpf_map *)(uintptr_t)constants, &bytes);
	if (fd < 0 || !ours || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || info.value_size != bytes)
		return false;
	pinned = malloc(bytes);
	return pinned && bpf_map_lookup_elem(fd, &zero, pinned) == 0 && memcmp(pinned, ours, bytes) == 0;
}

int pins_offer(const char *dir, struct bpf_object *obj, const struct bpf_map *constants)
{
	bool same = same_constants(dir, constants);
	char path[PATH_BYTES];
	struct bpf_map *map;
	int r = 0;

	if (!same)
		pins_clear(dir);
	bpf_object__for_each_map(map, obj) {
		map_path(dir, map, path);
		if (r == 0)
			r = bpf_map__set_pin_path(map, path);
	}
	return r < 0 ? r : same;
}

/* "link_PROGRAM_TAG" of a loaded program. */
static void link_name(const struct bpf_program *program, char out[NAME_BYTES])
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int n = snprintf(out, NAME_BYTES, "link_%s_", bpf_program__name(program));

	(void)bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);
	for (size_t i = 0; i < sizeof(info.tag) && n > 0 && n + 3 <= NAME_BYTES; i++)
		n += snprintf(out + n, NAME_BYTES - (size_t)n, "%02x", info.tag[i]);
}

static void link_path(const char *dir, const struct bpf_program *program, char out[PATH_BYTES])
{
	char name[NAME_BYTES];

	link_name(program, name);
	(void)snprintf(out, PATH_BYTES, "%s/%s", dir, name);
}

struct bpf_link *pins_take_link(const char *dir, const struct bpf_program *program)
{
	char path[PATH_BYTES];

	link_path(dir, program, path);
	return bpf_link__open(path);
}

/* Not bpf_link__pin(): it makes directories, which the daemon may not when it serves. */
int pins_keep_link(const char *dir, const struct bpf_program *program, const struct bpf_link *link)
{
	char path[PATH_BYTES];

	link_path(dir, program, path);
	return bpf_obj_pin(bpf_link__fd(link), path) < 0 ? -errno : 0;
}

void pins_drop_link(const char *dir, const struct bpf_program *program)
{
	char path[PATH_BYTES];

	link_path(dir, program, path);
	(void)unlink(path);
}

static bool is_one_of(const char *name, const struct bpf_program *const *programs, size_t n)
{
	char ours[NAME_BYTES];

	for (size_t i = 0; i < n; i++) {
		link_name(programs[i], ours);
		if (strcmp(name, ours) == 0)
			return true;
	}
	return false;
}

static void remove_but(const char *dir, const char *prefix, const struct bpf_program *const *programs, size_t n)
{
	_cleanup_closedir_ DIR *d = opendir(dir);
	const struct dirent *e;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && !is_one_of(e->d_name, programs, n))
			(void)unlinkat(dirfd(d), e->d_name, 0);
}

void pins_keep_only(const char *dir, const struct bpf_program *const *programs, size_t n)
{
	remove_but(dir, "link_", programs, n);
}

/* The links first: what goes on counting has its maps. */
void pins_clear(const char *dir)
{
	remove_but(dir, "link_", NULL, 0);
	remove_but(dir, "map_", NULL, 0);
}
