/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the tap alone, for tests/live/tap.bats and tests/bench/tap. Reads commands from its input, one a line, and answers in JSON
 * lines, the last of which says {"done": …} or {"error": …}:
 *   set NAME...     watch these interfaces        walk      every flow           totals    counters
 *   end PROTOCOL    end the flows of a protocol   budget N  packets handed up    programs  which programs are active
 *   classify N      answer FLOW_CLASSIFIED after N packets of a flow; 0: never
 *   packets         what was handed up since the last time
 *   told ID N       N packets of this flow were told of, each way
 * Options: --pins DIR, --tap KIND, --plain, --entries N, --budget N, --ring BYTES, --quiet (do not keep packets), --interval MS. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netprobe/tap.h"

#define KEPT 200000

static struct {
	uint64_t flow, hash, payload;
	uint32_t ip_bytes, size, wire_bytes;
	uint16_t low_port, high_port;
	uint8_t protocol, direction;
} kept[KEPT];
static size_t n_kept;
static unsigned classify_after, ending_protocol, quiet;
static struct tap *tap;

/* FNV-1a: a test makes the same of the bytes that it sent. */
static uint64_t hash(struct span s)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < s.size; i++)
		h = (h ^ s.data[i]) * 0x100000001b3u;
	return h;
}

/* Behind the headers of TCP and UDP; packets with IPv6 extension headers are not asked for it. */
static struct span payload_of(const struct tap_packet *p)
{
	const uint8_t *ip = p->ip.data;
	size_t at = p->key->family == AF_INET && p->ip.size > 0 ? (ip[0] & 15u) * 4 : 40;

	at += p->key->protocol == IPPROTO_UDP ? 8 : (at + 12 < p->ip.size ? (ip[at + 12] >> 4) * 4u : 20);
	return at < p->ip.size ? (struct span){ ip + at, p->ip.size - at } : (struct span){ 0 };
}

static void on_packet(const struct tap_packet *p, void *userdata)
{
	static struct {
		uint64_t flow;
		unsigned n;
	} seen[4096];
	unsigned at = (unsigned)(p->flow % 4096);

	(void)userdata;
	if (n_kept < KEPT && !quiet) {
		kept[n_kept].flow = p->flow;
		kept[n_kept].hash = hash(p->ip);
		kept[n_kept].payload = hash(payload_of(p));
		kept[n_kept].ip_bytes = p->ip_bytes;
		kept[n_kept].size = (uint32_t)p->ip.size;
		kept[n_kept].wire_bytes = p->wire_bytes;
		kept[n_kept].low_port = p->key->low_port;
		kept[n_kept].high_port = p->key->high_port;
		kept[n_kept].protocol = p->key->protocol;
		kept[n_kept++].direction = p->direction;
	}
	if (seen[at].flow != p->flow) {
		seen[at].flow = p->flow;
		seen[at].n = 0;
	}
	if (classify_after && ++seen[at].n == classify_after)
		tap_flow_state(tap, p->flow, FLOW_CLASSIFIED, 0xabcd);
}

static void print_flow(const struct tap_flow *f, const char *why)
{
	char low[INET6_ADDRSTRLEN], high[INET6_ADDRSTRLEN];
	unsigned skip = f->key.family == AF_INET ? 12 : 0;

	inet_ntop(f->key.family, f->key.low + skip, low, sizeof(low));
	inet_ntop(f->key.family, f->key.high + skip, high, sizeof(high));
	printf("{\"flow\": \"%s\", \"id\": %" PRIu64 ", \"ifindex\": %u, \"low\": \"%s\", \"high\": \"%s\", \"low_port\": %u, \"high_port\": %u, "
	       "\"protocol\": %u, \"packets\": [%" PRIu64 ", %" PRIu64 "], \"bytes\": [%" PRIu64 ", %" PRIu64 "], \"flags\": [%u, %u], "
	       "\"first\": %" PRId64 ", \"last\": %" PRId64 ", \"initiator\": %u, \"state\": %u, \"note\": %u, \"told\": %llu}\n",
	       why, f->id, f->key.ifindex, low, high, f->key.low_port, f->key.high_port, f->key.protocol, f->packets[0], f->packets[1],
	       f->bytes[0], f->bytes[1], f->tcp_flags[0], f->tcp_flags[1], f->first_ns, f->last_ns, f->initiator, f->state, f->note,
	       f->told ? f->told->packets[1] : 0);
}

static enum tap_answer on_flow(const struct tap_flow *f, enum tap_why why, void *userdata)
{
	static const char *const names[] = { "seen", "ended", "removed" };

	(void)userdata;
	if (why == TAP_FLOW_SEEN && ending_protocol)
		return f->key.protocol == ending_protocol ? TAP_END : TAP_KEEP;
	if (!quiet)
		print_flow(f, names[why]);
	return TAP_KEEP;
}

static int set(char *names, struct error *err)
{
	const char *list[TAP_INTERFACES_MAX + 1];
	size_t n = 0;
	int r;

	for (char *name = strtok(names, " "); name && n <= TAP_INTERFACES_MAX; name = strtok(NULL, " "))
		list[n++] = strcmp(name, "''") == 0 ? "" : name;
	r = tap_set_interfaces(tap, list, n, err);
	return r;
}

static void print_totals(void)
{
	struct tap_totals t = tap_totals(tap);

	printf("{\"totals\": 1, \"tap\": \"%s\", \"packets\": %llu, \"bytes\": %llu, \"not_ip_packets\": %llu, "
	       "\"not_ip_bytes\": %llu, \"malformed_packets\": %llu, \"inserted\": %llu, \"settled\": %llu, \"refused_packets\": %llu, "
	       "\"orphan_packets\": %llu, \"fragments\": %llu, \"copied\": %llu, \"lost\": %llu, \"reused\": %llu, "
	       "\"handed_up\": %" PRIu64 ", \"ended\": %" PRIu64 ", \"present\": %" PRIu64 ", \"evicted\": %" PRIu64
	       ", \"denied\": %" PRIu64 ", \"table_bytes\": %" PRIu64 ", \"watched\": %zu}\n",
	       tap_kind_name(tap_kind(tap)), t.kernel.packets, t.kernel.bytes, t.kernel.not_ip_packets,
	       t.kernel.not_ip_bytes, t.kernel.malformed_packets, t.kernel.inserted, t.kernel.settled, t.kernel.refused_packets,
	       t.kernel.orphan_packets, t.kernel.fragments, t.kernel.copied, t.kernel.lost, t.kernel.reused, t.handed_up, t.ended,
	       t.present, t.evicted, t.denied, t.table_bytes, tap_interfaces(tap));
}

static void print_packets(void)
{
	for (size_t i = 0; i < n_kept; i++)
		printf("{\"packet\": %zu, \"flow\": %" PRIu64 ", \"protocol\": %u, \"low_port\": %u, \"high_port\": %u, \"direction\": %u, "
		       "\"ip_bytes\": %u, \"size\": %u, \"wire_bytes\": %u, \"hash\": \"%016" PRIx64 "\", \"payload\": \"%016" PRIx64 "\"}\n",
		       i, kept[i].flow, kept[i].protocol, kept[i].low_port, kept[i].high_port, kept[i].direction, kept[i].ip_bytes,
		       kept[i].size, kept[i].wire_bytes, kept[i].hash, kept[i].payload);
	n_kept = 0;
}

static int run(char *line, struct error *err)
{
	char *rest = strchr(line, ' ');
	const char *name, *state;
	int r = 0;

	if (rest)
		*rest++ = '\0';
	else
		rest = line + strlen(line);
	if (strcmp(line, "set") == 0) {
		r = set(rest, err);
	} else if (strcmp(line, "walk") == 0) {
		r = tap_flows_walk(tap, on_flow, NULL);
	} else if (strcmp(line, "end") == 0) {
		ending_protocol = (unsigned)atoi(rest);
		r = tap_flows_walk(tap, on_flow, NULL);
		ending_protocol = 0;
	} else if (strcmp(line, "totals") == 0) {
		print_totals();
	} else if (strcmp(line, "packets") == 0) {
		print_packets();
	} else if (strcmp(line, "budget") == 0) {
		tap_set_budget(tap, (uint32_t)atoi(rest));
	} else if (strcmp(line, "classify") == 0) {
		classify_after = (unsigned)atoi(rest);
	} else if (strcmp(line, "told") == 0) {
		struct tap_told told = { .packets = { 0 } };
		uint64_t flow = 0;

		if (sscanf(rest, "%" SCNu64 " %llu", &flow, &told.packets[1]) != 2)
			return error_set(err, -EINVAL, "told: two numbers are expected");
		r = tap_flow_told(tap, flow, &told);
	} else if (strcmp(line, "programs") == 0) {
		for (unsigned i = 0; tap_program(tap, i, &name, &state); i++)
			printf("{\"program\": \"%s\", \"state\": \"%s\"}\n", name, state);
	} else {
		return error_set(err, -EINVAL, "%s: no such command", line);
	}
	return r < 0 ? r : 0;
}

static int serve(int interval)
{
	static char buffer[65536];
	size_t size = 0;

	for (;;) {
		struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = tap_fd(tap), .events = POLLIN } };
		char *end;
		ssize_t n;

		(void)poll(fds, 2, interval);
		(void)tap_drain(tap);
		if (!(fds[0].revents & (POLLIN | POLLHUP)))
			continue;
		n = read(STDIN_FILENO, buffer + size, sizeof(buffer) - 1 - size);
		if (n <= 0)
			return EXIT_SUCCESS;
		size += (size_t)n;
		buffer[size] = '\0';
		while ((end = strchr(buffer, '\n'))) {
			struct error err = { .text = "" };

			*end = '\0';
			(void)tap_drain(tap);
			if (run(buffer, &err) < 0)
				printf("{\"error\": \"%s\"}\n", err.text);
			else
				printf("{\"done\": \"%s\"}\n", buffer);
			fflush(stdout);
			size -= (size_t)(end + 1 - buffer);
			memmove(buffer, end + 1, size + 1);
		}
	}
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "tap", required_argument, NULL, 't' },  { "plain", no_argument, NULL, 'p' },
		{ "entries", required_argument, NULL, 'e' }, { "budget", required_argument, NULL, 'b' },
		{ "ring", required_argument, NULL, 'r' }, { "quiet", no_argument, NULL, 'q' },
		{ "interval", required_argument, NULL, 'i' }, { "pins", required_argument, NULL, 'P' }, { NULL, 0, NULL, 0 },
	};
	struct tap_options o = { .kind = TAP_AUTO, .budget = 16, .packet = on_packet, .flow = on_flow };
	struct error err = { .text = "" };
	int c, interval = 50;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c == 't' && tap_kind_parse(optarg, &o.kind) < 0)
			return EXIT_FAILURE;
		o.plain = o.plain || c == 'p';
		o.max_entries = c == 'e' ? (uint32_t)atoi(optarg) : o.max_entries;
		o.budget = c == 'b' ? (uint32_t)atoi(optarg) : o.budget;
		o.ring_bytes = c == 'r' ? (uint32_t)atoi(optarg) : o.ring_bytes;
		o.pins = c == 'P' ? optarg : o.pins;
		quiet = quiet || c == 'q';
		interval = c == 'i' ? atoi(optarg) : interval;
		if (c == '?')
			return EXIT_FAILURE;
	}
	if (tap_open(&tap, &o, &err) < 0) {
		printf("{\"error\": \"%s\"}\n", err.text);
		return EXIT_FAILURE;
	}
	printf("{\"done\": \"open\"}\n");
	fflush(stdout);
	c = serve(interval);
	tap_close(tap);
	return c;
}
