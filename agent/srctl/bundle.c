/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a bundle, by anyone: as the updater does it, but on the file itself. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/srctl/srctl.h"
#include "lib/bundle.h"
#include "lib/fs.h"
#include "lib/json.h"

static int examine(struct srctl *s, const char *path, struct bundle *b, struct error *err)
{
	_cleanup_keyring_ struct keyring keys = { 0 };
	_cleanup_free_ char *signature = NULL, *beside = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	size_t size = 0;
	int r;

	if (fd < 0)
		return error_set(err, -errno, "%s: %m", path);
	if (asprintf(&beside, "%s" BUNDLE_SIGNATURE_SUFFIX, path) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	r = fs_read_file(AT_FDCWD, beside, MINISIGN_MAX_BYTES, &signature, &size, err);
	if (r == 0)
		r = keyring_load(s->rootfd, &keys, err);
	if (r == 0 && s->key)
		r = keyring_add_file(&keys, s->key, err);
	if (r == 0)
		r = bundle_authenticate(fd, signature, size, &keys, path, b, err);
	return r < 0 ? r : bundle_unpack(fd, -1, path, b, err);
}

static void print_list(const char *what, const struct strings *list)
{
	if (!list->n)
		return;
	printf("%-16s", what);
	for (size_t i = 0; i < list->n; i++)
		printf(" %s", list->v[i]);
	putchar('\n');
}

static void show(const struct bundle *b)
{
	const struct manifest *m = &b->manifest;
	char caps[256];

	printf("%-16s %s\n%-16s %s\n%-16s linux/%s\n", "id", b->id, "version", b->version, "platform", b->arch);
	printf("%-16s %s\n%-16s %s\n", "sha256", b->sha256, "signed by key", b->key_id);
	printf("%-16s %s\n", "name", m->name);
	if (m->description)
		printf("%-16s %s\n", "description", m->description);
	printf("%-16s %s\n", "supervision", supervision_name(m->supervision));
	printf("%-16s %s\n", "runs as", manifest_user(m));
	printf("%-16s %s\n", "os capabilities", caps_format(m->requires.os_capabilities, caps, sizeof(caps)));
	print_list("offers", &m->capabilities);
	print_list("platforms", &m->requires.platforms);
	for (unsigned i = 0; i < b->n_files; i++)
		printf("%-16s %04o %10llu  %s\n", i ? "" : "files", b->files[i].mode, (unsigned long long)b->files[i].size, b->files[i].name);
}

static int run(struct srctl *s, const char *path, bool all)
{
	_cleanup_bundle_ struct bundle b = { 0 };
	struct error err;

	if (examine(s, path, &b, &err) < 0) {
		if (s->json) {
			_cleanup_json_ struct json_object *o = json_object_new_object();

			json_object_object_add(o, "verified", json_object_new_boolean(false));
			json_object_object_add(o, "error", json_object_new_string(err.text));
			puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
		}
		fprintf(stderr, "srctl: %s\n", err.text);
		return EXIT_NOT_DONE;
	}
	if (s->json) {
		_cleanup_json_ struct json_object *o = bundle_to_json(&b);

		json_object_object_add(o, "verified", json_object_new_boolean(true));
		puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	} else if (all) {
		show(&b);
	} else {
		printf("%s: %s %s linux/%s, signed by the key %s\n", path, b.id, b.version, b.arch, b.key_id);
	}
	if (bundle_unsupported(&b, &err) != SUPPORTED)
		fprintf(stderr, "srctl: note: %s\n", err.text);
	return EXIT_DONE;
}

int verb_bundle_verify(struct srctl *s, const char *path)
{
	return run(s, path, false);
}

int verb_bundle_show(struct srctl *s, const char *path)
{
	return run(s, path, true);
}
