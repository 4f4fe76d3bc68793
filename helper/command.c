/* SPDX-License-Identifier: Apache-2.0 */
#include "helper/command.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"

static int start(const char *const argv[], int output, pid_t *pid)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *const environment[] = { path, locale, NULL };
	posix_spawn_file_actions_t actions;
	int r = -posix_spawn_file_actions_init(&actions);

	if (r < 0)
		return r;
	r = -posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = -posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (r == 0)
		r = -posix_spawn(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* All of it, so that the program can end; kept is what fits. */
static void drain(int fd, char *out, size_t size)
{
	char part[512];
	size_t used = 0;

	for (;;) {
		ssize_t n = read(fd, part, sizeof(part));
		size_t keep;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		keep = (size_t)n < size - 1 - used ? (size_t)n : size - 1 - used;
		memcpy(out + used, part, keep);
		used += keep;
	}
	out[used] = '\0';
}

int command_run(const char *const argv[], char *out, size_t size)
{
	_cleanup_close_ int reading = -1, writing = -1;
	int fds[2], status = 0, r;
	pid_t pid = -1;

	if (out) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			return -errno;
		reading = fds[0];
		writing = fds[1];
	}
	r = start(argv, out ? writing : STDERR_FILENO, &pid);
	if (writing >= 0)
		close(steal_fd(&writing));
	if (r < 0)
		return r;
	if (out)
		drain(reading, out, size);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}
