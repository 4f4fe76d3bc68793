/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/protojson.h"
#include "netprobe/analysis.h"
#include "netprobe/capfile.h"
#include "netprobe/config.h"

#define OUTPUT_BYTES (256u * 1024)
#define LINE_BYTES   8192 /* more than the longest event */

struct reading {
	struct capfile *file;
	struct analysis *analysis;
	struct p0f_store *p0f;
	VisibilityConfig *config;
	bool failed; /* an event was too long for a line */
};

/* ---- JSON ---- */

static void print_json(struct reading *r, const ProtobufCMessage *message, const char *type)
{
	char line[LINE_BYTES];
	int n = protojson_print(message, type, line, sizeof(line) - 1);

	if (n < 0) {
		r->failed = true;
		return;
	}
	line[n] = '\n';
	(void)fwrite(line, 1, (size_t)n + 1, stdout);
}

static void json_dpi(void *userdata, const DpiEvent *event)
{
	print_json(userdata, &event->base, "dpi_event");
}

static void json_fingerprint(void *userdata, const FingerprintEvent *event)
{
	print_json(userdata, &event->base, "fingerprint_event");
}

static void json_record(void *userdata, const FlowRecord *record)
{
	print_json(userdata, &record->base, "flow_record");
}

/* ---- a table ---- */

static void print_time(int64_t ns)
{
	time_t seconds = ns / 1000000000;
	struct tm tm;
	char text[32] = "-";

	if (gmtime_r(&seconds, &tm))
		(void)strftime(text, sizeof(text), "%F %T", &tm);
	printf("%-19s.%03" PRId64 "  ", text, (ns % 1000000000 + 1000000000) % 1000000000 / 1000000);
}

static void print_end(const char *address, uint32_t port)
{
	if (!port)
		printf("%s", address);
	else if (strchr(address, ':'))
		printf("[%s]:%u", address, port);
	else
		printf("%s:%u", address, port);
}

static void print_ends(const char *transport, const char *source, uint32_t source_port, const char *destination, uint32_t destination_port)
{
	printf("%-6s ", transport);
	print_end(source, source_port);
	printf(" > ");
	print_end(destination, destination_port);
}

static void table_dpi(void *userdata, const DpiEvent *e)
{
	(void)userdata;
	print_time(e->observed_at_unix_nano);
	printf("protocol     ");
	print_ends(e->transport_protocol, e->source_ip, e->source_port, e->destination_ip, e->destination_port);
	printf("  %s (%.2f)\n", e->protocol, (double)e->confidence);
}

static void print_part(const char *name, const char *value)
{
	if (value && *value)
		printf("  %s=%s", name, value);
}

static void table_fingerprint(void *userdata, const FingerprintEvent *e)
{
	const Serviceradar__Agent__Netprobe__V1__LicenseCleanFingerprint *f = e->license_clean;

	(void)userdata;
	print_time(e->observed_at_unix_nano);
	printf("fingerprint  %s", e->ip);
	print_part("p0f", f->p0f_signature);
	print_part("label", f->p0f_match ? f->p0f_match->label : NULL);
	print_part("ja4", f->ja4);
	print_part("hassh", f->hassh);
	print_part("hassh-server", f->hassh_server);
	print_part("os", f->os_match ? f->os_match->os_family : NULL);
	putchar('\n');
}

static void table_record(void *userdata, const FlowRecord *e)
{
	(void)userdata;
	print_time(e->last_seen_unix_nano);
	printf("flow         ");
	print_ends(e->transport_protocol, e->source_ip, e->source_port, e->destination_ip, e->destination_port);
	printf("  %s  %" PRIu64 " packets %" PRIu64 " bytes, back %" PRIu64 " packets %" PRIu64 " bytes  %s\n",
	       *e->protocol ? e->protocol : "-", e->packets_forward, e->bytes_forward, e->packets_reverse, e->bytes_reverse,
	       e->end_reason);
}

/* ---- both ---- */

static const char *interface_name(void *userdata, uint32_t interface)
{
	const struct reading *r = userdata;

	return capfile_interface(r->file, interface);
}

static int open_databases(struct reading *r, const struct read_options *o, struct error *err)
{
	int e = p0f_store_new(o->fingerprint_dbs, &r->p0f, err);

	if (e == 0 && o->fingerprint_dbs[0] && !p0f_store_db(r->p0f))
		e = *err->text ? -EINVAL : error_set(err, -ENOENT, "%s: no such file", o->fingerprint_dbs[0]);
	return e;
}

static int prepare(struct reading *r, const struct read_options *o, struct error *err)
{
	const struct analysis_options options = { .p0f = r->p0f };
	const struct analysis_sink sink = {
		.dpi = o->json ? json_dpi : table_dpi,
		.fingerprint = o->json ? json_fingerprint : table_fingerprint,
		.record = o->json ? json_record : table_record,
		.interface_name = interface_name,
		.userdata = r,
	};
	int e = analysis_new(&r->analysis, &options, &sink);

	if (e == 0 && r->config)
		e = analysis_configure(r->analysis, r->config);
	return e < 0 ? error_set(err, e, "cannot analyse: %s", strerror(-e)) : 0;
}

static int read_packets(struct reading *r, struct error *err)
{
	struct packet packet = { 0 };
	struct capfile_packet p;
	int e;

	while ((e = capfile_next(r->file, &p, err)) > 0) {
		enum packet_result result;

		packet.time_ns = p.time_ns;
		packet.interface = p.interface;
		result = packet_parse(&packet, p.link_type, p.frame, p.wire_bytes);
		analysis_packet(r->analysis, &packet, result, NULL);
	}
	analysis_end(r->analysis, FLOW_END_FILE);
	return e;
}

static int run(struct reading *r, const struct read_options *o, struct error *err)
{
	int e = capfile_open(o->file, &r->file, err);

	if (e == 0 && o->config)
		e = config_read(o->config, &r->config, err);
	if (e == 0)
		e = open_databases(r, o, err);
	if (e == 0)
		e = prepare(r, o, err);
	if (e < 0)
		return e;
	(void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
	e = read_packets(r, err);
	if (fflush(stdout) != 0 || ferror(stdout))
		return error_set(err, -EIO, "cannot write to standard output");
	if (e == 0 && r->failed)
		return error_set(err, -EMSGSIZE, "an event was too long to be printed");
	return e;
}

int read_capture(const struct read_options *o, struct error *err)
{
	struct reading r = { 0 };
	int e = run(&r, o, err);

	analysis_free(r.analysis);
	p0f_store_free(r.p0f);
	capfile_close(r.file);
	if (r.config)
		protobuf_c_message_free_unpacked(&r.config->base, NULL);
	return e;
}
