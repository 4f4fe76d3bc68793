/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "lib/manifest.h"
#include "tests/unit/unit.h"

static const char good[] = "id: scanner\n"
			   "name: Scanner\n"
			   "version: \"1.2.3\"\n"
			   "description: d\n"
			   "kind: native\n"
			   "delivery: os-package\n"
			   "supervision: systemd-service\n"
			   "capabilities: [scan]\n"
			   "requires:\n"
			   "  base_agent: \">=1.0.0\"\n"
			   "  platforms: [linux/amd64]\n"
			   "  os_capabilities: [cap_net_raw]\n"
			   "  run_as: serviceradar\n"
			   "exec:\n"
			   "  binary: scanner\n"
			   "  install_path: /x\n"
			   "  args: [\"--a\"]\n"
			   "config_schema: config.schema.json\n";

static int parse(const char *text, struct manifest *m, struct error *err)
{
	return manifest_parse(text, strlen(text), "addon.yaml", m, err);
}

/* The good manifest with one piece replaced. */
static void with(const char *piece, const char *by, char *out, size_t size)
{
	const char *at = strstr(good, piece);

	assert_non_null(at);
	snprintf(out, size, "%.*s%s%s", (int)(at - good), good, by, at + strlen(piece));
}

static void every_key_arrives(void **state)
{
	_cleanup_manifest_ struct manifest m = { 0 };
	struct error err = { .text = "" };

	(void)state;
	if (parse(good, &m, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(m.id, "scanner");
	assert_string_equal(m.version, "1.2.3");
	assert_int_equal(m.delivery, DELIVERY_OS_PACKAGE);
	assert_int_equal(m.supervision, SUPERVISION_SYSTEMD_SERVICE);
	assert_int_equal(m.requires.os_capabilities, 1 << 13);
	assert_string_equal(m.requires.platforms.v[0], "linux/amd64");
	assert_string_equal(m.exec.args.v[0], "--a");
	assert_null(m.socket.path);
}

static void refused(const char *piece, const char *by, const char *line, const char *says)
{
	struct manifest m = { 0 };
	struct error err = { .text = "" };
	char text[2048];

	with(piece, by, text, sizeof(text));
	assert_int_equal(parse(text, &m, &err), -EINVAL);
	assert_says(err.text, line);
	assert_says(err.text, says);
	assert_null(m.id); /* nothing half read */
}

static void dl_3_capabilities_outside_the_allowlist_are_refused(void **state)
{
	static const char *const bad[] = { "cap_sys_admin", "cap_setuid", "cap_dac_override", "cap_chown", "cap_setfcap",
					   "cap_sys_module", "cap_nonesuch", "net_raw", "all", "=ep" };
	char by[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(by, sizeof(by), "[cap_net_raw, \"%s\"]", bad[i]);
		refused("[cap_net_raw]", by, "addon.yaml:12: ", bad[i]);
	}
}

static void wrong_values_name_file_line_and_key(void **state)
{
	(void)state;
	refused("id: scanner", "id: ../scanner", "addon.yaml:1: ", "id");
	refused("id: scanner", "id: -scanner", "addon.yaml:1: ", "id");
	refused("version: \"1.2.3\"", "version: \"1.2\"", "addon.yaml:3: ", "version");
	refused("kind: native", "kind: wasm", "addon.yaml:5: ", "kind");
	refused("delivery: os-package", "delivery: pigeon", "addon.yaml:6: ", "delivery");
	refused("supervision: systemd-service", "supervision: cron", "addon.yaml:7: ", "supervision");
	refused("binary: scanner", "binary: ../scanner", "addon.yaml:15: ", "binary");
	refused("binary: scanner", "binary: .scanner", "addon.yaml:15: ", "binary");
	refused("args: [\"--a\"]", "args: [\"a\\nExecStartPre=/bin/sh\"]", "addon.yaml:17: ", "args");
	refused("name: Scanner", "name: \"a\\e[31m\"", "addon.yaml:2: ", "name");
	refused("config_schema: config.schema.json", "config_schema: /etc/passwd", "addon.yaml:18: ", "config_schema");
}

static void unknown_duplicate_and_missing_keys(void **state)
{
	(void)state;
	refused("description: d", "descriptoin: d", "addon.yaml:4: ", "descriptoin");
	refused("description: d", "id: other", "addon.yaml:4: ", "id");
	refused("  run_as: serviceradar\n", "  run_as: serviceradar\n  shell: /bin/sh\n", "addon.yaml:14: ", "shell");
	refused("version: \"1.2.3\"\n", "", "addon.yaml", "version");
	refused("config_schema: config.schema.json\n", "", "addon.yaml", "config_schema");
	refused("  binary: scanner\n", "", "addon.yaml", "binary");
}

static void yaml_that_hides_things_is_refused(void **state)
{
	(void)state;
	refused("name: Scanner", "name: &a Scanner", "addon.yaml:2: ", "anchor");
	refused("description: d", "description: *a", "addon.yaml:", "");
	refused("name: Scanner", "name: !!binary U2Nhbm5lcg==", "addon.yaml:2: ", "tag");
	refused("capabilities: [scan]", "capabilities: {a: b}", "addon.yaml:8: ", "capabilities");
	refused("name: Scanner", "name: [a]", "addon.yaml:2: ", "name");
	refused("kind: native", "kind: native\n---\nid: second", "addon.yaml", "");
}

static void no_yaml_at_all(void **state)
{
	static const char *const bad[] = { "", "- a", "a", "{", "\t", "id: \"", "\xff\xfe", "id: a\n id: b" };
	struct error err = { .text = "" };
	char *large = malloc(MANIFEST_MAX_BYTES + 2);
	struct manifest m = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i], &m, &err), -EINVAL);
		assert_says(err.text, "addon.yaml");
	}
	memset(large, '#', MANIFEST_MAX_BYTES + 1);
	large[MANIFEST_MAX_BYTES + 1] = '\0';
	assert_true(parse(large, &m, &err) < 0);
	free(large);
}

static void what_this_host_cannot_run_says_why(void **state)
{
	struct error err = { .text = "" };
	char text[2048];
	struct manifest m = { 0 };

	(void)state;
	with("[linux/amd64]", "[plan9/mips]", text, sizeof(text));
	assert_int_equal(parse(text, &m, &err), 0);
	assert_int_equal(manifest_unsupported(&m, false, &err), UNSUPPORTED_PLATFORM);
	assert_says(err.text, platform_name());
	manifest_free(&m);
	with("\">=1.0.0\"\n  platforms: [linux/amd64]", "\">=99.0.0\"\n  platforms: [linux/amd64, linux/arm64]", text, sizeof(text));
	assert_int_equal(parse(text, &m, &err), 0);
	assert_int_equal(manifest_unsupported(&m, false, &err), UNSUPPORTED_AGENT);
	manifest_free(&m);
}

static void ids_that_make_paths(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "A", "-a", "_a", "a.b", "a b", "a\n" };
	char longest[66];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(addon_id_valid(bad[i]));
	memset(longest, 'a', 65);
	longest[65] = '\0';
	assert_false(addon_id_valid(longest));
	longest[64] = '\0';
	assert_true(addon_id_valid(longest));
	assert_true(addon_id_valid("0net-probe_x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(dl_3_capabilities_outside_the_allowlist_are_refused),
		cmocka_unit_test(wrong_values_name_file_line_and_key),
		cmocka_unit_test(unknown_duplicate_and_missing_keys),
		cmocka_unit_test(yaml_that_hides_things_is_refused),
		cmocka_unit_test(no_yaml_at_all),
		cmocka_unit_test(what_this_host_cannot_run_says_why),
		cmocka_unit_test(ids_that_make_paths),
	};

	return cmocka_run_group_tests_name("lib/manifest.c", tests, NULL, NULL);
}
