/* SPDX-License-Identifier: Apache-2.0 */
/* agent-fetch: a child of serviceradar-agent that talks to the network for it. */
#include <curl/curl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/fetch/fetch.h"
#include "lib/json.h"

#define DEFAULT_BYTES (64ull << 20)

static void usage(FILE *f)
{
	fputs("Usage: agent-fetch --dir DIR --name NAME [OPTION]... URL\n"
	      "Fetch a file by https, from a file URL, or by http from this host.\n\n"
	      "  --dir DIR           where it goes\n"
	      "  --name NAME         its name there\n"
	      "  --sha256 DIGEST     that it must have\n"
	      "  --max-bytes N       refuse more (default 67108864)\n"
	      "  --ca-file FILE      certificate authorities, instead of the system's\n"
	      "  --client-cert FILE  certificate for the server to see, with --client-key FILE\n"
	      "  --allow-http        http without TLS to other hosts, too\n"
	      "  --timeout SECONDS   of the whole transfer\n"
	      "  --progress          how far it is, as lines BYTES TOTAL\n"
	      "  --json              facts as a JSON object\n"
	      "  --version, --help\n\n"
	      "Exit status: 0 done, 1 usage, 2 refused, 3 failed and worth another try, 4 not there.\n"
	      "Manual: agent-fetch(8)\n",
	      f);
}

static int wrong(const char *what)
{
	fprintf(stderr, "agent-fetch: %s; try agent-fetch --help\n", what);
	return FETCH_USAGE;
}

static bool read_number(const char *s, unsigned long long *out)
{
	char *end;

	*out = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end;
}

/* Each line by one write. A reader that is behind misses some. */
static void print_progress(uint64_t bytes, uint64_t total)
{
	(void)dprintf(STDOUT_FILENO, "%" PRIu64 " %" PRIu64 "\n", bytes, total);
}

static bool read_option(int c, struct fetch_request *rq)
{
	unsigned long long n;

	switch (c) {
	case 'd':
		rq->dir = optarg;
		return true;
	case 'n':
		rq->name = optarg;
		return true;
	case 's':
		rq->sha256 = optarg;
		return strlen(optarg) == 64 && strspn(optarg, "0123456789abcdef") == 64;
	case 'm':
		rq->max_bytes = read_number(optarg, &n) ? n : 0;
		return rq->max_bytes > 0;
	case 'a':
		rq->ca_file = optarg;
		return true;
	case 'c':
		rq->client_cert = optarg;
		return true;
	case 'k':
		rq->client_key = optarg;
		return true;
	case 'H':
		rq->allow_http = true;
		return true;
	case 'p':
		rq->progress = print_progress;
		return true;
	case 't':
		rq->timeout_s = read_number(optarg, &n) && n < 1000000 ? (long)n : 0;
		return rq->timeout_s > 0;
	default:
		return false;
	}
}

static void print_facts(enum fetch_result r, const struct fetch_facts *f, const struct error *err)
{
	static const char *const names[] = { "done", "usage", "refused", "later", "gone" };
	_cleanup_json_ struct json_object *o = json_object_new_object();

	json_object_object_add(o, "result", json_object_new_string(names[r]));
	json_object_object_add(o, "bytes", json_object_new_int64((int64_t)f->bytes));
	json_object_object_add(o, "resumed", json_object_new_boolean(f->resumed));
	json_object_object_add(o, "not_modified", json_object_new_boolean(f->not_modified));
	json_object_object_add(o, "sha256", json_object_new_string(f->sha256));
	if (r != FETCH_DONE)
		json_object_object_add(o, "error", json_object_new_string(err->text));
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "dir", required_argument, NULL, 'd' },         { "name", required_argument, NULL, 'n' },
		{ "sha256", required_argument, NULL, 's' },      { "max-bytes", required_argument, NULL, 'm' },
		{ "ca-file", required_argument, NULL, 'a' },     { "client-cert", required_argument, NULL, 'c' },
		{ "client-key", required_argument, NULL, 'k' },  { "allow-http", no_argument, NULL, 'H' },
		{ "timeout", required_argument, NULL, 't' },     { "json", no_argument, NULL, 'j' },
		{ "progress", no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'V' },           { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct fetch_request rq = { .max_bytes = DEFAULT_BYTES };
	struct fetch_facts facts;
	enum fetch_result r;
	struct error err;
	bool json = false;

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) >= 0;) {
		if (c == 'j') {
			json = true;
		} else if (c == 'V') {
			puts("agent-fetch " SR_VERSION);
			return FETCH_DONE;
		} else if (c == 'h') {
			usage(stdout);
			return FETCH_DONE;
		} else if (!read_option(c, &rq)) {
			return wrong(c == '?' ? "unknown option" : "an option's value cannot be used");
		}
	}
	if (optind + 1 != argc || !rq.dir || !rq.name)
		return wrong("--dir, --name and one URL are needed");
	rq.url = argv[optind];
	err.text[0] = '\0';
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	r = fetch(&rq, &facts, &err);
	curl_global_cleanup();
	if (json)
		print_facts(r, &facts, &err);
	if (r != FETCH_DONE)
		fprintf(stderr, "agent-fetch: %s\n", err.text);
	return (int)r;
}
