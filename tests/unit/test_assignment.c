/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/assignment.h"
#include "lib/json.h"
#include "tests/unit/unit.h"

static int parse(const char *text, struct assignment *a, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL;

	if (json_parse(text, strlen(text), "x.json", &o, err) < 0)
		fail_msg("%s", err->text);
	return assignment_parse(o, "x.json", a, err);
}

static void every_key_arrives(void **state)
{
	_cleanup_assignment_ struct assignment a = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(parse("{\"addon_id\":\"netprobe\",\"enabled\":true,\"delivery\":\"os-package\",\"version\":\"1.4.2\","
			       "\"approved_capabilities\":[\"a\",\"b\"],\"config\":{\"enabled\":true}}",
			       &a, &err),
			 0);
	assert_string_equal(a.addon_id, "netprobe");
	assert_true(a.enabled);
	assert_int_equal(a.delivery, DELIVERY_OS_PACKAGE);
	assert_string_equal(a.version, "1.4.2");
	assert_int_equal(a.approved_capabilities.n, 2);
	assert_non_null(a.config);
}

static void what_is_wrong_names_file_key_and_value(void **state)
{
	static const struct {
		const char *text, *key, *value;
	} rows[] = {
		{ "[]", "object", "" },
		{ "{}", "addon_id", "missing" },
		{ "{\"addon_id\":\"a\",\"delivery\":\"os-package\"}", "enabled", "missing" },
		{ "{\"addon_id\":\"a\",\"enabled\":true}", "delivery", "missing" },
		{ "{\"addon_id\":\"../a\",\"enabled\":true,\"delivery\":\"os-package\"}", "addon_id", "../a" },
		{ "{\"addon_id\":7,\"enabled\":true,\"delivery\":\"os-package\"}", "addon_id", "7" },
		{ "{\"addon_id\":\"a\",\"enabled\":\"yes\",\"delivery\":\"os-package\"}", "enabled", "yes" },
		{ "{\"addon_id\":\"a\",\"enabled\":true,\"delivery\":\"pigeon\"}", "delivery", "pigeon" },
		{ "{\"addon_id\":\"a\",\"enabled\":true,\"delivery\":\"os-package\",\"verison\":\"1.0.0\"}", "verison", "unknown key" },
		{ "{\"addon_id\":\"a\",\"enabled\":true,\"delivery\":\"os-package\",\"version\":\"1\"}", "version", "1" },
		{ "{\"addon_id\":\"a\",\"enabled\":true,\"delivery\":\"os-package\",\"config\":[]}", "config", "object" },
		{ "{\"addon_id\":\"a\",\"enabled\":true,\"delivery\":\"os-package\",\"approved_capabilities\":[1]}", "approved_capabilities", "" },
		{ "{\"addon_id\":\"a\",\"enabled\":true,\"delivery\":\"os-package\",\"artifact\":{\"sha256\":\"XY\"}}", "artifact", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct assignment a;
		struct error err;

		assert_int_equal(parse(rows[i].text, &a, &err), -EINVAL);
		assert_says(err.text, "x.json: ");
		assert_says(err.text, rows[i].key);
		assert_says(err.text, rows[i].value);
		assert_null(a.addon_id);
	}
}

static void the_file_must_be_its_own(void **state)
{
	static const char text[] = "{\"addon_id\":\"other\",\"enabled\":true,\"delivery\":\"os-package\"}";
	struct assignment a;
	struct error err;
	char dir[64];
	int fd;

	(void)state;
	make_directory(dir, sizeof(dir));
	write_text(dir, "netprobe.json", text);
	write_text(dir, "other.json", text);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(assignment_read(fd, "/etc/x", "netprobe", &a, &err), -EINVAL);
	assert_says(err.text, "/etc/x/netprobe.json: addon_id: \"other\"");
	assert_int_equal(assignment_read(fd, "/etc/x", "none", &a, &err), -ENOENT);
	assert_int_equal(assignment_read(fd, "/etc/x", "../other", &a, &err), -EINVAL);
	assert_int_equal(symlinkat("other.json", fd, "link.json"), 0);
	assert_true(assignment_read(fd, "/etc/x", "link", &a, &err) < 0);
	assert_int_equal(assignment_read(fd, "/etc/x", "other", &a, &err), 0);
	assignment_free(&a);
	close(fd);
	remove_directory(dir);
}

static void capabilities_that_nobody_approved(void **state)
{
	char name[] = "host-network-visibility", other[] = "other", *offered[] = { name }, *approved[] = { other, name };
	struct manifest m = { .id = other, .capabilities = { .v = offered, .n = 1 } };
	struct assignment a = { .approved_capabilities = { .v = approved, .n = 1 } };
	struct error err;

	(void)state;
	assert_int_equal(assignment_approves(&a, &m, &err), -EPERM);
	assert_says(err.text, name);
	a.approved_capabilities.n = 2;
	assert_int_equal(assignment_approves(&a, &m, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_arrives),
		cmocka_unit_test(what_is_wrong_names_file_key_and_value),
		cmocka_unit_test(the_file_must_be_its_own),
		cmocka_unit_test(capabilities_that_nobody_approved),
	};

	return cmocka_run_group_tests_name("lib/assignment.c", tests, NULL, NULL);
}
