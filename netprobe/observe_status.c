/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of the observer, for PingAck and the log. */
#include <inttypes.h>
#include <stdio.h>

#include "lib/log.h"
#include "netprobe/observe_state.h"

void observe_fill(struct observe *o, PingAck *ack)
{
	struct outbox_totals dpi = outbox_totals(o->outbox, OUTBOX_DPI), prints = outbox_totals(o->outbox, OUTBOX_FINGERPRINT),
			     records = outbox_totals(o->outbox, OUTBOX_RECORD);
	struct analysis_totals a = analysis_totals(o->analysis);
	struct tap_totals t = o->tap ? tap_totals(o->tap) : (struct tap_totals){ 0 };
	const struct p0f_db *db = p0f_store_db(o->p0f);
	FlowCaptureStatus *s = &o->status;

	serviceradar__agent__netprobe__v1__flow_capture_status__init(s);
	s->tap = (char *)(uintptr_t)(o->tap ? tap_kind_name(tap_kind(o->tap)) : "");
	s->unavailable_reason = o->tap ? (char *)(uintptr_t) "" : o->unavailable.text;
	s->interfaces = o->tap ? (uint32_t)tap_interfaces(o->tap) : 0;
	s->packets_per_flow = o->budget.packets;
	s->packets = t.kernel.packets;
	s->bytes = t.kernel.bytes;
	s->packets_handed_up = t.handed_up;
	s->packets_lost = t.kernel.lost;
	s->flows_present = t.present;
	s->flows_ended = t.ended;
	s->flows_evicted = t.evicted;
	s->flows_classified = a.classified;
	s->flows_unknown = a.unknown;
	s->interfaces_denied = t.denied;
	s->dpi_events_delivered = dpi.delivered;
	s->dpi_events_dropped = dpi.dropped;
	s->fingerprint_events_delivered = prints.delivered;
	s->fingerprint_events_dropped = prints.dropped;
	s->flow_records_delivered = records.delivered;
	s->flow_records_dropped = records.dropped;
	s->events_sampled = a.sampled;
	s->table_bytes = t.table_bytes;
	s->stream_bytes = a.classifier.buffered_bytes;
	ack->flow_capture = s;
	ack->fingerprint_engine_version = (char *)(uintptr_t)SR_VERSION;
	if (db)
		ack->p0f_corpus_revision = (char *)(uintptr_t)p0f_db_revision(db);
}

void observe_report(const struct observe *o, const char *message)
{
	static const char *const classes[OUTBOX_CLASSES] = { [OUTBOX_DPI] = "protocols", [OUTBOX_FINGERPRINT] = "fingerprints",
							     [OUTBOX_RECORD] = "flow records" };

	for (unsigned i = 0; i < OUTBOX_CLASSES; i++) {
		struct outbox_totals t = outbox_totals(o->outbox, i);
		char produced[24], delivered[24], dropped[24], waiting[24];

		(void)snprintf(produced, sizeof(produced), "%" PRIu64, t.produced);
		(void)snprintf(delivered, sizeof(delivered), "%" PRIu64, t.delivered);
		(void)snprintf(dropped, sizeof(dropped), "%" PRIu64, t.dropped);
		(void)snprintf(waiting, sizeof(waiting), "%" PRIu64, t.waiting);
		log_event(LOG_LEVEL_INFO, message, "class", classes[i], "produced", produced, "delivered", delivered, "dropped",
			  dropped, "waiting", waiting, NULL);
	}
}
