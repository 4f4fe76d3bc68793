/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent keeps of messages that come now and then, for who asks later: the last snapshot of listeners, and the last fingerprint
 * of each address. Kept packed, as most of it is never asked for. */
#pragma once

#include <json-c/json.h>

#include "agent/np.h"

#define RECENT_FINGERPRINTS 1024u /* addresses; the one that was heard of longest ago makes room */

struct recent;

struct recent *recent_new(void);
void recent_free(struct recent *r);

/* A message as ipc's on_message hands it on; those of other types are not kept. */
void recent_message(struct recent *r, const char *type, const ProtobufCMessage *m);

typedef void (*recent_fn)(struct json_object *line, void *userdata); /* borrowed */

/* One object for each listener, with "type" "listener" and the keys of docs/agent-socket.md. */
void recent_listeners(const struct recent *r, recent_fn fn, void *userdata);

/* One FingerprintEvent for each address, with "type" "fingerprint_event", the one heard of longest ago first. */
void recent_fingerprints(const struct recent *r, recent_fn fn, void *userdata);
