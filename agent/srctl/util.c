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

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		json_object_object_get_ex(o, key, &next);
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

const char *user_name(struct json_object *o, char *out, size_t size)
{
	struct passwd *p = getpwuid((uid_t)strtoul(text_at(o, "uid"), NULL, 10));

	return printable(p ? p->pw_name : text_at(o, "uid"), out, size);
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

static bool is_user(struct json_object *o, const char *wanted)
{
	char name[33];

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

int agent_table(struct srctl *s, const char *request, const char *type, const char *header, void (*row)(struct json_object *o))
{
	_cleanup_close_ int fd = agent_request(s, request);
	_cleanup_fclose_ FILE *in = fdopen_steal(&fd, "r");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!in)
		return EXIT_NO_AGENT;
	if (!s->json)
		puts(header);
	while ((n = getline(&line, &size, in)) > 0) {
		_cleanup_json_ struct json_object *o = NULL;
		char text[512];

		if (json_parse(line, (size_t)n, "agent.sock", &o, NULL) < 0)
			continue;
		if (strcmp(text_at(o, "type"), "error") == 0) {
			fprintf(stderr, "srctl: %s\n", printable(text_at(o, "message"), text, sizeof(text)));
			return EXIT_FAILED;
		}
		if (strcmp(text_at(o, "type"), type) != 0 || !wanted(s, o))
			continue;
		if (s->json)
			fputs(line, stdout);
		else
			row(o);
	}
	return EXIT_DONE;
}
