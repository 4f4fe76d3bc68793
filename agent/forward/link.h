/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to a destination that never answers, by UDP, TCP or TLS. */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct link {
	int fd;
	bool stream;   /* TCP */
	SSL *tls;      /* NULL: none */
	uint64_t sent; /* bytes on this connection */
};

/* Connects within ten seconds. 0, or a negative errno and a line with host and port. */
int link_open(struct link *l, const char *host, uint16_t port, bool stream, struct error *err);

/* What TLS needs to know; "" for what is not given. */
struct link_tls {
	const char *ca_file;                 /* PEM; else the system's authorities */
	const char *client_cert, *client_key; /* PEM */
};

/* TLS 1.2 or later on a stream that is open: the other end has to be `host`. 0, or a negative errno and a line that says what is wrong. */
int link_start_tls(struct link *l, const char *host, const struct link_tls *tls, struct error *err);

/* Sends all of it: to UDP, one datagram. A negative errno when the connection is lost, or takes nothing for 30 s. */
int link_send(struct link *l, const void *bytes, size_t size, struct error *err);

/* How many bytes the other end's kernel has; to UDP, those that left this host. A negative errno when the connection is lost. */
int link_arrived(struct link *l, uint64_t *arrived, struct error *err);

/* Closes. True: the other end closed in turn, within two seconds; one that had not closed before has read to the end. */
bool link_close(struct link *l);
