/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/srctl/flow_file.h"
#include "agent/srctl/progress.h"
#include "agent/srctl/srctl.h"
#include "lib/cleanup.h"
#include "lib/json.h"

#define FLOWS_AN_ACK 256

struct counts {
	long long accepted, matched, unmatched, invalid, unread;
};

static void add_text(struct json_object *o, const char *key, uint64_t n)
{
	char text[24];

	if (!n)
		return;
	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	json_object_object_add(o, key, json_object_new_string(text));
}

static int send_flow(FILE *to, const struct flow_line *l, uint64_t number)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	add_text(o, "external_flow_id", l->id ? l->id : number);
	json_object_object_add(o, "source_ip", json_object_new_string(l->source_ip));
	json_object_object_add(o, "destination_ip", json_object_new_string(l->destination_ip));
	add_text(o, "source_port", l->source_port);
	add_text(o, "destination_port", l->destination_port);
	json_object_object_add(o, l->protocol[0] >= '0' && l->protocol[0] <= '9' ? "ip_protocol" : "transport_protocol",
			       json_object_new_string(l->protocol));
	add_text(o, "time_flow_start_ns", l->start_ns);
	add_text(o, "time_flow_end_ns", l->end_ns);
	add_text(o, "bytes", l->bytes);
	add_text(o, "packets", l->packets);
	return fprintf(to, "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)) < 0 ? -EIO : 0;
}

static long long count_at(struct json_object *o, const char *key)
{
	return strtoll(text_at(o, key), NULL, 10);
}

/* Asks for the counts since the ack before, and adds them up. */
static int ack(FILE *to, FILE *from, struct progress *p, struct counts *c)
{
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_free_ char *line = NULL;
	char message[512];
	size_t size = 0;
	ssize_t n;

	if (fputs("{\"ack\":true}\n", to) >= 0)
		(void)fflush(to); /* an agent that takes no more has said why */
	n = getline(&line, &size, from);
	if (n <= 0 || json_parse(line, (size_t)n, "agent.sock", &o, NULL) < 0) {
		progress_clear(p);
		fputs("srctl: the agent closed the connection\n", stderr);
		return -EIO;
	}
	if (strcmp(text_at(o, "type"), "external_flow_ack") != 0) {
		progress_clear(p);
		fprintf(stderr, "srctl: %s\n", printable(text_at(o, "message"), message, sizeof(message)));
		return -EIO;
	}
	c->accepted += count_at(o, "accepted");
	c->matched += count_at(o, "matched");
	c->unmatched += count_at(o, "unmatched");
	c->invalid += count_at(o, "invalid");
	return 0;
}

/* Of a file its bytes are what is counted; nobody knows how many will come through a pipe. */
static void draw(struct progress *p, FILE *in, uint64_t flows)
{
	char note[40];
	struct progress_at at = { .what = "import-flows", .note = note };
	off_t done = ftello(in);
	struct stat st;

	if (done >= 0 && fstat(fileno(in), &st) == 0 && S_ISREG(st.st_mode)) {
		at.bytes = true;
		at.done = (uint64_t)done;
		at.total = (uint64_t)st.st_size;
	}
	(void)snprintf(note, sizeof(note), "%llu flows", (unsigned long long)flows);
	progress_draw(p, &at);
}

static int import(FILE *in, const char *path, FILE *to, FILE *from, struct progress *p, struct counts *c)
{
	struct flow_file file;
	struct flow_line line;
	struct error err = { .text = "" };
	uint64_t number = 0;
	int r = flow_file_begin(&file, in, &err);

	if (r < 0) {
		fprintf(stderr, "srctl: %s: %s\n", path, err.text);
		return EXIT_NOT_DONE;
	}
	while ((r = flow_file_next(&file, &line, &err)) != 0) {
		if (r < 0) {
			progress_clear(p);
			fprintf(stderr, "srctl: %s: %s\n", path, err.text);
			c->unread++;
			continue;
		}
		if (send_flow(to, &line, ++number) < 0)
			break; /* the ack tells why */
		if (number % FLOWS_AN_ACK == 0 && ack(to, from, p, c) < 0)
			return EXIT_FAILED;
		if (progress_due(p))
			draw(p, in, number);
	}
	return ack(to, from, p, c) < 0 ? EXIT_FAILED : EXIT_DONE;
}

int verb_import_flows(struct srctl *s, const char *path)
{
	_cleanup_fclose_ FILE *in = strcmp(path, "-") == 0 ? fdopen(dup(0), "r") : fopen(path, "re");
	_cleanup_fclose_ FILE *from = NULL, *to = NULL;
	_cleanup_close_ int fd = -1, copy = -1;
	struct counts c = { 0 };
	struct progress p;
	int rc;

	if (!in) {
		fprintf(stderr, "srctl: %s: %s\n", path, strerror(errno));
		return EXIT_USAGE;
	}
	fd = agent_request(s, "{\"request\":\"import_flows\"}\n");
	if (fd < 0)
		return EXIT_NO_AGENT;
	copy = dup(fd);
	from = fdopen_steal(&fd, "r");
	to = fdopen_steal(&copy, "w");
	if (!from || !to)
		return EXIT_FAILED;
	(void)signal(SIGPIPE, SIG_IGN); /* an agent that refuses closes the connection */
	progress_begin(&p, s->json);
	rc = import(in, path, to, from, &p, &c);
	progress_clear(&p);
	if (s->json)
		printf("{\"accepted\":%lld,\"matched\":%lld,\"unmatched\":%lld,\"invalid\":%lld,\"unread\":%lld}\n", c.accepted, c.matched,
		       c.unmatched, c.invalid, c.unread);
	else if (rc == EXIT_DONE)
		printf("%lld flows taken: %lld attributed, %lld without an owner, the rest still waits for one; %lld invalid, %lld not understood\n",
		       c.accepted, c.matched, c.unmatched, c.invalid, c.unread);
	return rc;
}
