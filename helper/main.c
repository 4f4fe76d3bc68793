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
	{ "verify", "BUNDLE", "check a signed bundle and what is in it; change nothing", "Verify", verb_verify, ID_BUNDLE, false, true,
	  false },
	{ "stage", "BUNDLE", "verify it and put it in place as a version", "Stage", verb_stage, ID_BUNDLE, false, true, false },
	{ "grant", "ID", "set the file capabilities that the add-on declares", "Grant", verb_grant, ID_REQUIRED, false, true, false },
	{ "revoke", "ID", "take them away", "Revoke", verb_revoke, ID_REQUIRED, false, true, false },
	{ "activate", "ID [VERSION|packaged]", "grant, switch, enable, start, check; or all back", "Activate", verb_activate, ID_REQUIRED,
	  true, true, false },
	{ "rollback", "ID", "activate what was active before", "Rollback", verb_rollback, ID_REQUIRED, false, true, false },
	{ "deactivate", "ID [removing]", "stop, disable, remove what was rendered", "Deactivate", verb_deactivate, ID_REQUIRED, true, true,
	  false },
	{ "reconcile", "ID", "bring the host to its assignment (package scripts)", "Reconcile", verb_reconcile, ID_REQUIRED, false,
	  true, false },
	{ "recover", "", "finish or undo what a crash interrupted", "Recover", verb_recover, ID_NONE, false, true, false },
	{ "status", "[ID]", "what is installed, active and running", "Status", verb_status, ID_OPTIONAL, false, false, false },
	{ "remove", "ID", "deactivate, and forget versions, capabilities, state (purge)", "Remove", verb_remove, ID_REQUIRED, false, true,
	  true },
	{ "base", "STEP", "install, upgrade, finish or remove: the agent's own package (its scripts)", NULL, verb_base, ID_NONE, true, true,
	  true },
	{ NULL, NULL, NULL, NULL, NULL, ID_NONE, false, false, false },
};

static void usage(FILE *out)
{
	fputs("Usage: agent-updater [OPTION]... VERB [ID|BUNDLE]\n"
	      "Verify and stage bundles of add-ons, give add-ons their capabilities, switch versions, start and stop.\n\nVerbs:\n",
	      out);
	for (const struct verb *v = verbs; v->name; v++)
		fprintf(out, "  %-10s %-21s %s\n", v->name, v->arguments, v->summary);
	fputs("  daemon                           serve the system bus until idle\n\n"
	      "Options:\n"
	      "  --root DIR         work on the system below DIR\n"
	      "  --signature FILE   of the bundle; BUNDLE.minisig when not given\n"
	      "  --allow-downgrade  activate a version older than one that was active here\n"
	      "  --json             print the result as a JSON object\n"
	      "  --version, --help\n\n"
	      "Exit status: 0 done, 1 usage, 2 refused and nothing changed, 3 failed and rolled back,\n"
	      "4 failed and not rolled back, 5 busy, 6 no systemd or bus to do it with.\n"
	      "Manual: agent-updater(8)\n",
	      out);
}

struct options {
	const char *root, *signature;
	bool json, allow_downgrade;
};

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

static void print_bundle(struct json_object *reply)
{
	static const char *const keys[] = { "id", "version", "os", "arch", "sha256", "key_id", "supervision", "os_capabilities" };
	struct json_object *b = json_object_object_get(reply, "bundle");

	for (size_t i = 0; b && i < sizeof(keys) / sizeof(keys[0]); i++)
		printf("%-15s  %s\n", keys[i], json_object_get_string(json_object_object_get(b, keys[i])));
}

static int report(struct updater *u, const struct verb *v, enum result r, struct json_object *reply, bool json)
{
	if (json)
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN));
	else if (r == RESULT_DONE && v->run == verb_status)
		puts(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PRETTY));
	else if (r == RESULT_DONE && v->run == verb_verify)
		print_bundle(reply);
	if (r != RESULT_DONE)
		fprintf(stderr, "agent-updater: %s: %s\n", v->name, u->err.text);
	else if (*u->note && !json)
		fprintf(stderr, "agent-updater: %s: %s\n", v->name, u->note);
	return (int)r;
}

/* On a terminal only: one line that is written over. */
static void show_progress(void *arg, const char *id, const char *step, unsigned percent)
{
	(void)arg;
	fprintf(stderr, "\r\033[K%3u %% %s%s%s\r", percent, id, *id ? ": " : "", step);
}

static int run(struct updater *u, const struct verb *v, int argc, char **argv, const struct options *o)
{
	_cleanup_json_ struct json_object *reply = NULL;
	bool terminal = !o->json && isatty(STDERR_FILENO);
	const char *id = argc > 1 && v->id != ID_NONE ? argv[1] : NULL;
	int last = v->id != ID_NONE ? 2 : 1;
	enum result r;

	if (v->locks && geteuid() != 0) {
		fprintf(stderr, "agent-updater: %s: needs root: run it with sudo\n", v->name);
		return RESULT_REFUSED;
	}
	if (v->id == ID_BUNDLE) {
		if (updater_open_bundle(u, id, o->signature) < 0) {
			fprintf(stderr, "agent-updater: %s: %s\n", v->name, u->err.text);
			return RESULT_REFUSED;
		}
		id = NULL;
	}
	u->allow_downgrade = o->allow_downgrade;
	u->on_progress = terminal ? show_progress : NULL;
	r = verb_run(u, v, id, argc > last ? argv[last] : NULL, &reply);
	if (terminal)
		fputs("\r\033[K", stderr);
	return report(u, v, r, reply, o->json);
}

static int run_arguments(struct updater *u, int argc, char **argv, const struct options *o)
{
	const struct verb *v = find(argv[0]);

	if (strcmp(argv[0], "daemon") == 0 && argc == 1) {
		enum result r = bus_serve(u);

		if (r != RESULT_DONE)
			log_error("%s", u->err.text);
		return (int)r;
	}
	if (!v)
		return wrong("no such verb", argv[0]);
	if (v->id == ID_REQUIRED && argc < 2)
		return wrong("the add-on's id is missing after", v->name);
	if (v->id == ID_BUNDLE && argc < 2)
		return wrong("the bundle's file is missing after", v->name);
	if (argc > 1 + (v->id != ID_NONE) + v->takes_arg)
		return wrong("too many arguments", argv[argc - 1]);
	return run(u, v, argc, argv, o);
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "root", required_argument, NULL, 'r' },      { "json", no_argument, NULL, 'j' },
		{ "signature", required_argument, NULL, 's' }, { "allow-downgrade", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' },         { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};

	for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) >= 0;) {
		switch (c) {
		case 'r':
			o->root = optarg;
			break;
		case 's':
			o->signature = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'd':
			o->allow_downgrade = true;
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
	return optind >= argc ? wrong("a verb is missing", "") : -1;
}

int main(int argc, char **argv)
{
	struct options o = { .root = "/" };
	int status = read_options(argc, argv, &o);
	struct updater u;

	if (status >= 0)
		return status;
	/* What helper/command.h runs needs no privilege of its own. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	log_setup("agent-updater", LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
	if (updater_open(&u, o.root) < 0) {
		fprintf(stderr, "agent-updater: %s\n", u.err.text);
		return RESULT_REFUSED;
	}
	status = run_arguments(&u, argc - optind, argv + optind, &o);
	updater_close(&u);
	return status;
}
