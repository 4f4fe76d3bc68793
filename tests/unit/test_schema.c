/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "lib/json.h"
#include "lib/schema.h"
#include "tests/unit/unit.h"

static struct json_object *json(const char *text)
{
	struct json_object *o = NULL;
	struct error err;

	if (json_parse(text, strlen(text), "test", &o, &err) < 0)
		fail_msg("%s", err.text);
	return o;
}

struct row {
	const char *schema, *good, *bad, *pointer, *rule;
};

static void each_keyword_accepts_and_refuses(void **state)
{
	static const struct row rows[] = {
		{ "{\"type\":\"integer\"}", "5", "\"5\"", "/config", "type" },
		{ "{\"type\":\"integer\"}", "5.0", "5.5", "/config", "type" },
		{ "{\"type\":[\"string\",\"null\"]}", "null", "1", "/config", "type" },
		{ "{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":\"x\"}", "{\"a\":1}", "/config/a", "type" },
		{ "{\"required\":[\"a\"]}", "{\"a\":1}", "{\"b\":1}", "/config", "a" },
		{ "{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"b\":1}", "{\"a\":1}", "/config/b", "beside a" },
		{ "{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", "{\"b\":1}", "/config/b", "additionalProperties" },
		{ "{\"propertyNames\":{\"pattern\":\"^[a-z]+$\"}}", "{\"b\":1}", "{\"b\":1,\"B\":1}", "/config/B", "pattern" },
		{ "{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"b\":1}", "{\"b\":\"x\"}", "/config/b", "type" },
		{ "{\"items\":{\"type\":\"string\"}}", "[\"a\"]", "[\"a\",2]", "/config/1", "type" },
		{ "{\"uniqueItems\":true}", "[1,2]", "[1,2,1]", "/config", "uniqueItems" },
		{ "{\"uniqueItems\":true}", "[1,\"1\"]", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "/config", "uniqueItems" },
		{ "{\"enum\":[\"a\",1,null]}", "1", "\"b\"", "/config", "enum" },
		{ "{\"const\":\"a\"}", "\"a\"", "\"b\"", "/config", "const" },
		{ "{\"minimum\":3}", "3", "2", "/config", "minimum" },
		{ "{\"maximum\":3}", "3.0", "3.01", "/config", "maximum" },
		{ "{\"maximum\":4294967295}", "4294967295", "4294967296", "/config", "maximum" },
		{ "{\"minLength\":2}", "\"\xc3\xa4\xc3\xb6\"", "\"\xc3\xa4\"", "/config", "minLength" },
		{ "{\"maxLength\":2}", "\"\xc3\xa4\xc3\xb6\"", "\"abc\"", "/config", "maxLength" },
		{ "{\"pattern\":\"^[a-z]+$\"}", "\"abc\"", "\"aBc\"", "/config", "pattern" },
		{ "{\"minItems\":1}", "[1]", "[]", "/config", "minItems" },
		{ "{\"maxItems\":1}", "[1]", "[1,2]", "/config", "maxItems" },
		{ "{\"definitions\":{\"p\":{\"minimum\":1}},\"items\":{\"$ref\":\"#/definitions/p\"}}", "[1]", "[0]", "/config/0", "minimum" },
		{ "{\"properties\":{\"a/b~c\":{\"const\":1}}}", "{\"a/b~c\":1}", "{\"a/b~c\":2}", "/config/a~1b~0c", "const" },
		{ "{\"title\":\"t\",\"x-order\":1,\"$comment\":\"c\",\"maximum\":1}", "1", "2", "/config", "maximum" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_json_ struct json_object *schema = json(rows[i].schema), *good = json(rows[i].good), *bad = json(rows[i].bad);
		struct error err = { .text = "" };

		if (schema_check(schema, "s.json", &err) < 0 || schema_validate(schema, good, "a.json", "/config", &err) < 0)
			fail_msg("%s: %s", rows[i].schema, err.text);
		if (schema_validate(schema, bad, "a.json", "/config", &err) != -EINVAL)
			fail_msg("%s accepts %s", rows[i].schema, rows[i].bad);
		assert_says(err.text, "a.json");
		assert_says(err.text, rows[i].pointer);
		assert_says(err.text, rows[i].rule);
	}
}

static void schemas_that_cannot_be_kept_to_are_refused(void **state)
{
	static const char *const bad[] = {
		"[]", "{\"anyOf\":[]}", "{\"if\":{}}", "{\"patternProperties\":{}}", "{\"type\":\"text\"}", "{\"type\":1}",
		"{\"pattern\":\"[\"}", "{\"minLength\":-1}", "{\"minLength\":\"1\"}", "{\"required\":\"a\"}", "{\"dependentRequired\":[]}", "{\"dependentRequired\":{\"a\":\"b\"}}",
		"{\"properties\":[]}",
		"{\"$ref\":\"#/definitions/none\"}", "{\"$ref\":\"https://elsewhere/s.json\"}", "{\"items\":[{}]}",
		"{\"definitions\":{\"a\":{\"$ref\":\"#/definitions/a\"}},\"$ref\":\"#/definitions/a\"}",
		"{\"definitions\":{\"a\":{\"$ref\":\"#/definitions/b\"},\"b\":{\"$ref\":\"#/definitions/a\"}},\"items\":{\"$ref\":\"#/definitions/a\"}}",
		"{\"properties\":{\"a\":{\"minimun\":1}}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		_cleanup_json_ struct json_object *schema = json(bad[i]);
		struct error err = { .text = "" };

		if (schema_check(schema, "s.json", &err) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_says(err.text, "s.json");
	}
}

static void defaults_fill_what_is_missing_and_nothing_else(void **state)
{
	_cleanup_json_ struct json_object *schema = json("{\"properties\":{\"a\":{\"default\":1},\"b\":{\"default\":2},"
							 "\"c\":{\"properties\":{\"d\":{\"default\":[3]}}}},"
							 "\"additionalProperties\":{\"properties\":{\"e\":{\"default\":4}}}}");
	_cleanup_json_ struct json_object *value = json("{\"a\":9,\"c\":{},\"x\":{}}"),
				     *want = json("{\"a\":9,\"c\":{\"d\":[3]},\"x\":{\"e\":4},\"b\":2}");

	(void)state;
	assert_int_equal(schema_apply_defaults(schema, value), 0);
	assert_true(json_object_equal(value, want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_keyword_accepts_and_refuses),
		cmocka_unit_test(schemas_that_cannot_be_kept_to_are_refused),
		cmocka_unit_test(defaults_fill_what_is_missing_and_nothing_else),
	};

	return cmocka_run_group_tests_name("lib/schema.c", tests, NULL, NULL);
}
