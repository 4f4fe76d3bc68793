/* SPDX-License-Identifier: Apache-2.0 */
/* srctl: the administrator's tool. A table of verbs; one file per verb beside this one. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/srctl/srctl.h"
#include "lib/manifest.h"

#define FILTER_OPTION  256 /* above every letter */
#define CAPTURE_OPTION (FILTER_OPTION + FILTERS)

static const struct verb {
	const char *group, *name;
	enum { NOTHING, ID, ID_AND_VERSION, PATH } takes;
	int (*run)(struct srctl *s, const char *id);
	const char *help;
} verbs[] = {
	{ "addon", "list", NOTHING, verb_addon_list, "addon list: add-ons that are installed or assigned" },
	{ "addon", "status", ID, verb_addon_status, "addon status ID: state, drift and what to do about it" },
	{ "addon", "enable", ID, verb_addon_enable, "addon enable ID [--config FILE] [--no-wait]: assign it (root)" },
	{ "addon", "disable", ID, verb_addon_disable, "addon disable ID [--no-wait]: stop it (root)" },
	{ "addon", "config", ID, verb_addon_config, "addon config ID [--set KEY=VALUE]... [--no-wait]: its settings, what each means, and change some (root)" },
	{ "addon", "rollback", ID, verb_addon_rollback, "addon rollback ID [--no-wait]: assign the version that was active before (root)" },
	{ "addon", "approve", ID_AND_VERSION, verb_addon_approve, "addon approve ID VERSION: allow a bundle here that the catalog does not (root)" },
	{ "addon", "revoke", ID_AND_VERSION, verb_addon_revoke, "addon revoke ID VERSION: allow it no longer, whatever the catalog says (root)" },
	{ "bundle", "verify", PATH, verb_bundle_verify, "bundle verify FILE [--key FILE]: signature, and all that is in it" },
	{ "bundle", "show", PATH, verb_bundle_show, "bundle show FILE [--key FILE]: the same, and what is in it" },
	{ NULL, "flows", NOTHING, verb_flows, "flows [--follow|--live [--sort KEY]] [--record FILE] [--process NAME] [--pid N] [--user NAME] [--port N] [--protocol tcp|udp|...] [--container ID]: which process owns which connection" },
	{ NULL, "listeners", NOTHING, verb_listeners, "listeners [--process NAME] [--pid N] [--user NAME] [--port N] [--protocol tcp|udp|...] [--container ID]: which process waits where" },
	{ NULL, "fingerprints", NOTHING, verb_fingerprints, "fingerprints: what peers run, by how they speak" },
	{ NULL, "capture", NOTHING, verb_capture, "capture --interface IF [--filter EXPR] [--duration S] [--byte-cap N] [--snaplen N] [--direction in|out|both] [--comments] [--promiscuous]: packets as pcapng, to a file or a program" },
	{ NULL, "events", NOTHING, verb_events, "events [--type TYPE] [--process NAME] [--pid N] [--user NAME] [--port N] [--protocol tcp|udp|...] [--container ID]: every event as it comes" },
	{ NULL, "sinks", NOTHING, verb_sinks, "sinks: where events go, and what waits or was dropped on the way" },
	{ NULL, "import-flows", PATH, verb_import_flows, "import-flows FILE: find owners for flows of nfdump or IPFIX tools (JSON, CSV)" },
	{ NULL, "doctor", NOTHING, verb_doctor, "doctor: what this host needs, and what is missing" },
};

static void usage(FILE *f)
{
	fputs("usage: srctl [--json] [--root DIR] [--no-color] VERB\n\n", f);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		fprintf(f, "  %s\n", verbs[i].help);
	fputs("  version, help\n\nExit status: 0 done, 1 usage (doctor: something is missing), 2 refused, nothing changed,\n"
	      "3 failed, 4 the agent cannot be reached.\n", f);
}

static int dispatch(struct srctl *s, char **args, int n, bool help)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		const struct verb *v = &verbs[i];
		int words = v->group ? 2 : 1;

		if (n < words || (v->group && strcmp(args[0], v->group) != 0) || strcmp(args[words - 1], v->name) != 0)
			continue;
		if (help) {
			printf("usage: srctl %s\n", v->help);
			return EXIT_DONE;
		}
		if (n != words + (v->takes == ID_AND_VERSION ? 2 : v->takes != NOTHING)) {
			fprintf(stderr, "usage: srctl %s\n", v->help);
			return EXIT_USAGE;
		}
		if ((v->takes == ID || v->takes == ID_AND_VERSION) && !addon_id_valid(args[words])) {
			fprintf(stderr, "srctl: not an add-on id (small letters, digits, - and _)\n");
			return EXIT_USAGE;
		}
		s->version = v->takes == ID_AND_VERSION ? args[words + 1] : "";
		return v->run(s, v->takes != NOTHING ? args[words] : NULL);
	}
	usage(help ? stdout : stderr);
	return help ? EXIT_DONE : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },     { "root", required_argument, NULL, 'r' },
		{ "no-color", no_argument, NULL, 'n' }, { "follow", no_argument, NULL, 'f' },
		{ "no-wait", no_argument, NULL, 'w' },  { "config", required_argument, NULL, 'c' },
		{ "key", required_argument, NULL, 'k' },  { "live", no_argument, NULL, 'l' },
		{ "set", required_argument, NULL, 's' },
		{ "sort", required_argument, NULL, 'S' }, { "record", required_argument, NULL, 'R' },
		{ "process", required_argument, NULL, FILTER_OPTION + FILTER_PROCESS }, { "pid", required_argument, NULL, FILTER_OPTION + FILTER_PID },
		{ "user", required_argument, NULL, FILTER_OPTION + FILTER_USER },       { "port", required_argument, NULL, FILTER_OPTION + FILTER_PORT },
		{ "protocol", required_argument, NULL, FILTER_OPTION + FILTER_PROTOCOL },
		{ "container", required_argument, NULL, FILTER_OPTION + FILTER_CONTAINER }, { "type", required_argument, NULL, FILTER_OPTION + FILTER_TYPE },
		{ "interface", required_argument, NULL, CAPTURE_OPTION + CAPTURE_INTERFACE },
		{ "filter", required_argument, NULL, CAPTURE_OPTION + CAPTURE_FILTER },
		{ "duration", required_argument, NULL, CAPTURE_OPTION + CAPTURE_DURATION },
		{ "byte-cap", required_argument, NULL, CAPTURE_OPTION + CAPTURE_BYTE_CAP },
		{ "snaplen", required_argument, NULL, CAPTURE_OPTION + CAPTURE_SNAPLEN },
		{ "direction", required_argument, NULL, CAPTURE_OPTION + CAPTURE_DIRECTION },
		{ "comments", no_argument, NULL, 'C' }, { "promiscuous", no_argument, NULL, 'P' },
		{ "version", no_argument, NULL, 'V' },  { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct srctl s = { .root = "/", .color = isatty(1) && !getenv("NO_COLOR") };
	bool help = false;
	int o;

	while ((o = getopt_long(argc, argv, "hf", options, NULL)) != -1) {
		switch (o) {
		case 'j': s.json = true; break;
		case 'r': s.root = optarg; break;
		case 'n': s.color = false; break;
		case 'f': s.follow = true; break;
		case 'w': s.no_wait = true; break;
		case 'c': s.config = optarg; break;
		case 'k': s.key = optarg; break;
		case 'l': s.live = true; break;
		case 'S': s.sort = optarg; break;
		case 's':
			if (s.n_set == sizeof(s.set) / sizeof(s.set[0])) {
				fputs("srctl: --set: 16 at most\n", stderr);
				return EXIT_USAGE;
			}
			s.set[s.n_set++] = optarg;
			break;
		case 'R': s.record = optarg; break;
		case 'C': s.comments = true; break;
		case 'P': s.promiscuous = true; break;
		case CAPTURE_OPTION ... CAPTURE_OPTION + CAPTURE_OPTIONS - 1: s.capture[o - CAPTURE_OPTION] = optarg; break;
		case 'V': puts("srctl " SR_VERSION); return EXIT_DONE;
		case 'h': help = true; break;
		case FILTER_OPTION ... FILTER_OPTION + FILTERS - 1: s.filters[o - FILTER_OPTION] = optarg; break;
		default: return EXIT_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (argc == 1 && !strcmp(argv[0], "version")) {
		puts(s.json ? "{\"version\":\"" SR_VERSION "\"}" : "srctl " SR_VERSION);
		return EXIT_DONE;
	}
	if (argc == 1 && !strcmp(argv[0], "help"))
		help = true;
	s.rootfd = open(s.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s.rootfd < 0) {
		fprintf(stderr, "srctl: --root %s: %s\n", s.root, strerror(errno));
		return EXIT_USAGE;
	}
	return dispatch(&s, argv, argc, help);
}
