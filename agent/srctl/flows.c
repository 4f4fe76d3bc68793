/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "agent/srctl/srctl.h"
#include "lib/cleanup.h"
#include "lib/json.h"

static void row(struct json_object *o, int width)
{
	char comm[17], pid[12], user[33], local[64], remote[64], state[16], line[400];
	const char *direction = text_at(o, "direction");
	long long age = (long long)time(NULL) - strtoll(text_at(o, "opened_at_unix_nano"), NULL, 10) / 1000000000;

	endpoint(local, sizeof(local), text_at(o, "local_ip"), text_at(o, "local_port"));
	endpoint(remote, sizeof(remote), text_at(o, "remote_ip"), text_at(o, "remote_port"));
	snprintf(line, sizeof(line), "%-15s %7s %-12.12s %s %-22s %-22s %-12s %llds",
		 printable(text_at(o, "comm"), comm, sizeof(comm)), printable(text_at(o, "pid"), pid, sizeof(pid)),
		 user_name(o, user, sizeof(user)), !strcmp(direction, "out") ? ">" : !strcmp(direction, "in") ? "<" : "-",
		 local, remote, printable(text_at(o, "state"), state, sizeof(state)), age < 0 ? 0 : age);
	/* The arrow is one column but three bytes, so it goes in after the cut. */
	line[width < (int)sizeof(line) ? width : (int)sizeof(line) - 1] = '\0';
	if (strlen(line) > 37 && (line[37] == '>' || line[37] == '<'))
		printf("%.37s%s%s\n", line, line[37] == '>' ? "\u2192" : "\u2190", line + 38);
	else
		puts(line);
}

int verb_flows(struct srctl *s, const char *unused)
{
	struct winsize w = { 0 };
	_cleanup_close_ int fd = agent_request(s, s->follow ? "{\"request\":\"flows\",\"follow\":true}\n" : "{\"request\":\"flows\"}\n");
	_cleanup_fclose_ FILE *in = fdopen_steal(&fd, "r");
	_cleanup_free_ char *line = NULL;
	int width = 399, rc = EXIT_DONE;
	size_t size = 0;
	ssize_t n;

	(void)unused;
	if (!in)
		return EXIT_NO_AGENT;
	if (isatty(1) && ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col >= 40)
		width = w.ws_col;
	if (!s->json)
		printf("%.*s\n", width, "PROCESS             PID USER           LOCAL                  REMOTE                 "
			"STATE        AGE");
	while ((n = getline(&line, &size, in)) > 0) {
		_cleanup_json_ struct json_object *o = NULL;
		const char *type;

		if (json_parse(line, (size_t)n, "agent.sock", &o, NULL) < 0)
			continue;
		type = text_at(o, "type");
		if (!strcmp(type, "error")) {
			char text[512];

			fprintf(stderr, "srctl: %s\n", printable(text_at(o, "message"), text, sizeof(text)));
			rc = EXIT_FAILED;
		} else if (!strcmp(type, "flow") && !wanted(s, o)) {
			continue;
		} else if (s->json) {
			fputs(line, stdout);
		} else if (!strcmp(type, "flow")) {
			row(o, width);
		} else if (s->follow && !strcmp(type, "dropped")) {
			fprintf(stderr, "srctl: %s events were missed\n", text_at(o, "count"));
		}
		if (s->follow && fflush(stdout) != 0)
			break;
	}
	return s->follow && rc == EXIT_DONE ? EXIT_NO_AGENT : rc;
}
