/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "agent/srctl/srctl.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

static void row(struct srctl *s, const char *id, struct json_object *list)
{
	_cleanup_json_ struct json_object *o = read_status(s, id);
	char state[32], version[64];

	if (s->json) {
		if (!o) {
			o = json_object_new_object();
			json_object_object_add(o, "addon_id", json_object_new_string(id));
			json_object_object_add(o, "state", json_object_new_string("installed"));
		}
		json_object_array_add(list, json_object_get(o));
		return;
	}
	printable(o ? text_at(o, "state") : "installed", state, sizeof(state));
	printable(o ? text_at(o, "active_version") : "", version, sizeof(version));
	printf("%-20s %s%-14s%s %s\n", id, color(s, !strcmp(state, "active") ? "\033[32m" : "\033[33m"), state,
	       color(s, "\033[0m"), *version ? version : "-");
}

int verb_addon_list(struct srctl *s, const char *unused)
{
	static const char *const folders[] = { SR_PACKAGED_ADDONS, SR_STATUS };
	_cleanup_json_ struct json_object *list = json_object_new_array(), *shown = json_object_new_object();

	(void)unused;
	if (!s->json)
		printf("%-20s %-14s %s\n", "ADD-ON", "STATE", "VERSION");
	for (int i = 0; i < 2; i++) {
		_cleanup_close_ int fd = fs_open_dir(s->rootfd, folders[i], false, NULL);
		_cleanup_closedir_ DIR *dir = fdopendir_steal(&fd);
		struct dirent *e;

		while (dir && (e = readdir(dir))) {
			char id[65];
			size_t n = strlen(e->d_name);

			if (i == 1 && (n < 6 || strcmp(e->d_name + n - 5, ".json") != 0))
				continue;
			snprintf(id, sizeof(id), "%.*s", (int)(i == 1 ? n - 5 : n), e->d_name);
			if (!addon_id_valid(id) || json_object_object_get_ex(shown, id, NULL))
				continue;
			json_object_object_add(shown, id, json_object_new_boolean(true));
			row(s, id, list);
		}
	}
	if (s->json)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	return EXIT_DONE;
}
