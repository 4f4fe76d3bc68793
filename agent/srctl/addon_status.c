/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/srctl/srctl.h"
#include "agent/verdict.h"
#include "lib/json.h"

/* What makes it go away. Each is in docs/operate.md, too. */
static const char *const advice[DRIFT_REASONS] = {
	[DRIFT_ASSIGNED_NOT_INSTALLED] = "install its package: apt install serviceradar-ID, dnf install serviceradar-ID",
	[DRIFT_ASSIGNED_NOT_ACTIVE] = "not running: see last error; if it is masked: systemctl unmask; if it was disabled by hand: srctl addon enable ID",
	[DRIFT_VERSION_MISMATCH] = "the assignment names another version: install that one, or change the assignment",
	[DRIFT_BINARY_MODIFIED] = "install the package again; a bundle is staged again by itself while it can be had",
	[DRIFT_UNIT_MODIFIED] = "srctl addon enable ID writes it again; for a change of yours: systemctl edit serviceradar-ID",
	[DRIFT_KEY_REVOKED] = "assign a version that is signed by a key that is not revoked",
	[DRIFT_ARCH_UNSUPPORTED] = "there is no build for this processor: change the assignment",
	[DRIFT_PLATFORM_UNSUPPORTED] = "there is no build for this system: change the assignment",
	[DRIFT_BASE_AGENT_TOO_OLD] = "upgrade serviceradar-agent",
	[DRIFT_CAPABILITY_MISSING] = "srctl addon enable ID sets them again and restarts what runs without them",
	[DRIFT_UNIT_FAILED] = "journalctl -u serviceradar-ID says why; it is tried again by itself",
	[DRIFT_IPC_DISCONNECTED] = "the daemon does not answer; the agent keeps trying; if it hangs: systemctl restart serviceradar-ID",
	[DRIFT_CONFIG_REJECTED] = "correct the config in the assignment; the one before stays in force",
	[DRIFT_UNASSIGNED_BUT_ACTIVE] = "runs without an assignment: srctl addon enable ID, or agent-updater deactivate ID",
};

/* "ID" in an advice is the add-on's. */
static void print_advice(const char *text, const char *id)
{
	const char *at;

	printf("%14s", "");
	while ((at = strstr(text, "ID"))) {
		printf("%.*s%s", (int)(at - text), text, id);
		text = at + 2;
	}
	puts(text);
}

int verb_addon_status(struct srctl *s, const char *id)
{
	static const char *const rows[][2] = {
		{ "State", "state" }, { "Action", "action" }, { "Bytes here", "fetch.bytes" }, { "Bytes in all", "fetch.total" }, { "Version", "active_version" }, { "Grant mode", "grant_mode" },
		{ "Unit", "unit.name" }, { "Unit state", "unit.active_state" }, { "Last run", "run.active_state" }, { "Main pid", "unit.main_pid" },
		{ "Restarts", "unit.n_restarts" }, { "Connected", "ipc.connected" }, { "Since", "ipc.since" },
		{ "Events", "ipc.events" }, { "Dropped", "ipc.dropped" }, { "Capture", "capture.available" },
		{ "Reason", "capture.reason" }, { "Ingested", "spool.records" }, { "Waiting", "spool.waiting" },
		{ "Set aside", "spool.quarantined" }, { "Deleted", "spool.deleted" }, { "Spool", "spool.error" }, { "Last error", "last_error" }, { "Changed", "changed_at" },
	};
	_cleanup_json_ struct json_object *o = read_status(s, id);
	struct json_object *drift = NULL;
	char text[512];

	if (!o) {
		fprintf(stderr, "srctl: %s: no status: %s\n", id,
			addon_installed(s, id) ? "is serviceradar-agent running?" : "no such add-on is installed");
		return addon_installed(s, id) ? EXIT_NO_AGENT : EXIT_NOT_DONE;
	}
	if (s->json) {
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
		return EXIT_DONE;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (*text_at(o, rows[i][1]))
			printf("%12s: %s\n", rows[i][0], printable(text_at(o, rows[i][1]), text, sizeof(text)));
	json_object_object_get_ex(o, "drift", &drift);
	for (size_t i = 0; drift && i < json_object_array_length(drift); i++) {
		struct json_object *item = json_object_array_get_idx(drift, i);
		int r = drift_parse(text_at(item, "reason"));

		printf("%12s: %s%s%s\n", "Drift", color(s, "\033[31m"),
		       printable(text_at(item, "reason"), text, sizeof(text)), color(s, "\033[0m"));
		if (*text_at(item, "detail"))
			printf("%14s%s\n", "", printable(text_at(item, "detail"), text, sizeof(text)));
		if (r >= 0)
			print_advice(advice[r], id);
	}
	return EXIT_DONE;
}
