/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the analysis: made here, handed to the sink. */
#include "netprobe/analysis_state.h"
#include "netprobe/fingerprint/message.h"
#include "netprobe/text.h"

/* protobuf-c's strings are not const, and nothing writes to them. */
static char *string(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* Classes of events for sampling: protocols, and above them the kinds of evidence together. */
enum { CLASS_FINGERPRINT = 256 };

static bool sample(struct analysis *a, const struct flow *f, unsigned side, const struct device *d, uint32_t class, int64_t time_ns)
{
	if (sampler_take(a->sampler, flow_address(f, side), f->key.family, class, d->sample_ns, time_ns))
		return true;
	a->totals.sampled++;
	return false;
}

/* The event is the device's whose address has a binding: of who began, else of the other end. */
void report_dpi(struct analysis *a, const struct flow *f, int64_t time_ns)
{
	unsigned began = f->began, side = !flow_device(a, f, began)->bound && flow_device(a, f, !began)->bound ? !began : began;
	const struct device *d = flow_device(a, f, side);
	char source[TEXT_ADDRESS_BYTES], destination[TEXT_ADDRESS_BYTES], transport[TEXT_TRANSPORT_BYTES];
	DpiEvent event = SERVICERADAR__AGENT__NETPROBE__V1__DPI_EVENT__INIT;

	if ((f->off & PROTOCOL_BIT(f->protocol)) || !sample(a, f, side, d, f->protocol, time_ns))
		return;
	event.source_ip = text_address(f->key.family, flow_address(f, began), source);
	event.destination_ip = text_address(f->key.family, flow_address(f, !began), destination);
	event.source_port = flow_port(f, began);
	event.destination_port = flow_port(f, !began);
	event.transport_protocol = text_transport(f->key.protocol, transport);
	event.protocol = event.dissector_id = string(protocol_name(f->protocol));
	event.confidence = f->confidence;
	event.observed_at_unix_nano = time_ns;
	event.interface_name = string(a->sink.interface_name(a->sink.userdata, f->key.ifindex));
	event.profile_id = string(d->profile_id);
	a->sink.dpi(a->sink.userdata, &event);
}

void report_fingerprint(struct analysis *a, const struct flow *f, unsigned side, struct evidence_end *end)
{
	const struct device *d = flow_device(a, f, side);
	uint32_t class = CLASS_FINGERPRINT | (*end->p0f_signature ? 1 : 0) | (*end->ja4 ? 2 : 0) | (*end->hassh ? 4 : 0) |
			 (*end->hassh_server ? 8 : 0);
	struct fuse_input in = { .p0f_signature = end->p0f_signature, .p0f = *end->p0f_signature ? &end->p0f : NULL, .ja4 = end->ja4,
				 .hassh = end->hassh, .hassh_server = end->hassh_server }, device;
	FingerprintEvent event;
	char address[TEXT_ADDRESS_BYTES];
	struct fingerprint_message m;

	device_memory_complete(a->memory, flow_address(f, side), f->key.family, end->time_ns, &in, &device);
	if (!sample(a, f, side, d, class, end->time_ns))
		return;
	fingerprint_device_message(&in, &device, &m);
	serviceradar__agent__netprobe__v1__fingerprint_event__init(&event);
	event.ip = text_address(f->key.family, flow_address(f, side), address);
	event.profile_id = string(d->profile_id);
	event.interface_name = string(a->sink.interface_name(a->sink.userdata, f->key.ifindex));
	event.observed_at_unix_nano = end->time_ns;
	event.evidence_case = SERVICERADAR__AGENT__NETPROBE__V1__FINGERPRINT_EVENT__EVIDENCE_LICENSE_CLEAN;
	event.license_clean = &m.message;
	a->sink.fingerprint(a->sink.userdata, &event);
}

/* The protocol as far as it may be told; "" for a flow that was never looked at for one. */
static const char *protocol_of(const struct flow *f)
{
	if (f->protocol != PROTOCOL_UNKNOWN)
		return f->off & PROTOCOL_BIT(f->protocol) ? "" : protocol_name(f->protocol);
	return f->state == CLASSIFY_UNKNOWN ? protocol_name(PROTOCOL_UNKNOWN) : "";
}

/* What has been counted since the record before. */
void report_record(struct analysis *a, const struct flow *f, enum flow_end why)
{
	const struct flow_side *forward = &f->side[f->began], *reverse = &f->side[!f->began];
	const struct flow_side *told = &f->reported[f->began], *told_reverse = &f->reported[!f->began];
	char source[TEXT_ADDRESS_BYTES], destination[TEXT_ADDRESS_BYTES], transport[TEXT_TRANSPORT_BYTES];
	FlowRecord record = SERVICERADAR__AGENT__NETPROBE__V1__FLOW_RECORD__INIT;

	if (!a->sink.record)
		return;
	record.source_ip = text_address(f->key.family, flow_address(f, f->began), source);
	record.destination_ip = text_address(f->key.family, flow_address(f, !f->began), destination);
	record.source_port = flow_port(f, f->began);
	record.destination_port = flow_port(f, !f->began);
	record.transport_protocol = text_transport(f->key.protocol, transport);
	record.bytes_forward = forward->bytes - told->bytes;
	record.bytes_reverse = reverse->bytes - told_reverse->bytes;
	record.packets_forward = forward->packets - told->packets;
	record.packets_reverse = reverse->packets - told_reverse->packets;
	record.tcp_flags_forward = forward->tcp_flags;
	record.tcp_flags_reverse = reverse->tcp_flags;
	record.first_seen_unix_nano = f->first_ns;
	record.last_seen_unix_nano = f->last_ns;
	record.interface_name = string(a->sink.interface_name(a->sink.userdata, f->key.ifindex));
	record.protocol = string(protocol_of(f));
	record.end_reason = string(flow_end_name(why));
	a->sink.record(a->sink.userdata, &record);
}
