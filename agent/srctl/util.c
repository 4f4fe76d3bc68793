/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/srctl/srctl.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/fs.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

const char *printable(const char *text, char *out, size_t size)
{
	size_t i;

	for (i = 0; text && text[i] && i + 1 < size; i++) {
		unsigned char c = (unsigned char)text[i];

		out[i] = c < 0x20 || c >= 0x7f ? '?' : text[i];
	}
	out[i] = '\0';
	return out;
}

const char *text_at(struct json_object *o, const char *path)
{
	char key[32];

	while (o && *path) {
		size_t n = strcspn(path, ".");
		struct json_object *next = NULL;

		if (path[n])
			snprintf(key, sizeof(key), "%.*s", (int)n, path);
		json_object_object_get_ex(o, path[n] ? key : path, &next);
		o = next;
		path += n + (path[n] == '.');
	}
	return o && json_object_get_string(o) ? json_object_get_string(o) : "";
}

struct json_object *read_status(const struct srctl *s, const char *id)
{
	struct json_object *o = NULL;
	char path[160];

	snprintf(path, sizeof(path), SR_STATUS "/%s.json", id);
	return json_read_file(s->rootfd, path + 1, &o, NULL) < 0 ? NULL : o;
}

int agent_request(const struct srctl *s, const char *line)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r;

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d" SR_AGENT_SOCKET, s->rootfd);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		r = -errno;
		if (r == -EACCES)
			fputs("srctl: " SR_AGENT_SOCKET ": not allowed: run it as root or as a member of group "
			      "serviceradar\n", stderr);
		else
			fprintf(stderr, "srctl: " SR_AGENT_SOCKET ": %s: is serviceradar-agent running? "
				"(systemctl status serviceradar-agent)\n", strerror(-r));
		return r;
	}
	/* Who is turned away is told why, maybe before the request is read. */
	if (send(fd, line, strlen(line), MSG_NOSIGNAL) != (ssize_t)strlen(line) && errno != EPIPE)
		return -EIO;
	return steal_fd(&fd);
}

const char *color(const struct srctl *s, const char *code)
{
	return s->color ? code : "";
}

bool addon_installed(const struct srctl *s, const char *id)
{
	_cleanup_close_ int packaged = -1, staged = -1;
	char path[256];

	snprintf(path, sizeof(path), SR_PACKAGED_ADDONS "/%s", id);
	packaged = fs_open_dir(s->rootfd, path, false, NULL);
	snprintf(path, sizeof(path), SR_ADDONS "/%s/versions", id);
	staged = fs_open_dir(s->rootfd, path, false, NULL);
	return packaged >= 0 || staged >= 0;
}

struct json_object *read_assignment(const struct srctl *s, const char *id)
{
	static const char *const dirs[] = { SR_ASSIGNMENTS, SR_PUSHED };
	struct json_object *o = NULL;
	char path[160];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s.json", dirs[i], id);
		if (json_read_file(s->rootfd, path + 1, &o, NULL) == 0 && json_object_is_type(o, json_type_object))
			return o;
		json_object_put(o);
		o = NULL;
	}
	return NULL;
}

/* The last few, for a table asks for the same again and again. */
const char *user_name(struct json_object *o, char *out, size_t size)
{
	static struct {
		bool known;
		uid_t uid;
		char name[33];
	} seen[16];
	uid_t uid = (uid_t)strtoul(text_at(o, "uid"), NULL, 10);
	size_t i = uid % 16;

	if (!seen[i].known || seen[i].uid != uid) {
		struct passwd *p = getpwuid(uid);

		seen[i].known = true;
		seen[i].uid = uid;
		(void)printable(p ? p->pw_name : text_at(o, "uid"), seen[i].name, sizeof(seen[i].name));
	}
	(void)snprintf(out, size, "%s", seen[i].name);
	return out;
}

void endpoint(char *out, size_t size, const char *ip, const char *port)
{
	char a[64], b[8];

	snprintf(out, size, strchr(ip, ':') ? "[%s]:%s" : "%s:%s", printable(ip, a, sizeof(a)),
		 printable(port, b, sizeof(b)));
}

static bool is(struct json_object *o, const char *key, const char *wanted)
{
	return strcmp(text_at(o, key), wanted) == 0;
}

/* One of several keys: what the agent keeps and what it passes on have names of their own. */
static bool any_is(struct json_object *o, const char *const keys[], const char *wanted)
{
	for (size_t i = 0; keys[i]; i++)
		if (is(o, keys[i], wanted))
			return true;
	return false;
}

static bool in_container(struct json_object *o, const char *wanted)
{
	const char *id = text_at(o, "container_id");

	id = *id ? id : text_at(o, "containerId");
	return *wanted && strncmp(id, wanted, strlen(wanted)) == 0;
}

/* A message without a process has no user; 0 is not written, and is root's. */
static bool is_user(struct json_object *o, const char *wanted)
{
	char name[33];

	if (!*text_at(o, "pid"))
		return false;
	return is(o, "uid", wanted) || strcmp(user_name(o, name, sizeof(name)), wanted) == 0;
}

bool wanted(const struct srctl *s, struct json_object *o)
{
	static const char *const ports[] = { "local_port", "remote_port", "localPort", "remotePort", "sourcePort", "destinationPort", NULL };
	static const char *const transports[] = { "transport_protocol", "transportProtocol", NULL };
	const char *const *f = s->filters;

	return (!f[FILTER_PROCESS] || is(o, "comm", f[FILTER_PROCESS])) && (!f[FILTER_PID] || is(o, "pid", f[FILTER_PID])) &&
	       (!f[FILTER_USER] || is_user(o, f[FILTER_USER])) &&
	       (!f[FILTER_PORT] || any_is(o, ports, f[FILTER_PORT])) && (!f[FILTER_PROTOCOL] || any_is(o, transports, f[FILTER_PROTOCOL])) &&
	       (!f[FILTER_CONTAINER] || in_container(o, f[FILTER_CONTAINER])) && (!f[FILTER_TYPE] || is(o, "type", f[FILTER_TYPE]));
}

bool agent_next(struct agent_lines *l, char **line, size_t *length)
{
	char *end;

	while (!(end = memchr(l->buf + l->start, '\n', l->used - l->start))) {
		ssize_t n;

		memmove(l->buf, l->buf + l->start, l->used - l->start);
		l->used -= l->start;
		l->start = 0;
		if (l->used == sizeof(l->buf) - 1)
			l->used = 0; /* longer than any line of the agent's */
		if (fflush(stdout) != 0)
			return false; /* nobody reads on */
		n = read(l->fd, l->buf + l->used, sizeof(l->buf) - 1 - l->used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		l->used += (size_t)n;
	}
	*end = '\0';
	*line = l->buf + l->start;
	*length = (size_t)(end - *line);
	l->start += *length + 1;
	return true;
}

bool line_is(const char *line, const char *type)
{
	static const char before[] = "{\"type\":\"";
	size_t n = strlen(type);

	return strncmp(line, before, sizeof(before) - 1) == 0 && strncmp(line + sizeof(before) - 1, type, n) == 0 && line[sizeof(before) - 1 + n] == '"';
}

static bool any_filter(const struct srctl *s)
{
	for (int i = 0; i < FILTERS; i++)
		if (s->filters[i])
			return true;
	return false;
}

static void record(const struct srctl *s, const char *line)
{
	if (s->recording && (fputs(line, s->recording) < 0 || fputc('\n', s->recording) == EOF))
		fputs("srctl: --record: nothing more can be written\n", stderr);
}

/* A line of our own agent's: well formed, or it is not ours. Without what json_parse looks for in text of others, which takes longer than
 * all else here. */
static struct json_object *parse(struct json_tokener *t, const char *line, size_t length)
{
	struct json_object *o;

	json_tokener_reset(t);
	o = json_tokener_parse_ex(t, line, (int)length + 1);
	if (json_tokener_get_error(t) == json_tokener_success)
		return o;
	json_object_put(o);
	return NULL;
}

static void free_tokener(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

int agent_stream(struct srctl *s, const char *request, const char *type, agent_row *row, void *userdata)
{
	static struct agent_lines l;
	_cleanup_(free_tokener) struct json_tokener *tokener = json_tokener_new();
	_cleanup_close_ int fd = agent_request(s, request);
	bool as_it_is = s->json && !type && !any_filter(s);
	char *line, text[512];
	size_t length;

	if (fd < 0 || !tokener)
		return EXIT_NO_AGENT;
	l = (struct agent_lines){ .fd = fd };
	while (agent_next(&l, &line, &length)) {
		_cleanup_json_ struct json_object *o = NULL;
		bool error = line_is(line, "error"), dropped = line_is(line, "dropped");

		if (as_it_is && !error && !dropped) {
			record(s, line);
			puts(line);
			continue;
		}
		o = parse(tokener, line, length);
		if (!o)
			continue;
		if (error) {
			fprintf(stderr, "srctl: %s\n", printable(text_at(o, "message"), text, sizeof(text)));
			return EXIT_FAILED;
		}
		if (dropped) {
			fprintf(stderr, "srctl: %s events were missed\n", text_at(o, "count"));
			continue;
		}
		if ((type && strcmp(text_at(o, "type"), type) != 0) || !wanted(s, o))
			continue;
		record(s, line);
		if (s->json && !userdata)
			puts(line);
		else
			row(o, userdata);
	}
	return EXIT_DONE;
}

int agent_table(struct srctl *s, const char *request, const char *type, const char *header, agent_row *row)
{
	if (!s->json)
		puts(header);
	return agent_stream(s, request, type, row, NULL);
}
