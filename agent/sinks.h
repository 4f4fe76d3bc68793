/* SPDX-License-Identifier: Apache-2.0 */
/* All sinks at once: the file, which this process writes, and those that a child delivers to. What one of them cannot take waits for it and
 * changes nothing for another. */
#pragma once

#include "agent/event_file.h"
#include "agent/forwarder.h"
#include "agent/np.h"
#include "agent/sink.h"

struct sinks {
	struct agent *agent;
	struct event_file file;
	bool file_assigned;           /* the file is as its own assignment says */
	struct json_object *journal;  /* its settings as those of the other kinds are, under the name ""; NULL: none; owned */
	enum sink_kind standard;      /* as the command line wants it, where neither settings nor an assignment say */
	struct forwarder *forwarders; /* list */
	sd_event_source *due;         /* event_file_due */
	uint8_t *packed;              /* room for one message */
	size_t packed_size;
};

void sinks_init(struct agent *a, enum sink_kind standard);

/* Takes up the agent's settings: at the start, and after every change. */
void sinks_configure(struct agent *a);

/* The event file by its own assignment; `on` false without one means none. limit and files as in event_file.h. */
void sinks_assign_file(struct agent *a, bool on, off_t limit, unsigned files);

/* The event file as settings and command line want it. */
void sinks_unassign_file(struct agent *a);

/* Take one event each; it may stay in memory until sinks_flush. */
void sinks_event(struct sinks *s, const NpFlowEvent *e);
void sinks_message(struct sinks *s, const char *type, const ProtobufCMessage *m);
void sinks_record(struct sinks *s, const char *type, struct json_object *object);

void sinks_flush(struct sinks *s);

/* Between sinks_mark and sinks_refused: whether there are sinks and each of them has lost something. */
void sinks_mark(struct sinks *s);
bool sinks_refused(const struct sinks *s);

/* Of all of them, events. */
uint64_t sinks_dropped(const struct sinks *s);

/* Calls fn for each; what it is given is valid during the call. */
typedef void sink_status_fn(const struct sink_status *status, void *userdata);
void sinks_status(const struct sinks *s, sink_status_fn *fn, void *userdata);

void sinks_free(struct agent *a);
