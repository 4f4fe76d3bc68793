/* SPDX-License-Identifier: Apache-2.0 */
/* A sink on another host, or the journal. Its events go into a queue on disk; a child, agent-forward, takes them away from there and delivers them, so that
 * what a network does can hold up neither the agent nor another sink, and is parsed in a process of its own. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/backoff.h"
#include "agent/sink.h"
#include "agent/stream.h"
#include "lib/diskqueue.h"

struct agent;
struct kind;

struct forwarder {
	struct forwarder *next;
	struct agent *agent;
	const struct kind *kind;
	char name[40];                /* "ipfix/NAME"; "journal" */
	struct json_object *settings; /* owned */
	uint32_t streams;             /* that it takes: 1 << enum stream */
	bool open;
	struct diskqueue queue;       /* valid while open */
	uint64_t unqueued, mark;      /* dropped while not open; sinks.c */
	sd_event_source *child, *output, *retry;
	pid_t pid;                    /* 0: none */
	int in, out;
	struct backoff backoff;
	bool ending;                  /* it is no longer wanted; goes with its child */

	/* As the child says; counters are of all children so far. */
	bool connected;
	uint64_t delivered, refused, lost_bytes, waiting_bytes;
	uint64_t delivered_before, refused_before, lost_before;
	char error[256];
	char line[1024];
	size_t line_used;
};

/* Makes agent->sinks.forwarders what the settings say. One whose settings are as before goes on undisturbed. */
void forwarders_configure(struct agent *a);

/* Whether the sink is to have events of this stream. */
static inline bool forwarder_wants(const struct forwarder *f, enum stream stream)
{
	return !f->ending && (f->streams & 1u << stream);
}

/* Takes an event if it is of a stream that the sink is to have. `bytes` NULL: there was no memory for it, which is counted. */
void forwarder_append(struct forwarder *f, enum stream stream, const void *bytes, size_t size);

/* Queued, and the child is told. */
void forwarder_flush(struct forwarder *f);

/* Events that found no room in the queue. */
uint64_t forwarder_dropped(const struct forwarder *f);

/* Its texts are borrowed. */
struct sink_status forwarder_status(const struct forwarder *f);

/* The children are told to end; what they have not delivered stays queued. */
void forwarders_free(struct agent *a);
