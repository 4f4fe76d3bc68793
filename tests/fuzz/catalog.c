/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/catalog.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);
	struct error err = { .text = "" };
	struct catalog c;
	int r = catalog_parse(text, size, "catalog.json", &c, &err);

	refusal(r, &err);
	if (r == 0) {
		(void)catalog_allows(&c, "probe", "1.0.0", "00", &err);
		catalog_free(&c);
	}
	free(text);
	return 0;
}
