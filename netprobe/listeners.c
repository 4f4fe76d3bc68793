/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/listeners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"
#include "netprobe/privilege.h"
#include "netprobe/server_state.h"
#include "netprobe/snapshot.h"

void listeners_new_client(struct server *s)
{
	s->listeners.sent[0] = '\0';
	s->listeners.changed = true;
}

static bool due(const struct server *s, uint64_t now)
{
	uint64_t since = now - s->listeners.passed_usec, interval = s->config->process_snapshot_interval_s;

	if (!s->listeners.passed_usec)
		return true;
	if (since < LISTENERS_LEAST_USEC)
		return false;
	return s->listeners.changed || since >= (interval ? interval : LISTENERS_INTERVAL_S) * 1000000;
}

static void add(const struct listener_record *r, struct process *process, struct cgroup *cgroup, void *userdata)
{
	(void)snapshot_add(userdata, r, process, cgroup);
}

static int append(struct server *s, const struct snapshot *snapshot)
{
	NetprobeFrame frame = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	ProcessSnapshot message;
	struct timespec now;
	void *memory;
	int r;

	clock_gettime(CLOCK_REALTIME, &now);
	r = snapshot_message(snapshot, now.tv_sec * INT64_C(1000000000) + now.tv_nsec, &message, &memory);
	if (r == 0) {
		frame.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_PROCESS_SNAPSHOT;
		frame.process_snapshot = &message;
		r = client_append(&s->client, &frame);
	}
	free(memory);
	return r;
}

int listeners_turn(struct server *s, uint64_t now)
{
	struct snapshot snapshot = { 0 };
	int r;

	if (s->attribution && attribution_listeners_changed(s->attribution))
		s->listeners.changed = true;
	if (!s->attribution || !s->config || !s->config->enabled || s->client.fd < 0 || client_backlog(&s->client) > 0 || !due(s, now))
		return 0;
	s->listeners.passed_usec = now;
	s->listeners.changed = false;
	s->listeners.passes++;
	r = privilege_raise(NULL);
	if (r == 0)
		r = attribution_listeners(s->attribution, add, &snapshot);
	privilege_lower();
	if (r == 0)
		r = snapshot_finish(&snapshot);
	if (r < 0) {
		log_event(LOG_LEVEL_WARNING, "no process snapshot", "error", strerror(-r), NULL);
		r = 0;
	} else if (strcmp(snapshot.fingerprint, s->listeners.sent) != 0) {
		r = append(s, &snapshot);
		if (r == 0) {
			memcpy(s->listeners.sent, snapshot.fingerprint, sizeof(s->listeners.sent));
			s->listeners.snapshots++;
			r = 1;
		}
	}
	snapshot_free(&snapshot);
	return r;
}
