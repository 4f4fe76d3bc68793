/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/json.h"
#include "tests/unit/unit.h"

static int parse(const char *text, size_t size, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL;
	int r = json_parse(text, size, "the-file", &o, err);

	assert_true((r == 0) == (o != NULL));
	return r;
}

static void what_is_no_json_names_the_place(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[1,]", "{\"a\":1,}", "{'a':1}", "{a:1}", "nul", "01", "+1", ".5", "1.", "NaN",
					   "Infinity", "{\"a\":1} x", "[1] [2]", "// c\n{}", "/* c */{}", "\"\t\"", "\"\\x41\"",
					   "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "[\"a\" \"b\"]", "{\"a\" 1}", "tru", "-" };
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		if (parse(bad[i], strlen(bad[i]), &err) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_says(err.text, "the-file");
	}
	assert_int_equal(parse("{\n  \"a\": ?\n}", 12, &err), -EINVAL);
	assert_says(err.text, "2");
}

static void keys_given_twice_are_refused_at_any_depth(void **state)
{
	static const char text[] = "{\"a\":{\"b\":[{\"c\":1,\"c\":2}]}}";
	struct error err;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &err), -EINVAL);
	assert_says(err.text, "\"c\"");
}

static void a_nul_and_too_many_levels(void **state)
{
	char deep[2 * JSON_MAX_DEPTH + 5];
	struct error err;

	(void)state;
	assert_true(parse("{}\0{}", 5, &err) < 0);
	memset(deep, '[', JSON_MAX_DEPTH + 1);
	memset(deep + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	assert_true(parse(deep, 2 * JSON_MAX_DEPTH + 2, &err) < 0);
	assert_int_equal(parse("[[[[[[[[]]]]]]]]", 16, &err), 0);
}

static void files_that_are_none_or_too_large(void **state)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct error err;
	char dir[64], path[128], *large = malloc(JSON_MAX_BYTES + 2);

	(void)state;
	make_directory(dir, sizeof(dir));
	memset(large, ' ', JSON_MAX_BYTES + 1);
	large[JSON_MAX_BYTES + 1] = '\0';
	write_text(dir, "large", large);
	free(large);
	snprintf(path, sizeof(path), "%s/large", dir);
	assert_int_equal(json_read_file(AT_FDCWD, path, &o, &err), -EFBIG);
	assert_says(err.text, path);
	snprintf(path, sizeof(path), "%s/none", dir);
	assert_int_equal(json_read_file(AT_FDCWD, path, &o, &err), -ENOENT);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(json_read_file(AT_FDCWD, path, &o, &err) < 0); /* and does not wait for a writer */
	assert_null(o);
	remove_directory(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_json_names_the_place),
		cmocka_unit_test(keys_given_twice_are_refused_at_any_depth),
		cmocka_unit_test(a_nul_and_too_many_levels),
		cmocka_unit_test(files_that_are_none_or_too_large),
	};

	return cmocka_run_group_tests_name("lib/json.c", tests, NULL, NULL);
}
