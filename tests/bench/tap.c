/* SPDX-License-Identifier: Apache-2.0 */
/* What a packet costs with the tap, beside the same with a TCX flow counter and with nothing. tests/bench/tap runs it, in two
 * network namespaces with a veth pair between them: v0 in the first, v1 in the second. Rounds of all variants in turn, in
 * another order each; medians. The time is the processor time of the thread that sends; the receiving half of a veth pair runs in it too. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netprobe/tap_internal.h"
#include "tests/bench/tcx.skel.h"

#define MAX_ROUNDS 999
#define BATCH      64
#define SOCKETS    8
#define ATTACH_TCX_INGRESS 46 /* include/uapi/linux/bpf.h; Debian 12's is older */
#define ATTACH_TCX_EGRESS  47

enum side { NOTHING, RX, TX, UNWATCHED_RX, UNWATCHED_TX, UNWATCHED, BOTH };
struct variant {
	const char *name;
	enum side side;
	enum tap_kind kind;
	bool plain, tcx;
	unsigned budget;
};

static int ns[2];
static struct tcx_bpf *tcx;
static struct tap *tap; /* the one that is on */
static struct tap *taps[16]; /* of the variants, loaded once */
static uint32_t entries;
static unsigned rounds = 21;
static long packets = 60000;
static pthread_t reader;
static volatile bool reading;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "tap-bench: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void enter(int which)
{
	if (setns(ns[which], CLONE_NEWNET) < 0)
		die("setns");
}

static double clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double cpu_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static double wall_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), compare);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* ---- switching ---- */

static void on_packet(const struct tap_packet *p, void *userdata)
{
	(void)userdata;
	if (p->ip_bytes > 52 + 8) /* not a SYN: as a classifier that knows at the first payload */
		tap_flow_state(tap, p->flow, FLOW_CLASSIFIED, 0);
}

static enum tap_answer keep(const struct tap_flow *f, enum tap_why why, void *userdata)
{
	(void)f;
	(void)why;
	(void)userdata;
	return TAP_KEEP;
}

static void *read_ring(void *arg)
{
	(void)arg;
	while (reading) {
		struct pollfd fd = { .fd = tap_fd(tap), .events = POLLIN };

		(void)poll(&fd, 1, 20);
		(void)tap_drain(tap);
	}
	return NULL;
}

static int links[2] = { -1, -1 };

static void tcx_on(const char *name, int where, int attach)
{
	enter(where);
	links[links[0] >= 0] = bpf_link_create(bpf_program__fd(tcx->progs.reference), (int)if_nametoindex(name), attach, NULL);
	if (links[0] < 0)
		die("TCX link");
	enter(0);
}

static void tap_on(const struct variant *v, struct tap **own)
{
	int where = v->side == RX || v->side == BOTH ? 1 : 0;
	bool unwatched = v->side == UNWATCHED || v->side == UNWATCHED_RX || v->side == UNWATCHED_TX;
	const char *name = unwatched ? "lo" : (where ? "v1" : "v0");
	struct tap_options o = { .kind = v->kind, .plain = v->plain, .budget = v->budget, .max_entries = entries,
				 .packet = on_packet, .flow = keep };
	struct error err = { .text = "" };

	enter(where);
	if ((!*own && tap_open(own, &o, &err) < 0) || tap_set_interfaces(*own, &name, 1, &err) < 0) {
		fprintf(stderr, "tap-bench: %s\n", err.text);
		exit(EXIT_FAILURE);
	}
	enter(0);
	tap = *own;
	/* On a veth pair each packet passes both tracepoints; a packet of a real interface only one. */
	if (v->kind == TAP_TRACEPOINT && v->side != UNWATCHED && v->side != BOTH) {
		bool other = v->side == RX || v->side == UNWATCHED_RX;

		bpf_link__destroy(tap->links[other]);
		tap->links[other] = NULL;
	}
	reading = true;
	if (pthread_create(&reader, NULL, read_ring, NULL))
		die("thread");
}

static void off(void)
{
	if (tap) {
		reading = false;
		pthread_join(reader, NULL);
		(void)tap_set_interfaces(tap, NULL, 0, NULL);
		tap = NULL;
	}
	for (int i = 0; i < 2; i++) {
		if (links[i] >= 0)
			close(links[i]);
		links[i] = -1;
	}
}

static void on(const struct variant *v, struct tap **own)
{
	if (v->tcx && (v->side == RX || v->side == BOTH))
		tcx_on("v1", 1, ATTACH_TCX_INGRESS);
	if (v->tcx && (v->side == TX || v->side == BOTH))
		tcx_on(v->side == BOTH ? "v1" : "v0", v->side == BOTH, ATTACH_TCX_EGRESS);
	if (!v->tcx && v->side != NOTHING)
		tap_on(v, own);
}

/* ---- loads: each returns nanoseconds, of processor time where it says nothing else, for one of its units ---- */

static void run_on(unsigned cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one); /* with one CPU only, both are there */
}

static unsigned first_cpu;

static union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} target;
static socklen_t target_size;
static int senders[SOCKETS], receivers[SOCKETS];

static void set_target(int family, const char *text, uint16_t port)
{
	memset(&target, 0, sizeof(target));
	target.any.sa_family = (sa_family_t)family;
	if (family == AF_INET) {
		target.v4.sin_port = htons(port);
		inet_pton(AF_INET, text, &target.v4.sin_addr);
		target_size = sizeof(target.v4);
	} else {
		target.v6.sin6_port = htons(port);
		inet_pton(AF_INET6, text, &target.v6.sin6_addr);
		target_size = sizeof(target.v6);
	}
}

static void open_udp(int family)
{
	for (int i = 0; i < SOCKETS; i++) {
		int one = 1;

		set_target(family, family == AF_INET ? "10.9.0.2" : "fd00:9::2", (uint16_t)(7000 + i));
		enter(1);
		receivers[i] = socket(family, SOCK_DGRAM, 0);
		setsockopt(receivers[i], SOL_SOCKET, SO_RCVBUF, &one, sizeof(one)); /* nobody reads: dropped at once */
		if (bind(receivers[i], &target.any, target_size) < 0)
			die("bind");
		enter(0);
		senders[i] = socket(family, SOCK_DGRAM, 0);
		if (connect(senders[i], &target.any, target_size) < 0)
			die("connect");
	}
}

static void close_udp(void)
{
	for (int i = 0; i < SOCKETS; i++) {
		close(senders[i]);
		close(receivers[i]);
	}
}

static double send_udp(void)
{
	char payload[22] = { 0 };
	struct iovec part = { payload, sizeof(payload) };
	struct mmsghdr messages[BATCH] = { 0 };
	double start;

	for (int i = 0; i < BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &part;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (int i = 0; i < SOCKETS; i++) /* neighbours, flows */
		(void)sendmmsg(senders[i], messages, BATCH, 0);
	start = cpu_ns();
	for (long i = 0; i < packets; i += BATCH)
		if (sendmmsg(senders[i / BATCH % SOCKETS], messages, BATCH, 0) != BATCH)
			die("sendmmsg");
	return (cpu_ns() - start) / (double)packets;
}

/* Many flows: as many addresses behind the other end as there are to be flows, in random order. */
static uint32_t many;
static uint32_t *order;

static double send_many(void)
{
	static struct sockaddr_in to[BATCH];
	static struct mmsghdr messages[BATCH];
	char payload[22] = { 0 };
	struct iovec part = { payload, sizeof(payload) };
	double start;
	long n = packets;

	for (int i = 0; i < BATCH; i++) {
		to[i].sin_family = AF_INET;
		to[i].sin_port = htons(9);
		messages[i].msg_hdr.msg_iov = &part;
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_hdr.msg_name = &to[i];
		messages[i].msg_hdr.msg_namelen = sizeof(to[i]);
	}
	for (uint32_t i = 0; i < many; i += BATCH) { /* every flow once */
		for (uint32_t k = 0; k < BATCH; k++)
			to[k].sin_addr.s_addr = htonl(0x0a400000u + (i + k) % many);
		(void)sendmmsg(senders[0], messages, BATCH, 0);
	}
	start = cpu_ns();
	for (long i = 0; i < n; i += BATCH) {
		for (int k = 0; k < BATCH; k++)
			to[k].sin_addr.s_addr = htonl(0x0a400000u + order[(i + k) % many]);
		if (sendmmsg(senders[0], messages, BATCH, 0) != BATCH)
			die("sendmmsg");
	}
	return (cpu_ns() - start) / (double)n;
}

static int listener;
static unsigned request_bytes;

/* One thread plays both ends: no scheduling in between. */
static double connections(void)
{
	static char request[4096];
	long n = packets / 20;
	double start = cpu_ns();

	for (long i = 0; i < n; i++) {
		int a = socket(target.any.sa_family, SOCK_STREAM, 0), b;

		if (connect(a, &target.any, target_size) < 0)
			die("connect");
		b = accept(listener, NULL, NULL);
		if (request_bytes) {
			if (write(a, request, request_bytes) < 0 || read(b, request, sizeof(request)) < 0 ||
			    write(b, request, request_bytes) < 0 || read(a, request, sizeof(request)) < 0)
				die("exchange");
		}
		shutdown(a, SHUT_WR);
		(void)!read(b, request, sizeof(request));
		close(b);
		(void)!read(a, request, sizeof(request));
		close(a);
	}
	return (cpu_ns() - start) / (double)n;
}

static void serve_one(char *request, size_t size)
{
	int b = accept(listener, NULL, NULL);

	if (b < 0)
		die("accept");
	if (request_bytes && (read(b, request, size) < 0 || write(b, request, request_bytes) < 0))
		die("exchange");
	(void)!read(b, request, size);
	close(b);
}

static void ask_one(char *request, size_t size)
{
	int a = socket(target.any.sa_family, SOCK_STREAM, 0);

	if (connect(a, &target.any, target_size) < 0)
		die("connect");
	if (request_bytes && (write(a, request, request_bytes) < 0 || read(a, request, size) < 0))
		die("exchange");
	shutdown(a, SHUT_WR);
	(void)!read(a, request, size);
	close(a);
}

static void *serve_all(void *arg)
{
	char request[4096];

	run_on(first_cpu + 1);
	for (long i = *(const long *)arg; i > 0; i--)
		serve_one(request, sizeof(request));
	return NULL;
}

/* As a client and a server do it, on two CPUs; the time is that of the clock. */
static double connections_of_two(void)
{
	char request[4096] = { 0 };
	long n = packets / 20;
	double start = wall_ns();
	pthread_t other;

	if (pthread_create(&other, NULL, serve_all, &n))
		die("thread");
	for (long i = 0; i < n; i++)
		ask_one(request, sizeof(request));
	pthread_join(other, NULL);
	return (wall_ns() - start) / (double)n;
}

static int bulk[2];

static double bulk_tcp(void)
{
	static char data[262144];
	long want = packets * 8192, sent = 0, got = 0;
	double start = cpu_ns();

	while (got < want) {
		ssize_t n = sent < want ? send(bulk[0], data, sizeof(data), MSG_DONTWAIT) : 0;

		if (n > 0)
			sent += n;
		n = recv(bulk[1], data, sizeof(data), MSG_DONTWAIT);
		if (n > 0)
			got += n;
	}
	return (cpu_ns() - start) / ((double)want / 1e6);
}

static void *receive_all(void *arg)
{
	static char data[262144];
	long left = *(const long *)arg;

	run_on(first_cpu + 1);
	while (left > 0) {
		ssize_t n = recv(bulk[1], data, sizeof(data), 0);

		if (n <= 0)
			die("recv");
		left -= n;
	}
	return NULL;
}

/* As two programs do it, on two CPUs; the time is that of the clock. */
static double bulk_of_two(void)
{
	static char data[131072];
	long want = packets * 8192 / (long)sizeof(data) * (long)sizeof(data);
	double start = wall_ns();
	pthread_t other;

	if (pthread_create(&other, NULL, receive_all, &want))
		die("thread");
	for (long sent = 0; sent < want;) {
		ssize_t n = send(bulk[0], data, sizeof(data), 0);

		if (n < 0)
			die("send");
		sent += n;
	}
	pthread_join(other, NULL);
	return (wall_ns() - start) / ((double)want / 1e6);
}

static void open_tcp(int family, uint16_t port)
{
	int one = 1;

	set_target(family, family == AF_INET ? "10.9.0.2" : "fd00:9::2", port);
	enter(1);
	listener = socket(family, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, &target.any, target_size) < 0 || listen(listener, 128) < 0)
		die("listen");
	enter(0);
}

/* ---- tables ---- */

static void measure(const char *title, const char *unit, const struct variant *list, unsigned n, double (*load)(void), bool percent)
{
	static double all[16][MAX_ROUNDS], added[MAX_ROUNDS];
	double base;

	for (unsigned r = 0; r < rounds; r++) {
		for (unsigned k = 0; k < n; k++) {
			unsigned i = (k * (r % 2 ? 1 : n - 1) + r) % n; /* n and n - 1 have no common divisor */

			on(&list[i], &taps[i]);
			all[i][r] = load();
			off();
		}
	}
	printf("\n### %s\n\n| variant | %s | added | of the reference |\n|---|---|---|---|\n", title, unit);
	base = 0;
	for (unsigned i = 0; i < n; i++) {
		static double sorted[MAX_ROUNDS], reference[8];
		double m, a;

		for (unsigned r = 0; r < rounds; r++)
			added[r] = all[i][r] - all[0][r];
		memcpy(sorted, all[i], sizeof(sorted));
		m = median(sorted, rounds);
		a = median(added, rounds); /* of differences in one round: what the machine does else is in both */
		if (i == 0)
			base = m;
		if (list[i].tcx)
			reference[list[i].side] = a;
		printf("| %s | %.0f | ", list[i].name, m);
		if (percent)
			printf("%+.1f %%", a / base * 100);
		else
			printf("%+.0f", a);
		if (!list[i].tcx && i > 0 && reference[list[i].side] > 0)
			printf(" | %.2f |\n", a / reference[list[i].side]);
		else
			printf(" | |\n");
	}
	fflush(stdout);
	for (unsigned i = 0; i < n; i++) {
		tap_close(taps[i]);
		taps[i] = NULL;
	}
}

static const struct variant per_packet[] = {
	{ .name = "nothing" },
	{ .name = "receive: TCX, the reference", .side = RX, .tcx = true },
	{ .name = "receive: tracepoint", .side = RX, .kind = TAP_TRACEPOINT, .budget = 16 },
	{ .name = "receive: socket filter", .side = RX, .kind = TAP_SOCKET, .budget = 16 },
	{ .name = "receive: tracepoint without kfuncs", .side = RX, .kind = TAP_TRACEPOINT, .plain = true, .budget = 16 },
	{ .name = "send: TCX, the reference", .side = TX, .tcx = true },
	{ .name = "send: tracepoint", .side = TX, .kind = TAP_TRACEPOINT, .budget = 16 },
	{ .name = "send: socket filter", .side = TX, .kind = TAP_SOCKET, .budget = 16 },
	{ .name = "send: tracepoint without kfuncs", .side = TX, .kind = TAP_TRACEPOINT, .plain = true, .budget = 16 },
	{ .name = "received, not watched", .side = UNWATCHED_RX, .kind = TAP_TRACEPOINT, .budget = 16 },
	{ .name = "sent, not watched", .side = UNWATCHED_TX, .kind = TAP_TRACEPOINT, .budget = 16 },
	{ .name = "both, not watched", .side = UNWATCHED, .kind = TAP_TRACEPOINT, .budget = 16 },
};
static const struct variant whole[] = {
	{ .name = "nothing" },
	{ .name = "TCX, both directions: the reference", .side = BOTH, .tcx = true },
	{ .name = "tracepoints, first packets handed up and read", .side = BOTH, .kind = TAP_TRACEPOINT, .budget = 16 },
	{ .name = "socket filter, the same", .side = BOTH, .kind = TAP_SOCKET, .budget = 16 },
};
static const struct variant flows[] = {
	{ .name = "nothing" },
	{ .name = "TCX", .side = TX, .tcx = true },
	{ .name = "tracepoint", .side = TX, .kind = TAP_TRACEPOINT },
};
#define N(list) (sizeof(list) / sizeof((list)[0]))

static bool wanted(int argc, char **argv, const char *name)
{
	for (int i = 3; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc <= 3;
}

static void many_flows(uint32_t n)
{
	char title[64];

	many = n;
	order = calloc(n, sizeof(*order));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = (uint32_t)((uint64_t)(unsigned)rand() * (i + 1) / ((uint64_t)RAND_MAX + 1));

		order[i] = order[k];
		order[k] = i;
	}
	(void)snprintf(title, sizeof(title), "%u flows, in random order", n);
	measure(title, "ns a packet", flows, N(flows), send_many, false);
	free(order);
}

int main(int argc, char **argv)
{
	char title[96];

	if (argc < 3) {
		fputs("Usage: tap-bench NETNS NETNS [udp4|udp6|bulk|connect|many]...   (ROUNDS, PACKETS in the environment)\n", stderr);
		return EXIT_FAILURE;
	}
	for (int i = 0; i < 2; i++) {
		ns[i] = open(argv[1 + i], O_RDONLY | O_CLOEXEC);
		if (ns[i] < 0)
			die(argv[1 + i]);
	}
	rounds = getenv("ROUNDS") ? (unsigned)atoi(getenv("ROUNDS")) : rounds;
	packets = getenv("PACKETS") ? atol(getenv("PACKETS")) : packets;
	if (rounds > MAX_ROUNDS)
		rounds = MAX_ROUNDS;
	packets = (packets + BATCH - 1) / BATCH * BATCH;
	first_cpu = (unsigned)(getenv("CPU") ? atoi(getenv("CPU")) : 0);
	run_on(first_cpu);
	enter(0);
	tcx = tcx_bpf__open();
	if (!tcx || bpf_map__set_max_entries(tcx->maps.flows, 2000000) < 0 || tcx_bpf__load(tcx) < 0)
		die("the reference");
	if (wanted(argc, argv, "udp4")) {
		open_udp(AF_INET);
		measure("64-byte UDP over IPv4, 8 flows", "ns a packet", per_packet, N(per_packet), send_udp, false);
		close_udp();
	}
	if (wanted(argc, argv, "udp6")) {
		open_udp(AF_INET6);
		measure("84-byte UDP over IPv6, 8 flows", "ns a packet", per_packet, N(per_packet), send_udp, false);
		close_udp();
	}
	if (wanted(argc, argv, "bulk")) {
		open_tcp(AF_INET, 7100);
		bulk[0] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(bulk[0], &target.any, target_size) < 0)
			die("connect");
		bulk[1] = accept(listener, NULL, NULL);
		measure("Bulk TCP, one thread at both ends", "ns a megabyte", whole, N(whole), bulk_tcp, true);
		measure("Bulk TCP, a thread and a CPU at each end, by the clock", "ns a megabyte", whole, N(whole), bulk_of_two, true);
		close(bulk[0]);
		close(bulk[1]);
		close(listener);
	}
	if (wanted(argc, argv, "connect")) {
		open_tcp(AF_INET, 7101);
		for (request_bytes = 0; request_bytes <= 200; request_bytes += 200) {
			(void)snprintf(title, sizeof(title), "Connect,%s close, one thread at both ends", request_bytes ? " 200 bytes each way," : "");
			measure(title, "ns a connection", whole, N(whole), connections, true);
			(void)snprintf(title, sizeof(title), "Connect,%s close, a thread and a CPU at each end, by the clock",
				       request_bytes ? " 200 bytes each way," : "");
			measure(title, "ns a connection", whole, N(whole), connections_of_two, true);
		}
		close(listener);
	}
	if (wanted(argc, argv, "many")) {
		entries = 2000000;
		set_target(AF_INET, "10.9.0.2", 9);
		senders[0] = socket(AF_INET, SOCK_DGRAM, 0);
		packets *= 4;
		many_flows(1024);
		many_flows(1024 * 1024);
	}
	return EXIT_SUCCESS;
}
