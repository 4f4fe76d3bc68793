/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define STORED_MAX 64u /* as many as the tap watches interfaces */
#define PREFIX     "netprobe-" /* of our names in the store: a socket unit's name has another */

static struct stored {
	char name[32];
	int fd; /* -1: taken */
} stored[STORED_MAX];
static unsigned n_stored;

static bool keep_apart(const char *name, int fd)
{
	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	if (n_stored == STORED_MAX || strlen(name) - strlen(PREFIX) >= sizeof(stored[0].name) || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		close(fd);
		return true;
	}
	stored[n_stored].fd = fd;
	memcpy(stored[n_stored++].name, name + strlen(PREFIX), strlen(name) - strlen(PREFIX) + 1);
	return true;
}

int fdstore_receive(int *other)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names), others = 0;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (!keep_apart(names[i], fd) && others++ == 0)
			*other = fd;
		free(names[i]);
	}
	free(names);
	return n < 0 ? n : others;
}

void fdstore_keep(const char *name, int fd)
{
	char message[96];

	/* Not thrown out when it hangs up: an interface that is down is one that may come up. */
	(void)snprintf(message, sizeof(message), "FDSTORE=1\nFDPOLL=0\nFDNAME=" PREFIX "%s", name);
	(void)sd_pid_notify_with_fds(0, 0, message, &fd, 1);
}

void fdstore_drop(const char *name)
{
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=" PREFIX "%s", name);
}

int fdstore_take(const char *name)
{
	for (unsigned i = 0; i < n_stored; i++)
		if (stored[i].fd >= 0 && strcmp(stored[i].name, name) == 0) {
			int fd = stored[i].fd;

			stored[i].fd = -1;
			return fd;
		}
	return -1;
}

void fdstore_drop_rest(void)
{
	for (unsigned i = 0; i < n_stored; i++)
		if (stored[i].fd >= 0) {
			close(stored[i].fd);
			fdstore_drop(stored[i].name);
		}
	n_stored = 0;
}
