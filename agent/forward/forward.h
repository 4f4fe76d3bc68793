/* SPDX-License-Identifier: Apache-2.0 */
/* What agent-forward needs of a kind of destination. All of it may block, for some seconds at most; a signal ends any wait early. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/diskqueue.h"
#include "lib/error.h"

struct destination {
	const char *kind;
	unsigned linger_ms; /* events are gathered for so long before a batch of few is sent */

	/* `settings`, which stay the caller's, have passed agent.schema.json and have its defaults. 0, or a negative errno and why. */
	int (*new)(struct json_object *settings, void **self, struct error *err);

	/* Connects. 0, or a negative errno and why. */
	int (*open)(void *self, struct error *err);

	/* Takes a record into the batch. 1: the batch is large enough to be sent, 0: there is room for more. -EBADMSG: there is no way to say
	 * it; it counts as refused. -ENOMEM. */
	int (*add)(void *self, const struct diskqueue_record *record);

	/* Sends the batch, which is empty then. 0, or a negative errno and why: the connection is to be closed, and what was not confirmed
	 * comes again. *refused is raised by the number of records that the other end does not want and never will. */
	int (*send)(void *self, uint64_t *refused, struct error *err);

	/* For protocols without an answer; NULL: what was sent is confirmed. Counts bytes: how many were sent on this connection, how many
	 * of them the other end's kernel has. A negative errno when the connection is lost. */
	int (*progress)(void *self, uint64_t *sent, uint64_t *arrived, struct error *err);

	/* Ends the connection. True: the other end has closed it in turn, and so has read all. */
	bool (*close)(void *self);

	void (*free)(void *self);
};

extern const struct destination journal_destination, ipfix_destination, syslog_destination, otlp_destination, nats_destination;

/* Those of this program, ended by NULL: agent-forward-nats has its own, so that only who uses it needs the library. */
extern const struct destination *const destinations[];
