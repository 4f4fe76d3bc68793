/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <unistd.h>

int spawn_child(const char *const argv[], int in, int out, int err, pid_t *pid)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r == 0) {
		sigemptyset(&none);
		posix_spawnattr_setsigmask(&attributes, &none);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
		if (in >= 0)
			posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
		else
			posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
		if (out >= 0)
			posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
		if (err >= 0)
			posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
		r = posix_spawn(pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, environ);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}
