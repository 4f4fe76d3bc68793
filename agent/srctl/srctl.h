/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of srctl share. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_USAGE = 1, EXIT_NOT_DONE = 2, EXIT_FAILED = 3, EXIT_NO_AGENT = 4 };

/* What of flows is wanted: text of --process and so on, or NULL. */
enum filter { FILTER_PROCESS, FILTER_PID, FILTER_USER, FILTER_PORT, FILTER_PROTOCOL, FILTER_CONTAINER, FILTER_TYPE, FILTERS };

/* The options of a capture that have a value. */
enum capture_option { CAPTURE_INTERFACE, CAPTURE_FILTER, CAPTURE_DURATION, CAPTURE_BYTE_CAP, CAPTURE_SNAPLEN, CAPTURE_DIRECTION, CAPTURE_OPTIONS };

struct srctl {
	const char *root, *config, *key; /* --root, --config, --key */
	const char *set[16];             /* each --set */
	size_t n_set;
	const char *sort, *record;       /* --sort, --record */
	FILE *recording;                 /* gets each line of agent_stream; NULL: none */
	const char *version;             /* what follows the id */
	const char *filters[FILTERS];
	const char *capture[CAPTURE_OPTIONS];
	int rootfd;
	bool json, color, follow, live, no_wait, comments, promiscuous;
};

int verb_addon_list(struct srctl *s, const char *id);
int verb_addon_status(struct srctl *s, const char *id);
int verb_addon_enable(struct srctl *s, const char *id);
int verb_addon_disable(struct srctl *s, const char *id);
int verb_addon_approve(struct srctl *s, const char *id);
int verb_addon_revoke(struct srctl *s, const char *id);
int verb_addon_config(struct srctl *s, const char *id);
int verb_addon_rollback(struct srctl *s, const char *id);
int verb_bundle_verify(struct srctl *s, const char *path);
int verb_bundle_show(struct srctl *s, const char *path);
int verb_flows(struct srctl *s, const char *id);
int verb_capture(struct srctl *s, const char *id);
int verb_listeners(struct srctl *s, const char *id);
int verb_fingerprints(struct srctl *s, const char *id);
int verb_events(struct srctl *s, const char *id);
int verb_sinks(struct srctl *s, const char *id);
int verb_import_flows(struct srctl *s, const char *path);
int verb_doctor(struct srctl *s, const char *id);

/* Copies text from outside with control characters and broken UTF-8 replaced by '?'. Returns out. */
const char *printable(const char *text, char *out, size_t size);

/* The text at a path of keys "unit.name"; "" when it is not there. Borrowed from o. */
const char *text_at(struct json_object *o, const char *path);

/* "ip:port", "[ip]:port". */
void endpoint(char *out, size_t size, const char *ip, const char *port);

/* The name of the user whose number is at "uid", or the number. Returns out. */
const char *user_name(struct json_object *o, char *out, size_t size);

/* Whether all of --process, --pid, --user, --port, --protocol, --container and --type hold for a flow, a listener or an event; a port is that
 * of either end, a container may be given by the beginning of its id. */
bool wanted(const struct srctl *s, struct json_object *o);

/* The status file of an add-on, owned by the caller; NULL without one. */
struct json_object *read_status(const struct srctl *s, const char *id);

/* Sends one request line to the agent's socket. A descriptor, or a negative errno after a message. */
int agent_request(const struct srctl *s, const char *line);

/* Lines that come from a descriptor. What was printed is flushed when there is nothing more to read at once. */
struct agent_lines {
	int fd;
	size_t start, used;
	char buf[262144];
};

/* The next one, without its end, valid until the next call. False: there will be none, or nobody reads what is printed. */
bool agent_next(struct agent_lines *l, char **line, size_t *length);

/* Whether a line of the agent's begins with this type. */
bool line_is(const char *line, const char *type);

typedef void agent_row(struct json_object *o, void *userdata);

/* The answer to one request line: its objects of `type`, all of them when it is NULL, for which wanted() is true: as JSON, or to `row`;
 * with userdata to `row` in either case. Messages of the agent's go to standard error. EXIT_*; EXIT_DONE when the agent ends it. */
int agent_stream(struct srctl *s, const char *request, const char *type, agent_row *row, void *userdata);

/* The same below a header, unless it is JSON. */
int agent_table(struct srctl *s, const char *request, const char *type, const char *header, agent_row *row);

/* "\033[..m" when colour is on. */
const char *color(const struct srctl *s, const char *code);

/* True when the payload of an OS package or a staged one is there. */
bool addon_installed(const struct srctl *s, const char *id);

/* The assignment that applies: the host's, else the one that was pushed. Owned by the caller; NULL without one. */
struct json_object *read_assignment(const struct srctl *s, const char *id);

/* Writes the host's assignment, then waits for `state`. EXIT_*. */
int put_assignment(struct srctl *s, const char *id, struct json_object *o, const char *state);

/* True, and said, when this user may not write assignments. */
bool needs_root(const char *id);

/* Writes the assignment with enabled set, then waits for `state`. EXIT_*. */
int assign_and_wait(struct srctl *s, const char *id, bool enable);
