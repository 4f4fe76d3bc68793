/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "lib/render.h"
#include "lib/fs.h"

/* A manifest of the least that is required, with these values and lines. */
static int parse(const char *name, const char *args, const char *more, struct manifest *m, struct error *err)
{
	char text[8192];
	int n = snprintf(text, sizeof(text),
			 "id: probe\nname: %s\nversion: 1.2.3\nkind: native\ndelivery: os-package\nsupervision: systemd-service\n"
			 "capabilities: [x]\nrequires: {run_as: serviceradar}\nconfig_schema: s.json\n"
			 "exec: {binary: probe, args: %s}\n%s\n",
			 name, args, more);

	assert_in_range(n, 1, sizeof(text) - 1);
	return manifest_parse(text, (size_t)n, "addon.yaml", m, err);
}

static void manifest_of(const char *name, const char *args, const char *more, struct manifest *m)
{
	struct error err = { .text = "" };

	if (parse(name, args, more, m, &err) != 0)
		fail_msg("%s", err.text);
}

/* Lines that systemd sees: a backslash at the end of one joins the next (systemd.syntax(7)). */
static size_t lines_of(const char *unit)
{
	size_t n = 0;

	for (const char *p = unit; (p = strchr(p, '\n')); p++)
		n += p == unit || p[-1] != '\\';
	return n;
}

static char *line_with(const char *unit, const char *key)
{
	const char *at = strstr(unit, key);
	char *line;

	assert_non_null(at);
	assert_true(at == unit || at[-1] == '\n');
	line = strndup(at + strlen(key), strcspn(at + strlen(key), "\n"));
	assert_non_null(line);
	assert_null(strstr(at + 1, key)); /* only once */
	return line;
}

static void packaged_units_are_what_the_manifest_renders(void **state)
{
	static const char version[] = "@VERSION@";
	_cleanup_free_ char *in = NULL, *yaml = NULL, *service = NULL, *socket = NULL, *rendered_service = NULL, *rendered_socket = NULL;
	_cleanup_manifest_ struct manifest m = { 0 };
	struct error err = { .text = "" };
	char *at;

	(void)state;
	assert_int_equal(fs_read_file(AT_FDCWD, "addons/netprobe/addon.yaml.in", 65536, &in, NULL, &err), 0);
	at = strstr(in, version);
	assert_non_null(at);
	assert_true(asprintf(&yaml, "%.*s" SR_VERSION "%s", (int)(at - in), in, at + strlen(version)) > 0);
	assert_int_equal(manifest_parse(yaml, strlen(yaml), "addon.yaml", &m, &err), 0);
	assert_int_equal(fs_read_file(AT_FDCWD, "systemd/serviceradar-netprobe.service", 65536, &service, NULL, &err), 0);
	assert_int_equal(fs_read_file(AT_FDCWD, "systemd/serviceradar-netprobe.socket", 65536, &socket, NULL, &err), 0);
	rendered_service = render_unit(&m, "service");
	rendered_socket = render_unit(&m, "socket");
	assert_string_equal(rendered_service, service);
	assert_string_equal(rendered_socket, socket);
}

/* systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers". */
static void arguments_reach_the_program_as_they_are(void **state)
{
	static const struct {
		const char *yaml, *rendered;
	} cases[] = {
		{ "['--plain']", " \"--plain\"" },
		{ "['100%', '%n', '%%']", " \"100%%\" \"%%n\" \"%%%%\"" },
		{ "['$HOME', '${PATH}', '$$']", " \"$$HOME\" \"$${PATH}\" \"$$$$\"" },
		{ "['a \"b\" c', '\"']", " \"a \\\"b\\\" c\" \"\\\"\"" },
		{ "['''x''', '''']", " \"'x'\" \"'\"" },
		{ "['\\', 'a\\', '\\\"', '\\n']", " \"\\\\\" \"a\\\\\" \"\\\\\\\"\" \"\\\\n\"" },
		{ "[';', ' ; ', '-', '@x', '!x', '+x', '#x']", " \";\" \" ; \" \"-\" \"@x\" \"!x\" \"+x\" \"#x\"" },
		{ "['[Service]', 'User=root']", " \"[Service]\" \"User=root\"" },
	};
	_cleanup_manifest_ struct manifest plain = { 0 };
	_cleanup_free_ char *reference = NULL;

	(void)state;
	manifest_of("Probe", "[]", "", &plain);
	reference = render_unit(&plain, "service");
	assert_non_null(reference);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const char command[] = "/var/lib/serviceradar/addons/probe/current/probe";
		_cleanup_manifest_ struct manifest m = { 0 };
		_cleanup_free_ char *unit = NULL, *line = NULL, *rest = NULL;

		manifest_of("Probe", cases[i].yaml, "", &m);
		unit = render_unit(&m, "service");
		assert_non_null(unit);
		line = line_with(unit, "ExecStart=");
		assert_int_equal(strncmp(line, command, strlen(command)), 0);
		assert_string_equal(line + strlen(command), cases[i].rendered);
		assert_int_equal(lines_of(unit), lines_of(reference));
		/* but for the arguments it is the same unit */
		assert_true(asprintf(&rest, "%.*s%s", (int)(strstr(unit, cases[i].rendered) - unit), unit,
				     strstr(unit, cases[i].rendered) + strlen(cases[i].rendered)) > 0);
		assert_string_equal(rest, reference);
	}
}

static void what_could_end_a_line_is_refused(void **state)
{
	static const struct {
		const char *name, *args, *more, *key;
	} bad[] = {
		{ "Probe", "[\"a\\nUser=root\"]", "", "args" },
		{ "Probe", "[\"a\\rb\"]", "", "args" },
		{ "Probe", "[\"a\\0b\"]", "", "args" },
		{ "Probe", "[\"\\x7f\"]", "", "args" },
		{ "\"Probe\\nUser=root\"", "[]", "", "name" },
		{ "Probe", "[]", "state_dirs: ['a b']", "state_dirs" },
		{ "Probe", "[]", "state_dirs: ['../etc']", "state_dirs" },
		{ "Probe", "[]", "runtime_dirs: ['%h']", "runtime_dirs" },
		{ "Probe", "[]", "runtime_dirs: ['/etc']", "runtime_dirs" },
		{ "Probe", "[]", "socket: {path: '/run/a\\', mode: \"0600\"}", "socket.path" },
		{ "Probe", "[]", "socket: {path: '/run/a b', mode: \"0600\"}", "socket.path" },
		{ "Probe", "[]", "socket: {path: '/etc/x.sock', mode: \"0600\"}", "socket.path" },
		{ "Probe", "[]", "socket: {path: '/run/../etc/x', mode: \"0600\"}", "socket.path" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_manifest_ struct manifest m = { 0 };
		struct error err = { .text = "" };

		assert_int_equal(parse(bad[i].name, bad[i].args, bad[i].more, &m, &err), -EINVAL);
		if (!strstr(err.text, bad[i].key))
			fail_msg("\"%s\" does not name %s", err.text, bad[i].key);
		assert_null(strchr(err.text, '\n'));
	}
}

static void a_name_is_only_a_description(void **state)
{
	static const char *const names[] = { "'100% \"quoted\" $HOME'", "'[Service]'", "'ends with \\'", "'\\\\'" };
	static const char *const shown[] = { "100%% \"quoted\" $HOME", "[Service]", "ends with ", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_manifest_ struct manifest m = { 0 }, plain = { 0 };
		_cleanup_free_ char *service = NULL, *socket = NULL, *reference = NULL, *line = NULL;

		manifest_of(names[i], "[]", "socket: {path: /run/serviceradar/probe.sock, mode: \"0600\"}", &m);
		manifest_of("Probe", "[]", "socket: {path: /run/serviceradar/probe.sock, mode: \"0600\"}", &plain);
		service = render_unit(&m, "service");
		socket = render_unit(&m, "socket");
		reference = render_unit(&plain, "service");
		line = line_with(service, "Description=ServiceRadar add-on ");
		assert_string_equal(line, shown[i]);
		assert_int_equal(lines_of(service), lines_of(reference));
		assert_string_equal(strstr(service, "\nDocumentation="), strstr(reference, "\nDocumentation="));
		assert_non_null(strstr(socket, "\nDocumentation=man:serviceradar-probe(8)\n"));
	}
}

static void without_capabilities_the_sets_are_emptied(void **state)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	_cleanup_free_ char *unit = NULL, *ambient = NULL, *bounding = NULL, *socket = NULL;

	(void)state;
	manifest_of("Probe", "[]", "", &m);
	unit = render_unit(&m, "service");
	ambient = line_with(unit, "AmbientCapabilities=");
	bounding = line_with(unit, "CapabilityBoundingSet=");
	assert_string_equal(ambient, "");
	assert_string_equal(bounding, "");
	assert_null(strstr(unit, "SystemCallFilter=bpf"));
	assert_non_null(strstr(unit, "RestrictAddressFamilies=AF_UNIX\n"));
	socket = render_unit(&m, "socket");
	assert_string_equal(socket, "");
}

static void dl_4_a_timer_its_service_and_the_spool(void **state)
{
	static const char timer[] = "id: probe\nname: P\nversion: 1.2.3\nkind: native\ndelivery: os-package\nsupervision: systemd-timer\n"
				    "capabilities: [x]\nrequires: {run_as: %s}\nconfig_schema: s.json\nexec: {binary: probe}\n"
				    "schedule: {on_calendar: 'Mon..Fri 10:00', randomized_delay_s: 30}\nspool_dir: %s\n";
	static const char spool[] = "/var/lib/serviceradar/spool/probe";
	static const char *const elsewhere[] = { "/etc", "/var/lib/serviceradar/spool", "/var/lib/serviceradar/spool/", "/var/lib/serviceradar/spool/other",
						 "/var/lib/serviceradar/spool/probe/x", "/var/lib/serviceradar/spool/../agent" };
	_cleanup_free_ char *text = NULL, *service = NULL, *unit = NULL, *calendar = NULL, *group = NULL, *more = NULL, *mask = NULL, *paths = NULL;
	_cleanup_manifest_ struct manifest m = { 0 };
	struct error err = { .text = "" };

	(void)state;
	assert_true(asprintf(&text, timer, "scan", spool) > 0);
	if (manifest_parse(text, strlen(text), "addon.yaml", &m, &err) != 0)
		fail_msg("%s", err.text);
	service = render_unit(&m, "service");
	unit = render_unit(&m, "timer");
	calendar = line_with(unit, "OnCalendar=");
	assert_string_equal(calendar, "Mon..Fri 10:00");
	assert_non_null(strstr(unit, "\nWantedBy=timers.target\n"));
	assert_non_null(strstr(service, "\nType=oneshot\n"));
	assert_null(strstr(service, "[Install]"));
	assert_null(strstr(service, "Restart="));
	group = line_with(service, "Group=");
	more = line_with(service, "SupplementaryGroups=");
	mask = line_with(service, "UMask=");
	paths = line_with(service, "ReadWritePaths=");
	assert_string_equal(group, "serviceradar");
	assert_string_equal(more, "scan");
	assert_string_equal(mask, "0027");
	assert_string_equal(paths, spool);
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		_cleanup_manifest_ struct manifest bad = { 0 };
		_cleanup_free_ char *other = NULL;

		assert_true(asprintf(&other, timer, "scan", elsewhere[i]) > 0);
		assert_int_equal(manifest_parse(other, strlen(other), "addon.yaml", &bad, &err), -EINVAL);
		assert_non_null(strstr(err.text, "spool_dir"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packaged_units_are_what_the_manifest_renders),
		cmocka_unit_test(arguments_reach_the_program_as_they_are),
		cmocka_unit_test(what_could_end_a_line_is_refused),
		cmocka_unit_test(a_name_is_only_a_description),
		cmocka_unit_test(without_capabilities_the_sets_are_emptied),
		cmocka_unit_test(dl_4_a_timer_its_service_and_the_spool),
	};

	return cmocka_run_group_tests_name("lib/render.c", tests, NULL, NULL);
}
