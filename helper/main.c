/* SPDX-License-Identifier: Apache-2.0 */
/* agent-updater: the only part that is ever root. A table of verbs; one file for each. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "helper/updater.h"
#include "lib/json.h"
#include "lib/log.h"

const struct verb verbs[] = {
	{ "grant", "ID", "set the file capabilities that the add-on declares", "Grant", verb_grant, ID_REQUIRED, false, true, false },
	{ "revoke", "ID", "take them away", "Revoke", verb_revoke, ID_REQUIRED, false, true, false },
	{ "activate", "ID [packaged]", "grant, enable, start, and check the process", "Activate", verb_activate, ID_REQUIRED, true,
	  true, false },
	{ "deactivate", "ID [removing]", "stop, disable, remove what was rendered", "Deactivate", verb_deactivate, ID_REQUIRED, true, true,
	  false },
	{ "reconcile", "ID", "bring the host to its assignment (package scripts)", "Reconcile", verb_reconcile, ID_REQUIRED, false,
	  true, false },
	{ "recover", "", "finish or undo what a crash interrupted", "Recover", verb_recover, ID_NONE, false, true, false },
	{ "status", "[ID]", "what is installed, active and running", "Status", verb_status, ID_OPTIONAL, false, false, false },
	{ "remove", "ID", "deactivate, and forget capabilities and state (purge)", "Remove", verb_remove, ID_REQUIRED, false, true,
	  true },
	{ NULL, NULL, NULL, NULL, NULL, ID_NONE, false, false, false },
};

static void usage(FILE *out)
{
	fputs("Usage: agent-updater [OPTION]... VERB [ID]\n"
	      "Give add-ons their capabilities, and start and stop them.\n\nVerbs:\n",
	      out);
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(out, "  %-10s %-14s %s\n", v->name, v->arguments, v->summary);
	fputs("  daemon                    serve the system bus until idle\n\n"
	      "Options:\n"
	      "  --root DIR    work on the system below DIR\n"
	      "  --json        print the result as a JSON object\n"
	      "  --version, --help\n\n"
	      "Exit status: 0 done, 1 usage, 2 refused and nothing changed, 3 failed and rolled back,\n"
	      "4 failed and not rolled back, 5 busy, 6 no systemd or bus to do it with.\n"
	      "Manual: agent-updater(8)\n",
	      out);
}

static int wrong(const char *what, const char *value)
{
	fprintf(stderr, "agent-updater: %s%s%s; try agent-updater --help\n", what, *value ? ": " : "", value);
	return RESULT_USAGE;
}

static const struct verb *find(const char *name)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

static int report(struct updater *u, const struct verb *v, enum result r, struct json_object *reply, bool json)
{
	if (json)
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN));
	else if (r == RESULT_DONE && v->run == verb_status)
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PRETTY));
	if (r != RESULT_DONE)
		fprintf(stderr, "agent-updater: %s: %s\n", v->name, u->err.text);
	else if (*u->note && !json)
		fprintf(stderr, "agent-updater: %s: %s\n", v->name, u->note);
	return (int)r;
}

static int run(struct updater *u, int argc, char **argv, bool json)
{
	_cleanup_json_ struct json_object *reply = NULL;
	const struct verb *v = find(argv[0]);
	enum result r;

	if (strcmp(argv[0], "daemon") == 0 && argc == 1) {
		r = bus_serve(u);
		if (r != RESULT_DONE)
			log_error("%s", u->err.text);
		return (int)r;
	}
	if (!v)
		return wrong("no such verb", argv[0]);
	if (v->id == ID_REQUIRED && argc < 2)
		return wrong("the add-on's id is missing after", v->name);
	if (argc > 1 + (v->id != ID_NONE) + v->takes_arg)
		return wrong("too many arguments", argv[argc - 1]);
	if (v->locks && geteuid() != 0) {
		fprintf(stderr, "agent-updater: %s: needs root: run it with sudo\n", v->name);
		return RESULT_REFUSED;
	}
	r = verb_run(u, v, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL, &reply);
	return report(u, v, r, reply, json);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "root", required_argument, NULL, 'r' }, { "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	const char *root = "/";
	struct updater u;
	bool json = false;
	int c, status;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 'r':
			root = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'V':
			puts("agent-updater " SR_VERSION);
			return RESULT_DONE;
		case 'h':
			usage(stdout);
			return RESULT_DONE;
		default:
			return wrong("unknown option", "");
		}
	}
	if (optind >= argc)
		return wrong("a verb is missing", "");
	/* What helper/command.h runs needs no privilege of its own. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	log_setup("agent-updater", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (updater_open(&u, root) < 0) {
		fprintf(stderr, "agent-updater: %s\n", u.err.text);
		return RESULT_REFUSED;
	}
	status = run(&u, argc - optind, argv + optind, json);
	updater_close(&u);
	return status;
}
