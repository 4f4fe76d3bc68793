/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/paths.h"
#include "netprobe/fdstore.h"

/* The mode on disk is what keeps others out until SO_PEERCRED is asked: it must be what it should be. */
static int check_mode(const char *path, struct error *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EPERM, "%s: not a socket", path);
	if (st.st_mode & 0177)
		return error_set(err, -EPERM, "%s: mode is %04o, 0600 is needed (SocketMode= of the socket unit)", path,
				 st.st_mode & 07777u);
	return 0;
}

static int take_from_systemd(int n, int fd, struct error *err)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof(address);
	int flags, r;

	if (n != 1 || sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
		return error_set(err, -EINVAL, "systemd must pass exactly one listening Unix stream socket, not %d descriptors", n);
	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return error_set(err, -errno, "the socket that systemd passed: %s", strerror(errno));
	address.sun_path[sizeof(address.sun_path) - 1] = '\0';
	r = check_mode(address.sun_path, err);
	if (r < 0)
		return r;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return error_set(err, -errno, "the socket that systemd passed: %s", strerror(errno));
	return fd;
}

/* 0 when the path is free to bind, after removing a stale socket. */
static int free_path(const struct sockaddr_un *address, const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -EEXIST, "%s: is there and not a socket; it is left alone", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return error_set(err, -EADDRINUSE, "%s: another instance serves it", path);
	if (errno != ECONNREFUSED)
		return error_set(err, -errno, "%s: cannot tell whether another instance serves it: %s", path, strerror(errno));
	if (unlink(path) < 0)
		return error_set(err, -errno, "%s: cannot remove the stale socket: %s", path, strerror(errno));
	return 0;
}

static int bind_own(const char *path, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, -ENAMETOOLONG, "%s: longer than a socket's path may be", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	r = free_path(&address, path, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	mask = umask(0177);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (r < 0)
		return error_set(err, r, "%s: cannot bind: %s", path, strerror(-r));
	if (chmod(path, 0600) < 0)
		r = error_set(err, -errno, "%s: cannot set the mode: %s", path, strerror(errno));
	if (r == 0)
		r = check_mode(path, err);
	if (r == 0 && listen(fd, 4) < 0)
		r = error_set(err, -errno, "%s: cannot listen: %s", path, strerror(errno));
	if (r < 0) {
		(void)unlink(path);
		return r;
	}
	return steal_fd(&fd);
}

int socket_listen(const char *path, bool *own, struct error *err)
{
	int fd, n = fdstore_receive(&fd);

	*own = false;
	if (n < 0)
		return error_set(err, n, "the descriptors that systemd passed cannot be taken: %s", strerror(-n));
	if (n > 0)
		return take_from_systemd(n, fd, err);
	n = bind_own(path, err);
	*own = n >= 0;
	return n;
}

bool socket_peer_allowed(int fd, unsigned *uid)
{
	static uid_t service;
	static bool known;
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (!known) {
		if (fs_lookup_user("/", SR_USER, &service, NULL) < 0)
			service = geteuid();
		known = true;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0) {
		*uid = (unsigned)-1;
		return false;
	}
	*uid = cred.uid;
	return cred.uid == 0 || cred.uid == service || cred.uid == geteuid();
}
