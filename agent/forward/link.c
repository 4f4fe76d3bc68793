/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/forward/link.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/cleanup.h"

#define CONNECT_MS 10000
#define STUCK_MS   30000 /* RFC 5482: unacknowledged for so long is lost */
#define FINISH_MS  2000

static int connect_one(const struct addrinfo *a)
{
	_cleanup_close_ int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	const unsigned stuck = STUCK_MS;
	const int yes = 1, idle = 10;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return -errno;
	if (a->ai_socktype == SOCK_STREAM) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stuck, sizeof(stuck));
		(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof(idle));
	}
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		if (poll(&p, 1, CONNECT_MS) <= 0)
			return -ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
			return error ? -error : -errno;
	}
	return steal_fd(&fd);
}

int link_open(struct link *l, const char *host, uint16_t port, bool stream, struct error *err)
{
	struct addrinfo hints = { .ai_socktype = stream ? SOCK_STREAM : SOCK_DGRAM, .ai_flags = AI_NUMERICSERV }, *list;
	char service[8];
	int r;

	*l = (struct link){ .fd = -1, .stream = stream };
	(void)snprintf(service, sizeof(service), "%u", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r != 0)
		return error_set(err, -EHOSTUNREACH, "%s: %s", host, gai_strerror(r));
	r = -EHOSTUNREACH;
	for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next)
		r = connect_one(a);
	freeaddrinfo(list);
	if (r < 0)
		return error_set(err, r, "%s port %u: %s", host, port, strerror(-r));
	l->fd = r;
	return 0;
}

/* ---- TLS ---- */

static int tls_error(struct error *err, const char *what, const char *which)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	ERR_clear_error();
	return error_set(err, -EPROTO, "TLS: %s%s%s: %s", what, *which ? " " : "", which, reason ? reason : "broken off");
}

/* Waits until the library can go on. 0, or a negative errno when it cannot. */
static int tls_wait(struct link *l, int result, int ms)
{
	int why = SSL_get_error(l->tls, result);
	struct pollfd p = { .fd = l->fd, .events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT };
	int n;

	if (why == SSL_ERROR_ZERO_RETURN)
		return -EPIPE;
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		return -EPROTO;
	n = poll(&p, 1, ms);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int tls_context(SSL_CTX *c, const struct link_tls *tls, struct error *err)
{
	(void)SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	if (*tls->ca_file ? SSL_CTX_load_verify_file(c, tls->ca_file) != 1 : SSL_CTX_set_default_verify_paths(c) != 1)
		return tls_error(err, "ca_file", tls->ca_file);
	if (*tls->client_cert && SSL_CTX_use_certificate_chain_file(c, tls->client_cert) != 1)
		return tls_error(err, "client_cert", tls->client_cert);
	if (*tls->client_key && SSL_CTX_use_PrivateKey_file(c, tls->client_key, SSL_FILETYPE_PEM) != 1)
		return tls_error(err, "client_key", tls->client_key);
	return 0;
}

/* The certificate has to be for `host`, a name or an address. */
static bool tls_expect(SSL *s, const char *host)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s), host) == 1)
		return true;
	return SSL_set1_host(s, host) == 1 && SSL_set_tlsext_host_name(s, host) == 1;
}

static int tls_handshake(struct link *l, struct error *err)
{
	for (;;) {
		int r = SSL_connect(l->tls);
		long verdict;

		if (r == 1)
			return 0;
		r = tls_wait(l, r, CONNECT_MS);
		if (r == 0)
			continue;
		verdict = SSL_get_verify_result(l->tls);
		if (verdict == X509_V_OK)
			return tls_error(err, "no handshake", r == -ETIMEDOUT ? "within 10 s" : "");
		ERR_clear_error();
		return error_set(err, -EPROTO, "TLS: the certificate of the other end: %s", X509_verify_cert_error_string(verdict));
	}
}

int link_start_tls(struct link *l, const char *host, const struct link_tls *tls, struct error *err)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());
	int r;

	if (!c)
		return error_set(err, -ENOMEM, "out of memory");
	r = tls_context(c, tls, err);
	l->tls = r == 0 ? SSL_new(c) : NULL;
	SSL_CTX_free(c); /* the connection holds it */
	if (r == 0 && (!l->tls || SSL_set_fd(l->tls, l->fd) != 1 || !tls_expect(l->tls, host)))
		r = error_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = tls_handshake(l, err);
	if (r < 0)
		(void)link_close(l);
	return r;
}

static int tls_send(struct link *l, const char *p, size_t left, struct error *err)
{
	while (left > 0) {
		int n = SSL_write(l->tls, p, left < INT_MAX ? (int)left : INT_MAX), r;

		if (n > 0) {
			p += n;
			left -= (size_t)n;
			l->sent += (uint64_t)n;
			continue;
		}
		r = tls_wait(l, n, STUCK_MS);
		if (r == -EPROTO)
			return tls_error(err, "the connection is lost", "");
		if (r < 0)
			return error_set(err, r, "the connection is lost: %s", strerror(-r));
	}
	return 0;
}

/* What came in: tickets, keys, an alert, the end. */
static int tls_listen(struct link *l, struct error *err)
{
	char bytes[256];

	for (;;) {
		int n = SSL_read(l->tls, bytes, sizeof(bytes)), why;

		if (n > 0)
			continue;
		why = SSL_get_error(l->tls, n);
		if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
			return 0;
		if (why == SSL_ERROR_ZERO_RETURN || (why == SSL_ERROR_SYSCALL && !ERR_peek_error()))
			return error_set(err, -EPIPE, "closed by the other end");
		return tls_error(err, "the connection is lost", "");
	}
}

/* ---- bytes ---- */

int link_send(struct link *l, const void *bytes, size_t size, struct error *err)
{
	const char *p = bytes;
	size_t left = size;

	if (l->tls)
		return tls_send(l, bytes, size, err);
	while (left > 0) {
		struct pollfd wait = { .fd = l->fd, .events = POLLOUT };
		ssize_t n = send(l->fd, p, left, MSG_NOSIGNAL);

		if (n >= 0) {
			p += n;
			left -= (size_t)n;
			l->sent += (uint64_t)n;
			continue;
		}
		if (errno == EAGAIN || errno == ENOBUFS) {
			n = poll(&wait, 1, STUCK_MS);
			if (n > 0)
				continue;
			errno = n == 0 ? ETIMEDOUT : errno;
		}
		return error_set(err, -errno, "the connection is lost: %s", strerror(errno));
	}
	return 0;
}

static int plain_listen(struct link *l, struct error *err)
{
	int error = 0;
	socklen_t size = sizeof(error);
	char bytes[256];
	ssize_t n;

	do
		n = recv(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n > 0);
	if (n == 0 && l->stream)
		return error_set(err, -EPIPE, "closed by the other end");
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return error_set(err, -errno, "the connection is lost: %s", strerror(errno));
	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
		return error_set(err, -error, "the connection is lost: %s", strerror(error));
	return 0;
}

int link_arrived(struct link *l, uint64_t *arrived, struct error *err)
{
	int waiting = 0, r;

	/* What the other end says is of no interest; that it has closed is. */
	r = l->tls ? tls_listen(l, err) : plain_listen(l, err);
	if (r < 0)
		return r;
	if (l->stream && ioctl(l->fd, SIOCOUTQ, &waiting) < 0)
		return error_set(err, -errno, "the connection is lost: %s", strerror(errno));
	/* With TLS more bytes wait than were given to it: that errs on the safe side. */
	*arrived = l->sent > (uint64_t)waiting ? l->sent - (uint64_t)waiting : 0;
	return 0;
}

bool link_close(struct link *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	bool read_all = false;
	char bytes[256];

	if (l->fd < 0)
		return false;
	if (l->tls)
		(void)SSL_shutdown(l->tls); /* close_notify; what the other end says to it is seen as its closing */
	SSL_free(l->tls);
	ERR_clear_error();
	l->tls = NULL;
	if (l->stream && shutdown(l->fd, SHUT_WR) == 0)
		while (!read_all && poll(&p, 1, FINISH_MS) > 0) {
			ssize_t n = recv(l->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

			if (n < 0)
				break;
			read_all = n == 0;
		}
	close(l->fd);
	l->fd = -1;
	return read_all;
}
