/* SPDX-License-Identifier: Apache-2.0 */
/* Live: packets of the tap through the analysis, and what comes out to the client. */
#pragma once

#include <systemd/sd-event.h>

#include "lib/error.h"
#include "netprobe/client.h"
#include "netprobe/config.h"
#include "netprobe/tap.h"

struct observe;

struct observe_options {
	enum tap_kind tap;
	unsigned cpu_percent;               /* of one CPU: above it fewer packets of a flow are looked at */
	const char *pins;                   /* where what outlives the daemon is pinned, or NULL */
	const char *const *fingerprint_dbs; /* ends with NULL; none given: the default one, if it is there */
};

/* Opens the tap, watching nothing; needs the capabilities in the effective set. Where no tap can run it is a daemon without
 * flows, and observe_fill tells why. -ENOMEM or another negative errno when the rest cannot be made. `o` and what it points to
 * must stay. */
int observe_open(struct observe **out, sd_event *event, const struct observe_options *o, struct error *err);
void observe_close(struct observe *o);

/* Takes a config into use that was checked; it must stay until the next one. Raises the capabilities for a moment. On an error
 * what was watched before still is. */
int observe_apply(struct observe *o, const VisibilityConfig *config, struct error *err);

/* Appends events to a client that has no backlog: 1, 0 when there are none, or a negative errno. */
int observe_send(struct observe *o, struct client *c);
void observe_disconnected(struct observe *o);

/* Sets the fields of PingAck that tell of flows. The strings are the observer's. */
void observe_fill(struct observe *o, Serviceradar__Agent__Netprobe__V1__PingAck *ack);

/* Writes the counters to the log. */
void observe_report(const struct observe *o, const char *message);
