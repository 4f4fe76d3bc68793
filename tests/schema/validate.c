/* SPDX-License-Identifier: Apache-2.0 */
/* schema-validate SCHEMA: reads JSON values, one a line, and says of each on a line of its own "valid", or "invalid" and why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>

#include "lib/json.h"
#include "lib/schema.h"

int main(int argc, char **argv)
{
	_cleanup_json_ struct json_object *schema = NULL;
	_cleanup_free_ char *line = NULL;
	struct error err = { .text = "" };
	size_t room = 0;
	ssize_t n;

	if (argc != 2 || json_read_file(AT_FDCWD, argv[1], &schema, &err) < 0 || schema_check(schema, argv[1], &err) < 0) {
		fprintf(stderr, "schema-validate: %s\n", argc == 2 ? err.text : "usage: schema-validate SCHEMA");
		return 1;
	}
	while ((n = getline(&line, &room, stdin)) > 0) {
		_cleanup_json_ struct json_object *value = NULL;

		line[--n] = '\0';
		if (json_parse(line, (size_t)n, "value", &value, &err) < 0 || schema_validate(schema, value, "value", "", &err) < 0)
			printf("invalid %s\n", err.text);
		else
			puts("valid");
	}
	return 0;
}
