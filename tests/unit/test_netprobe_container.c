/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/container.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "netprobe/container.h"

#define A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "1c9a2f40-3b7e-4d11-9a55-0c7d1e2f3a4b"
#define UID_ "1c9a2f40_3b7e_4d11_9a55_0c7d1e2f3a4b"
#define STATIC_UID "1c9a2f403b7e4d119a550c7d1e2f3a4b"

static const struct {
	const char *path, *id, *runtime, *pod_uid, *unit;
} cases[] = {
	/* no container */
	{ "", "", "", "", "" },
	{ "/", "", "", "", "" },
	{ "/system.slice/nginx.service", "", "", "", "nginx.service" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "", "", "", "getty@tty1.service" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.service", "", "", "", "app-foo.service" },
	{ "/user.slice/user-1000.slice/session-3.scope", "", "", "", "session-3.scope" },
	{ "/init.scope", "", "", "", "init.scope" },
	{ "/system.slice/docker.service", "", "", "", "docker.service" },
	{ "/system.slice/containerd.service/" "abc", "", "", "", "containerd.service" },
	/* Docker: systemd and cgroupfs drivers, v1 */
	{ "/system.slice/docker-" A ".scope", A, "docker", "", "" },
	{ "/docker/" A, A, "docker", "", "" },
	{ "/docker/" A "/system.slice/cron.service", A, "docker", "", "" },
	{ "/docker/" A "/docker/" B, B, "docker", "", "" },
	{ "/actions_job/" A, A, "unknown", "", "" },
	/* rootless Docker, Podman */
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" A ".scope/container", A, "podman", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/docker-" A ".scope", A, "docker", "", "" },
	{ "/machine.slice/libpod-" A ".scope", A, "podman", "", "" },
	{ "/machine.slice/libpod-payload-" A, A, "podman", "", "" },
	{ "/libpod_parent/libpod-" A, A, "podman", "", "" },
	{ "/machine.slice/libpod-conmon-" A ".scope", "", "", "", "libpod-conmon-" A ".scope" },
	/* containerd */
	{ "/default/" A, A, "containerd", "", "" },
	{ "/system.slice/nerdctl-" A ".scope", A, "containerd", "", "" },
	{ "/k8s.io/" A, A, "containerd", "", "" },
	/* Kubernetes: containerd, CRI-O, Docker; systemd and cgroupfs drivers; v1 and v2 */
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" A ".scope", A, "containerd",
	  UID, "" },
	{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" A ".scope", A, "cri-o", UID, "" },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/crio-" A ".scope/container", A, "cri-o", UID,
	  "" },
	{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" A ".scope", "", "", "", "crio-conmon-" A ".scope" },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice/docker-" A ".scope", A, "docker", UID, "" },
	{ "/kubepods/burstable/pod" UID "/" A, A, "kubernetes", UID, "" },
	{ "/kubepods/pod" STATIC_UID "/" A, A, "kubernetes", STATIC_UID, "" },
	{ "/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" A, A, "containerd", UID, "" },
	{ "/kubelet/kubepods/burstable/pod" UID "/" A, A, "kubernetes", UID, "" },
	/* a cluster in a container: the innermost one counts */
	{ "/docker/" A "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" UID_
	  ".slice/cri-containerd-" B ".scope", B, "containerd", UID, "" },
	{ "/docker/" A "/kubelet/kubepods/burstable/pod" UID "/" B "/init.scope", B, "kubernetes", UID, "" },
	/* LXC and LXD */
	{ "/lxc/web", "web", "lxc", "", "" },
	{ "/lxc.payload.web", "web", "lxc", "", "" },
	{ "/lxc.payload.web/system.slice/nginx.service", "web", "lxc", "", "" },
	{ "/lxc.payload/web/init.scope", "web", "lxc", "", "" },
	{ "/lxc.monitor.web", "", "", "", "" },
	{ "/lxc.payload.web/docker/" A, A, "docker", "", "" },
	{ "/docker/" A "/lxc.payload.web", A, "docker", "", "" },
	/* systemd-nspawn */
	{ "/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service", "web", "systemd-nspawn", "", "" },
	{ "/machine.slice/systemd-nspawn@web\\x2d1.service/payload", "web-1", "systemd-nspawn", "", "" },
	{ "/machine.slice/machine-web\\x2d2.scope/payload/init.scope", "web-2", "systemd-nspawn", "", "" },
	{ "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/vcpu0", "", "", "", "machine-qemu\\x2d1\\x2dvm.scope" },
	/* what only looks like one */
	{ "/0123456789abcdef", "", "", "", "" },
	{ "/x" A, "", "", "", "" },
	{ "/" A "0", "", "", "", "" },
	{ "/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "", "", "", "" },
	{ "/a/" A "/..", A, "unknown", "", "" },
	{ "/kubepods/podnouid/x", "", "", "", "" },
	{ "///docker///" A "///", A, "docker", "", "" },
};

static void hv_6_a_path_tells_container_pod_and_unit(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct container_identity c;

		container_parse(cases[i].path, &c);
		if (strcmp(c.id, cases[i].id) || strcmp(c.runtime, cases[i].runtime) || strcmp(c.pod_uid, cases[i].pod_uid) ||
		    strcmp(c.unit, cases[i].unit))
			print_error("%s: id %s, runtime %s, pod %s, unit %s\n", cases[i].path, c.id, c.runtime, c.pod_uid, c.unit);
		assert_string_equal(c.id, cases[i].id);
		assert_string_equal(c.runtime, cases[i].runtime);
		assert_string_equal(c.pod_uid, cases[i].pod_uid);
		assert_string_equal(c.unit, cases[i].unit);
	}
}

static void a_long_name_is_cut_not_overrun(void **state)
{
	char path[2048] = "/lxc/";
	struct container_identity c;

	(void)state;
	memset(path + 5, 'n', sizeof(path) - 6);
	container_parse(path, &c);
	assert_int_equal(strlen(c.id), CONTAINER_ID_BYTES - 1);
	memcpy(path, "/machine-", 9);
	memcpy(path + sizeof(path) - 7, ".scope", 7);
	container_parse(path, &c);
	assert_int_equal(strlen(c.id), CONTAINER_ID_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hv_6_a_path_tells_container_pod_and_unit),
		cmocka_unit_test(a_long_name_is_cut_not_overrun),
	};

	return cmocka_run_group_tests_name("netprobe/container.c", tests, NULL, NULL);
}
