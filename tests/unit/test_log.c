/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/log.h"
#include "tests/unit/unit.h"

static char said[8192];

/* What one log line wrote to stderr. */
static const char *capture(enum log_format format, enum log_level level, const char *message, const char *key, const char *value)
{
	int fds[2], kept = dup(2);
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], 2), 2);
	log_setup("prog", format, LOG_LEVEL_INFO);
	log_event(level, message, key, value, NULL);
	assert_int_equal(dup2(kept, 2), 2);
	close(kept);
	close(fds[1]);
	n = read(fds[0], said, sizeof(said) - 1);
	close(fds[0]);
	said[n > 0 ? n : 0] = '\0';
	return said;
}

static void a_value_can_neither_end_its_line_nor_reach_the_terminal(void **state)
{
	static const char hostile[] = "a\n<0>forged: line\r\x1b[31m\x9b\"=\\\xc2\x9b\xff";

	(void)state;
	for (int format = 0; format < 2; format++) {
		const char *line = capture(format ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, LOG_LEVEL_INFO, "message", "k", hostile);

		assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1); /* one line */
		assert_null(strchr(line, '\x1b'));
		assert_null(strchr(line, '\r'));
		assert_null(strchr(line, '\x9b'));
		assert_null(strstr(line, "\nforged"));
	}
}

static void json_lines_are_json(void **state)
{
	_cleanup_json_ struct json_object *o = NULL;
	const char *line = capture(LOG_FORMAT_JSON, LOG_LEVEL_WARNING, "a \"message\"", "key", "\xff\xc3\xa4\n");
	struct json_object *v;
	struct error err;

	(void)state;
	if (json_parse(line, strlen(line), "log", &o, &err) < 0)
		fail_msg("%s: %s", err.text, line);
	assert_true(json_object_object_get_ex(o, "level", &v));
	assert_string_equal(json_object_get_string(v), "warning");
	assert_true(json_object_object_get_ex(o, "message", &v));
	assert_string_equal(json_object_get_string(v), "a \"message\"");
	assert_true(json_object_object_get_ex(o, "key", &v));
	assert_string_equal(json_object_get_string(v), "\xef\xbf\xbd\xc3\xa4\n");
}

static void text_names_program_level_and_fields(void **state)
{
	const char *line = capture(LOG_FORMAT_TEXT, LOG_LEVEL_WARNING, "it happened", "uid", "999");

	(void)state;
	assert_says(line, "prog: ");
	assert_says(line, "warning: it happened uid=999\n");
	assert_string_equal(capture(LOG_FORMAT_TEXT, LOG_LEVEL_DEBUG, "quiet", "a", "b"), "");
}

static void a_field_that_does_not_fit_is_left_out_whole(void **state)
{
	char *large = malloc(100000);
	const char *line;

	(void)state;
	memset(large, 'x', 99999);
	large[99999] = '\0';
	line = capture(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, "m", "k", large);
	assert_string_equal(line, "prog: m\n"); /* the field is left out, not cut */
	large[1500] = '\0';
	line = capture(LOG_FORMAT_JSON, LOG_LEVEL_INFO, "m", "k", large);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_says(line, "\"k\":\"xxx"); /* and kept when it fits */
	assert_says(line, "x\"}\n");
	free(large);
}

static void an_error_is_one_printable_line_of_bounded_length(void **state)
{
	struct error err;
	char large[2000];

	(void)state;
	assert_int_equal(error_set(&err, -EINVAL, "%s: %d", "a\nb\x1b[0m", 5), -EINVAL);
	assert_string_equal(err.text, "a?b?[0m: 5");
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(error_set(&err, -EIO, "%s", large), -EIO);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(error_set(NULL, -EPERM, "nobody reads this"), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_can_neither_end_its_line_nor_reach_the_terminal),
		cmocka_unit_test(json_lines_are_json),
		cmocka_unit_test(text_names_program_level_and_fields),
		cmocka_unit_test(a_field_that_does_not_fit_is_left_out_whole),
		cmocka_unit_test(an_error_is_one_printable_line_of_bounded_length),
	};

	return cmocka_run_group_tests_name("lib/log.c", tests, NULL, NULL);
}
