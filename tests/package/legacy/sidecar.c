/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of the single package, as far as a package manager can tell them from the real ones. Called serviceradar-agent: starts
 * netprobe as its child when /etc/serviceradar/sidecars/netprobe.json says that it is on. Called serviceradar-netprobe: serves
 * nothing on its socket. Both stay until they are told to end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NETPROBE "/usr/local/lib/serviceradar/bin/serviceradar-netprobe"
#define CONFIG   "/etc/serviceradar/sidecars/netprobe.json"

static int netprobe(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/run/serviceradar/netprobe/ipc.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	(void)mkdir("/run/serviceradar/netprobe", 0700);
	(void)unlink(a.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0) {
		perror(a.sun_path);
		return 1;
	}
	for (;;)
		(void)pause();
}

static int agent(void)
{
	char text[4096] = "";
	FILE *f = fopen(CONFIG, "r");
	pid_t child;

	if (f) {
		(void)!fread(text, 1, sizeof(text) - 1, f);
		(void)fclose(f);
	}
	if (!strstr(text, "\"enabled\": true"))
		for (;;)
			(void)pause();
	child = fork();
	if (child == 0) {
		execl(NETPROBE, NETPROBE, "--config", CONFIG, (char *)NULL);
		perror(NETPROBE);
		_exit(127);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return 1;
}

int main(int argc, char **argv)
{
	(void)argc;
	return strstr(argv[0], "serviceradar-netprobe") ? netprobe() : agent();
}
