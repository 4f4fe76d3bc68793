/* SPDX-License-Identifier: Apache-2.0 */
/* What the path of a cgroup tells: the container and who made it, the Kubernetes pod, the systemd unit. Pure functions. */
#pragma once

#include <stddef.h>

#define CONTAINER_ID_BYTES   128
#define CONTAINER_UNIT_BYTES 256

struct container_identity {
	char id[CONTAINER_ID_BYTES];     /* 64 hex digits, or the name of an LXC or nspawn container; "" for none */
	const char *runtime;             /* docker, containerd, cri-o, podman, lxc, systemd-nspawn, kubernetes, unknown; "" for none */
	char pod_uid[37];                /* with dashes; "" for none */
	char unit[CONTAINER_UNIT_BYTES]; /* the innermost systemd unit where there is no container; "" for none */
};

/* Reads a cgroup path ("/a/b/c"), of v1 or v2. Containers may lie in one another: the innermost 64-digit id is the one that
 * the process runs in; a name counts only where there is no such id. */
void container_parse(const char *path, struct container_identity *out);
