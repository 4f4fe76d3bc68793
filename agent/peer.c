/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/peer.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define GROUPS_MAX 65536u /* NGROUPS_MAX of the kernel */

/* The user nobody can be, when the kernel does not say. */
static struct ucred who(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		peer = (struct ucred){ .uid = (uid_t)-1, .gid = (gid_t)-1 };
	return peer;
}

static bool in_group(int fd, gid_t wanted)
{
	socklen_t size = GROUPS_MAX * sizeof(gid_t);
	_cleanup_free_ gid_t *groups = NULL;

	if (who(fd).gid == wanted)
		return true;
	groups = malloc(size);
	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

bool peer_may_capture(int fd)
{
	const struct group *g = who(fd).uid == 0 ? NULL : getgrnam(PEER_CAPTURE_GROUP);

	return who(fd).uid == 0 || (g && in_group(fd, g->gr_gid));
}

bool peer_may_connect(int fd)
{
	return who(fd).uid == geteuid() || in_group(fd, getegid()) || peer_may_capture(fd);
}

void peer_name(int fd, char *out, size_t size)
{
	uid_t uid = who(fd).uid;
	const struct passwd *p = getpwuid(uid);

	(void)snprintf(out, size, "%s(%u)", p ? p->pw_name : "uid", (unsigned)uid);
}
