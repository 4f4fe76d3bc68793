/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/assignment.h"
#include "lib/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);
	struct error err = { .text = "" };
	struct json_object *o = NULL;
	struct assignment a;
	int r = json_parse(text, size, "probe.json", &o, &err);

	refusal(r, &err);
	if (r == 0) {
		err.text[0] = '\0';
		r = assignment_parse(o, "probe.json", &a, &err);
		refusal(r, &err);
		if (r == 0)
			assignment_free(&a);
		json_object_put(o);
	}
	free(text);
	return 0;
}
