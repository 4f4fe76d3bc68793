/* SPDX-License-Identifier: Apache-2.0 */
/* A manifest, and the units that are rendered from one that is accepted. */
#include "lib/manifest.h"
#include "lib/render.h"
#include "tests/fuzz/fuzz.h"

/* No value of a manifest may bring a line of its own into a unit. */
static void check_unit(const char *text)
{
	unsigned starts = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0)
		starts += strncmp(line, "ExecStart=", 10) == 0;
	if (starts > 1)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const suffixes[] = { "service", "socket", "timer" };
	char *text = text_of(data, size);
	struct error err = { .text = "" };
	struct manifest m;
	int r = manifest_parse(text, size, "addon.yaml", &m, &err);

	refusal(r, &err);
	for (size_t i = 0; r == 0 && i < 3; i++) {
		char *unit = render_unit(&m, suffixes[i]);

		check_unit(unit);
		free(unit);
	}
	if (r == 0)
		manifest_free(&m);
	free(text);
	return 0;
}
