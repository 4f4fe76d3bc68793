/* SPDX-License-Identifier: Apache-2.0 */
/* A remote capture on its way from the add-on to a client of the agent's socket (docs/agent-socket.md). */
#pragma once

#include <json-c/json.h>

#include "agent/ipc.h"
#include "lib/error.h"

#define CAPTURE_WINDOW (4u * 1024 * 1024) /* what waits for a client at most */

struct capture;

struct capture_client {
	/* The next of the pcapng stream; `packets` are in all of it up to here. */
	void (*bytes)(void *userdata, const void *bytes, size_t n, uint64_t packets);
	void (*end)(void *userdata, struct json_object *result); /* the last line: result or error; borrowed */
	void *userdata;
};

/* Asks the add-on for a session as the line of a client says; `fd` is the client's socket, whose user becomes the actor. NULL with
 * the reason: then client->end is not called. */
struct capture *capture_new(struct ipc *ipc, int fd, struct json_object *request, const struct capture_client *client, struct error *err);

/* `n` bytes in all have been taken by the client: more may come. */
void capture_taken(struct capture *c, uint64_t n);

/* The client wants no more: what there is still comes, then the end. */
void capture_stop(struct capture *c);

/* Stops the session when it is not over. NULL is allowed. */
void capture_free(struct capture *c);
