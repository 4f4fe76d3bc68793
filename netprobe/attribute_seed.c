/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/attribute_seed.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define RECORDS 64 /* read at once */

static int open_pass(const struct bpf_link *link)
{
	int fd = bpf_iter_create(bpf_link__fd(link));

	return fd < 0 ? -errno : fd;
}

/* Reads whole records of `size`, at most `n`; 0 at the end. The kernel hands out what it has, records may be cut. */
static ssize_t read_records(int fd, void *buffer, size_t size, size_t n)
{
	size_t used = 0;

	while (used < size * n) {
		ssize_t r = read(fd, (char *)buffer + used, size * n - used);

		if (r < 0 && (errno == EINTR || errno == EAGAIN)) /* EAGAIN: a million files without a record */
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		used += (size_t)r;
		if (used % size == 0)
			break;
	}
	return (ssize_t)(used / size);
}

static void note_process(struct process_table *t, const struct process_seed *s)
{
	char path[64], text[16384];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%u/cmdline", s->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text));
	if (n > 0)
		(void)process_note_cmdline(t, s->pid, s->start_ns, text, (size_t)n);
}

int seed_processes(const struct bpf_link *tasks, struct process_table *t)
{
	_cleanup_close_ int fd = open_pass(tasks);
	struct process_seed records[RECORDS];
	ssize_t n;

	if (fd < 0)
		return fd;
	while ((n = read_records(fd, records, sizeof(records[0]), RECORDS)) > 0)
		for (ssize_t i = 0; i < n; i++)
			note_process(t, &records[i]);
	return (int)n;
}

int seed_sockets(const struct bpf_link *files, volatile __u32 *iterate)
{
	_cleanup_close_ int fd = open_pass(files);
	char nothing[1];

	if (fd < 0)
		return fd;
	*iterate = ITERATE_SEED;
	return (int)read_records(fd, nothing, 1, 1);
}

int seed_listeners(const struct bpf_link *files, volatile __u32 *iterate,
		   void (*fn)(const struct listener_record *r, void *userdata), void *userdata)
{
	_cleanup_close_ int fd = open_pass(files);
	struct listener_record records[RECORDS];
	ssize_t n;

	if (fd < 0)
		return fd;
	*iterate = ITERATE_LISTENERS;
	while ((n = read_records(fd, records, sizeof(records[0]), RECORDS)) > 0)
		for (ssize_t i = 0; i < n; i++)
			fn(&records[i], userdata);
	return (int)n;
}

int seed_announce(struct seed *s, const struct bpf_link *files, volatile __u32 *iterate, unsigned room,
		  void (*fn)(const struct attribution_event *e, void *userdata), void *userdata)
{
	struct attribution_event records[RECORDS];
	ssize_t n = 1;

	if (s->fd < 0) {
		s->fd = open_pass(files);
		if (s->fd < 0)
			return s->fd;
	}
	*iterate = ITERATE_ANNOUNCE;
	while (room >= RECORDS && (n = read_records(s->fd, records, sizeof(records[0]), RECORDS)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			fn(&records[i], userdata);
		room -= (unsigned)n;
	}
	if (n > 0)
		return 1;
	seed_close(s);
	s->announced = true;
	return (int)n;
}

void seed_close(struct seed *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}
