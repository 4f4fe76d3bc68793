/* SPDX-License-Identifier: Apache-2.0 */
/* load KIND ...: load on the loopback interface for the attribution benchmarks. Prints one line of figures.
 *   tcp SECONDS PAIRS [RATE]  PAIRS clients and servers, each connection carries a byte each way: "RATE CPU_US" per connection, of all
 *                        processes here, user and system, interrupts included as far as they run in their context
 *   udp SECONDS PAIRS [RATE]  PAIRS senders and receivers, 64 bytes; connected: "RATE CPU_NS" per datagram
 *   udp-unconnected SECONDS PAIRS [RATE]  the same with sendto()
 * Without RATE, a second, as fast as it goes.
 *   brief NUMBER FAMILY  NUMBER processes one after the other (8 at once), each of which connects (4 or 6), sends a byte and ends:
 *                        "MADE SERVED". The server is one process that takes them all
 *   open NUMBER          opens so many sockets (listening, connected, UDP in equal parts), says "ready", waits for a line */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile uint64_t *shared; /* counters of the children */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	kill(0, SIGTERM);
	exit(1);
}

/* A socket of the given kind, bound or connected to a port of the loopback address; 0 lets the kernel choose. */
static int make(int family, int type, uint16_t port, int listens)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
	socklen_t size = family == AF_INET ? sizeof(a4) : sizeof(a6);
	int fd = socket(family, type, 0), one = 1;

	if (fd < 0)
		die("socket");
	if (listens) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, a, size) < 0 || (type == SOCK_STREAM && listen(fd, 4096) < 0))
			die("bind");
	} else if (connect(fd, a, size) < 0) {
		die("connect");
	}
	return fd;
}

/* An RST instead of TIME_WAIT, so that the ports are not used up. */
static void reset(int fd)
{
	const struct linger l = { 1, 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

static void serve(int listener)
{
	char byte;

	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0)
			continue;
		if (read(fd, &byte, 1) == 1)
			(void)!write(fd, &byte, 1);
		close(fd);
	}
}

/* Holds up whoever is ahead of `rate` a second with `n` since `start`. 0: nobody is. */
static void keep_pace(double start, uint64_t n, double rate)
{
	double ahead = rate > 0 ? start + (double)n / rate - now() : 0;
	struct timespec t = { 0, (long)(ahead * 1e9) };

	if (ahead > 0.0001 && ahead < 1)
		nanosleep(&t, NULL);
}

static double cpu_of(int who)
{
	struct rusage r;

	getrusage(who, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static int tcp(double seconds, int pairs, double rate)
{
	double start, cpu = cpu_of(RUSAGE_CHILDREN), took;
	pid_t servers[16], clients[16];

	for (int i = 0; i < pairs; i++) {
		int listener = make(AF_INET, SOCK_STREAM, (uint16_t)(20000 + i), 1);

		servers[i] = fork();
		if (servers[i] == 0)
			serve(listener);
		close(listener);
	}
	start = now();
	for (int i = 0; i < pairs; i++) {
		clients[i] = fork();
		if (clients[i] == 0) {
			uint64_t n = 0;
			char byte = 'x';

			while (now() < start + seconds) {
				int fd = make(AF_INET, SOCK_STREAM, (uint16_t)(20000 + i), 0);

				if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
					die("exchange");
				reset(fd);
				shared[i] = ++n;
				keep_pace(start, n, rate / pairs);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < pairs; i++)
		waitpid(clients[i], NULL, 0);
	took = now() - start;
	for (int i = 0; i < pairs; i++) {
		kill(servers[i], SIGKILL);
		waitpid(servers[i], NULL, 0);
		shared[16] += shared[i];
	}
	printf("%.0f %.3f\n", (double)shared[16] / took, (cpu_of(RUSAGE_CHILDREN) - cpu) / (double)shared[16] * 1e6);
	return 0;
}

static pid_t udp_receiver(uint16_t port)
{
	int fd = make(AF_INET, SOCK_DGRAM, port, 1), size = 8 << 20;
	pid_t pid;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	pid = fork();
	if (pid == 0) {
		char bytes[64];

		for (;;)
			(void)!recv(fd, bytes, sizeof(bytes), 0);
	}
	close(fd);
	return pid;
}

static _Noreturn void udp_sender(int i, int connected, double end, double start, double rate)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(20100 + i)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = connected ? make(AF_INET, SOCK_DGRAM, (uint16_t)(20100 + i), 0) : socket(AF_INET, SOCK_DGRAM, 0);
	char bytes[64] = { 0 };
	uint64_t n = 0;

	while (n % 64 || now() < end) {
		ssize_t r = connected ? send(fd, bytes, sizeof(bytes), 0) :
					sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to));

		if (r > 0)
			shared[i] = ++n;
		if (n % 64 == 0)
			keep_pace(start, n, rate);
	}
	_exit(0);
}

static int udp(double seconds, int pairs, int connected, double rate)
{
	double start, cpu = cpu_of(RUSAGE_CHILDREN), took;
	pid_t receivers[16], senders[16];

	for (int i = 0; i < pairs; i++)
		receivers[i] = udp_receiver((uint16_t)(20100 + i));
	start = now();
	for (int i = 0; i < pairs; i++) {
		senders[i] = fork();
		if (senders[i] == 0)
			udp_sender(i, connected, start + seconds, start, rate / pairs);
	}
	for (int i = 0; i < pairs; i++)
		waitpid(senders[i], NULL, 0);
	took = now() - start;
	for (int i = 0; i < pairs; i++) {
		kill(receivers[i], SIGKILL);
		waitpid(receivers[i], NULL, 0);
		shared[16] += shared[i];
	}
	printf("%.0f %.1f\n", (double)shared[16] / took, (cpu_of(RUSAGE_CHILDREN) - cpu) / (double)shared[16] * 1e9);
	return 0;
}

static int brief(long number, int family)
{
	int listener = make(family, SOCK_STREAM, 20200, 1);
	long made = 0, running = 0;
	pid_t server = fork();

	if (server == 0) {
		for (uint64_t n = 0;;) {
			int fd = accept(listener, NULL, NULL);
			char byte;

			if (fd < 0)
				continue;
			if (read(fd, &byte, 1) == 1)
				shared[0] = ++n;
			close(fd);
		}
	}
	close(listener);
	while (made < number || running > 0) {
		if (made < number && running < 8) {
			if (fork() == 0) {
				int fd = make(family, SOCK_STREAM, 20200, 0);
				char byte = 'x';

				_exit(write(fd, &byte, 1) == 1 ? 0 : 1);
			}
			made++;
			running++;
		} else {
			int status;

			if (wait(&status) > 0) {
				running--;
				if (status)
					die("a client failed");
			}
		}
	}
	for (int i = 0; i < 200 && shared[0] < (uint64_t)number; i++)
		usleep(50000);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	printf("%ld %llu %d\n", made, (unsigned long long)shared[0], server);
	return 0;
}

static uint16_t open_port = 20300;

static int open_many(long number)
{
	struct rlimit l;
	int listener, last = -1, ready[2];
	char byte = 'r';

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || pipe(ready) < 0)
		die("getrlimit");
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	if (number > 15000) { /* what the limit may not allow one process, several hold */
		pid_t rest = fork();

		if (rest == 0) {
			open_port++;
			(void)dup2(ready[1], 1);
			return open_many(number - 15000);
		}
		number = 15000;
		if (rest < 0 || read(ready[0], &byte, 1) != 1)
			die("fork");
	}
	listener = make(AF_INET, SOCK_STREAM, open_port, 1);
	for (long i = 1; i < number; i++) {
		if (i % 3 == 0)
			(void)make(AF_INET, SOCK_DGRAM, 0, 1);
		else if (i % 3 == 1)
			last = make(AF_INET, SOCK_STREAM, open_port, 0);
		else if (last >= 0 && accept(listener, NULL, NULL) < 0)
			die("accept");
	}
	(void)!write(1, "ready\n", 6);
	while (read(0, &byte, 1) == 1 && byte != '\n')
		;

	return 0;
}

int main(int argc, char **argv)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "tcp") == 0 && atoi(argv[3]) <= 16)
		return tcp(atof(argv[2]), atoi(argv[3]), argc == 5 ? atof(argv[4]) : 0);
	if ((argc == 4 || argc == 5) && strncmp(argv[1], "udp", 3) == 0 && atoi(argv[3]) <= 16)
		return udp(atof(argv[2]), atoi(argv[3]), !argv[1][3], argc == 5 ? atof(argv[4]) : 0);
	if (argc == 4 && strcmp(argv[1], "brief") == 0)
		return brief(atol(argv[2]), atoi(argv[3]) == 6 ? AF_INET6 : AF_INET);
	if (argc == 3 && strcmp(argv[1], "open") == 0)
		return open_many(atol(argv[2]));
	fputs("load: see the comment in tests/bench/load.c\n", stderr);
	return 1;
}
