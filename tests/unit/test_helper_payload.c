/* SPDX-License-Identifier: Apache-2.0 */
/* objs: helper/payload.c helper/capability.c helper/command.c */
/* pkgs: libsystemd */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "helper/capability.h"
#include "lib/fs.h"

#define ADDON  "usr/lib/serviceradar/addons/probe"
#define BINARY ADDON "/probe"
#define OTHER  65534 /* a user that is not root */

#define MANIFEST(id, caps)                                                                                                    \
	"id: " id "\nname: Probe\nversion: 1.2.3\nkind: native\ndelivery: os-package\nsupervision: systemd-service\n"         \
	"capabilities: [x]\nrequires: {os_capabilities: [" caps "], run_as: serviceradar}\nexec: {binary: probe}\n"           \
	"config_schema: s.json\n"

/* A root file system with one sound payload; the tests then spoil it. */
struct fixture {
	char root[32];
	struct updater u;
	struct payload p;
};

static void write_file(struct fixture *f, const char *path, const char *text, mode_t mode)
{
	_cleanup_close_ int fd = openat(f->u.rootfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static int make_root(void **state)
{
	static struct fixture f;
	int dir;

	if (geteuid() != 0) {
		print_message("only root can make files of other users\n");
		*state = NULL;
		return 0;
	}
	f = (struct fixture){ .root = "/tmp/sr-payload-XXXXXX", .p = PAYLOAD_NONE };
	assert_non_null(mkdtemp(f.root));
	f.u = (struct updater){ .root = f.root, .rootfd = open(f.root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	assert_true(f.u.rootfd >= 0);
	dir = fs_make_dirs(f.u.rootfd, "/" ADDON, 0755, &f.u.err);
	assert_true(dir >= 0);
	close(dir);
	assert_int_equal(mkdirat(f.u.rootfd, "etc", 0755), 0);
	write_file(&f, "etc/passwd", "root:x:0:0::/:/bin/sh\nserviceradar:x:990:991::/:/bin/false\n", 0644);
	write_file(&f, ADDON "/addon.yaml", MANIFEST("probe", "cap_net_raw, cap_bpf"), 0644);
	write_file(&f, BINARY, "abc", 0755);
	*state = &f;
	return 0;
}

static int delete_root(void **state)
{
	static const char *const paths[] = { "tmp", BINARY, ADDON "/addon.yaml", ADDON "/second", ADDON, "usr/lib/serviceradar/addons/real",
					     "usr/lib/serviceradar/addons", "usr/lib/serviceradar", "usr/lib", "usr", "etc/passwd", "etc" };
	struct fixture *f = *state;

	if (!f)
		return 0;
	payload_close(&f->p);
	(void)unlinkat(f->u.rootfd, "usr/lib/serviceradar/addons/real/probe", 0);
	(void)unlinkat(f->u.rootfd, "usr/lib/serviceradar/addons/real/addon.yaml", 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (unlinkat(f->u.rootfd, paths[i], 0) < 0)
			(void)unlinkat(f->u.rootfd, paths[i], AT_REMOVEDIR);
	close(f->u.rootfd);
	return rmdir(f->root); /* nothing else was left in it */
}

static struct fixture *fixture(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static void refused(struct fixture *f, int code, const char *says)
{
	f->u.err.text[0] = '\0';
	assert_int_equal(payload_open(&f->u, "probe", PAYLOAD_PACKAGED, &f->p), code);
	assert_int_equal(f->p.binary, -1);
	assert_int_equal(f->p.dir, -1);
	if (!strstr(f->u.err.text, says) || !strstr(f->u.err.text, "probe"))
		fail_msg("\"%s\" does not say \"%s\"", f->u.err.text, says);
}

static void a_sound_payload_is_opened(void **state)
{
	struct fixture *f = fixture(state);

	if (payload_open(&f->u, "probe", PAYLOAD_PACKAGED, &f->p) < 0)
		fail_msg("%s", f->u.err.text);
	assert_string_equal(f->p.path, "/" ADDON);
	assert_string_equal(f->p.manifest.id, "probe");
	/* FIPS 180-4, example of SHA-256 */
	assert_string_equal(f->p.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void what_is_not_there_is_not_installed(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(payload_open(&f->u, "absent", PAYLOAD_PACKAGED, &f->p), -ENOENT);
	assert_non_null(strstr(f->u.err.text, "apt install serviceradar-absent"));
}

static void ids_do_not_lead_out_of_the_directory(void **state)
{
	static const char *const ids[] = { "..", ".", "", "../../../../etc", "probe/../probe", "/etc" };
	struct fixture *f = fixture(state);

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_int_equal(payload_open(&f->u, ids[i], PAYLOAD_PACKAGED, &f->p), -EINVAL);
}

static void a_payload_without_its_binary_is_refused(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(unlinkat(f->u.rootfd, BINARY, 0), 0);
	refused(f, -EINVAL, BINARY);
}

static void a_binary_that_is_a_link_is_refused(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(renameat(f->u.rootfd, BINARY, f->u.rootfd, ADDON "/second"), 0);
	assert_int_equal(symlinkat("second", f->u.rootfd, BINARY), 0);
	refused(f, -ELOOP, BINARY);
}

static void a_binary_that_is_no_file_is_refused(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(unlinkat(f->u.rootfd, BINARY, 0), 0);
	assert_int_equal(mkfifoat(f->u.rootfd, BINARY, 0755), 0);
	refused(f, -EINVAL, BINARY);
	assert_int_equal(unlinkat(f->u.rootfd, BINARY, 0), 0);
	assert_int_equal(mkdirat(f->u.rootfd, BINARY, 0755), 0);
	refused(f, -EINVAL, BINARY);
}

static void a_binary_with_two_names_is_refused(void **state)
{
	struct fixture *f = fixture(state);

	assert_int_equal(linkat(f->u.rootfd, BINARY, f->u.rootfd, "tmp", 0), 0);
	refused(f, -EPERM, "2 links");
}

static void a_binary_that_others_write_own_or_are_raised_by_is_refused(void **state)
{
	static const struct {
		mode_t mode;
		const char *says;
	} bad[] = {
		{ 0757, "mode 0757" }, { 0775, "mode 0775" }, { 04755, "setuid" }, { 02755, "setgid" }, { 06755, "setuid" },
	};
	struct fixture *f = fixture(state);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(fchmodat(f->u.rootfd, BINARY, bad[i].mode, 0), 0);
		refused(f, -EPERM, bad[i].says);
	}
	assert_int_equal(fchmodat(f->u.rootfd, BINARY, 0755, 0), 0);
	assert_int_equal(fchownat(f->u.rootfd, BINARY, OTHER, 0, 0), 0);
	refused(f, -EPERM, "owned by uid 65534");
}

static void every_directory_on_the_way_is_root_s_alone(void **state)
{
	static const char *const way[] = { ADDON, "usr/lib/serviceradar/addons", "usr/lib", "usr" };
	struct fixture *f = fixture(state);

	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		assert_int_equal(fchmodat(f->u.rootfd, way[i], 0775, 0), 0);
		refused(f, -EPERM, "writable by others");
		assert_int_equal(fchmodat(f->u.rootfd, way[i], 0755, 0), 0);
		assert_int_equal(fchownat(f->u.rootfd, way[i], OTHER, 0, 0), 0);
		refused(f, -EPERM, "owned by uid 65534");
		assert_int_equal(fchownat(f->u.rootfd, way[i], 0, 0, 0), 0);
	}
	assert_int_equal(renameat(f->u.rootfd, ADDON, f->u.rootfd, "usr/lib/serviceradar/addons/real"), 0);
	assert_int_equal(symlinkat("real", f->u.rootfd, ADDON), 0);
	refused(f, -ELOOP, "symbolic link");
}

static void a_manifest_of_another_add_on_is_refused(void **state)
{
	struct fixture *f = fixture(state);

	write_file(f, ADDON "/addon.yaml", MANIFEST("other", ""), 0644);
	refused(f, -EINVAL, "\"other\" does not fit the directory");
	assert_int_equal(unlinkat(f->u.rootfd, ADDON "/addon.yaml", 0), 0);
	refused(f, -EINVAL, "addon.yaml");
	assert_int_equal(symlinkat("../../../../../etc/passwd", f->u.rootfd, ADDON "/addon.yaml"), 0);
	refused(f, -ELOOP, "addon.yaml");
}

static void dl_3_a_capability_outside_the_allowlist_is_refused(void **state)
{
	static const char *const manifests[] = {
		MANIFEST("probe", "cap_sys_admin"), MANIFEST("probe", "cap_bpf, cap_setuid"), MANIFEST("probe", "cap_dac_override"),
		MANIFEST("probe", "all"), MANIFEST("probe", "\"cap_bpf,cap_sys_admin\""),
	};
	struct fixture *f = fixture(state);

	for (size_t i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
		write_file(f, ADDON "/addon.yaml", manifests[i], 0644);
		refused(f, -EINVAL, "is not a capability that an add-on may have");
	}
}

static void dl_3_the_grant_sets_what_is_declared_and_the_revoke_takes_all_of_it(void **state)
{
	struct fixture *f = fixture(state);
	enum grant_mode mode;
	bool effective = false;
	caps_mask now = 0;
	struct stat st;

	assert_int_equal(payload_open(&f->u, "probe", PAYLOAD_PACKAGED, &f->p), 0);
	if (capability_preflight(&f->u, &f->p, &mode) < 0)
		fail_msg("%s", f->u.err.text);
	if (mode == GRANT_AMBIENT) {
		print_message("%s takes no file capabilities\n", f->root);
		skip();
	}
	/* what someone else has set is replaced, not added to */
	assert_int_equal(caps_set_file(f->p.binary, (caps_mask)1 << caps_from_name("cap_sys_ptrace"), NULL), 0);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(capability_grant(&f->u, &f->p, &mode), 0);
		assert_int_equal(mode, GRANT_FILE_AND_AMBIENT);
		assert_int_equal(caps_get_file(f->p.binary, &now, &effective, NULL), 0);
		assert_int_equal(now, (caps_mask)1 << caps_from_name("cap_net_raw") | (caps_mask)1 << caps_from_name("cap_bpf"));
		assert_true(effective);
		assert_int_equal(fstat(f->p.binary, &st), 0);
		assert_int_equal(st.st_uid, 0);
		assert_int_equal(st.st_gid, 991);
		assert_int_equal(st.st_mode & 07777, 0750);
	}
	assert_int_equal(capability_revoke(&f->u, &f->p), 0);
	assert_int_equal(caps_get_file(f->p.binary, &now, &effective, NULL), 0);
	assert_int_equal(now, 0);
	assert_int_equal(fstat(f->p.binary, &st), 0);
	assert_int_equal(st.st_gid, 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void dl_3_without_the_user_nothing_is_granted(void **state)
{
	struct fixture *f = fixture(state);
	enum grant_mode mode;
	bool effective;
	caps_mask now;

	write_file(f, "etc/passwd", "root:x:0:0::/:/bin/sh\n", 0644);
	assert_int_equal(payload_open(&f->u, "probe", PAYLOAD_PACKAGED, &f->p), 0);
	assert_int_equal(capability_preflight(&f->u, &f->p, &mode), -EPERM);
	assert_non_null(strstr(f->u.err.text, "no user serviceradar"));
	mode = GRANT_FILE_AND_AMBIENT;
	assert_int_equal(capability_grant(&f->u, &f->p, &mode), -EPERM);
	if (caps_get_file(f->p.binary, &now, &effective, NULL) == 0)
		assert_int_equal(now, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_sound_payload_is_opened, make_root, delete_root),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_not_installed, make_root, delete_root),
		cmocka_unit_test_setup_teardown(ids_do_not_lead_out_of_the_directory, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_payload_without_its_binary_is_refused, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_binary_that_is_a_link_is_refused, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_binary_that_is_no_file_is_refused, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_binary_with_two_names_is_refused, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_binary_that_others_write_own_or_are_raised_by_is_refused, make_root, delete_root),
		cmocka_unit_test_setup_teardown(every_directory_on_the_way_is_root_s_alone, make_root, delete_root),
		cmocka_unit_test_setup_teardown(a_manifest_of_another_add_on_is_refused, make_root, delete_root),
		cmocka_unit_test_setup_teardown(dl_3_a_capability_outside_the_allowlist_is_refused, make_root, delete_root),
		cmocka_unit_test_setup_teardown(dl_3_the_grant_sets_what_is_declared_and_the_revoke_takes_all_of_it, make_root, delete_root),
		cmocka_unit_test_setup_teardown(dl_3_without_the_user_nothing_is_granted, make_root, delete_root),
	};

	return cmocka_run_group_tests_name("helper/payload.c", tests, NULL, NULL);
}
