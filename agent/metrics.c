/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/addon.h"
#include "agent/listen.h"
#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"

#define CONNECTIONS_MAX 16u
#define TIMEOUT_S       10u

/* One listener; MHD's own epoll descriptor is a source of the agent's loop, so there is no thread. */
struct metrics {
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer;
	char listen[46];
	int rootfd;
	int64_t port;
};

/* ---- the text ---- */

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

typedef uint64_t value_fn(const struct addon *d);

static uint64_t ingested(const struct addon *d) { return d->ipc.events; }
static uint64_t connects(const struct addon *d) { return d->ipc.reconnects; }
static uint64_t connected(const struct addon *d) { return d->ipc.connected; }

/* One line for each add-on that has a socket; what is in braces beside its id is `labels`. */
static void for_each(FILE *f, const struct agent *a, const char *name, const char *labels, value_fn *value)
{
	for (const struct addon *d = a->addons; d; d = d->next)
		if (d->ipc_ready)
			fprintf(f, "%s{addon=\"%s\"%s%s} %" PRIu64 "\n", name, d->id, *labels ? "," : "", labels, value(d));
}

static void states(FILE *f, const struct agent *a)
{
	head(f, "serviceradar_addon_state", "gauge", "1 for the state that the add-on is in.");
	for (const struct addon *d = a->addons; d; d = d->next)
		for (int s = STATE_NOT_INSTALLED; s <= STATE_DISABLED; s++)
			fprintf(f, "serviceradar_addon_state{addon=\"%s\",state=\"%s\"} %d\n", d->id, state_name((enum addon_state)s),
				d->verdict.state == (enum addon_state)s);
	head(f, "serviceradar_addon_drift", "gauge", "1 for each reason why the add-on is not as it is wanted.");
	for (const struct addon *d = a->addons; d; d = d->next)
		for (int r = 0; r < DRIFT_REASONS; r++)
			fprintf(f, "serviceradar_addon_drift{addon=\"%s\",reason=\"%s\"} %d\n", d->id, drift_name((enum drift_reason)r),
				drift_has(d->verdict.drift, (enum drift_reason)r));
}

typedef uint64_t sink_value_fn(const struct sink_status *k);

static uint64_t sink_delivered(const struct sink_status *k) { return k->delivered; }
static uint64_t sink_dropped(const struct sink_status *k) { return k->dropped; }
static uint64_t sink_refused(const struct sink_status *k) { return k->refused; }
static uint64_t sink_up(const struct sink_status *k) { return k->connected; }
static uint64_t sink_waiting(const struct sink_status *k) { return k->waiting_bytes; }
static uint64_t sink_lost(const struct sink_status *k) { return k->lost_bytes; }

struct sink_row {
	FILE *f;
	const char *name;
	sink_value_fn *value;
};

static void sink_line(const struct sink_status *k, void *userdata)
{
	const struct sink_row *row = userdata;

	fprintf(row->f, "%s{sink=\"%s\"} %" PRIu64 "\n", row->name, k->name, row->value(k));
}

static void sinks(FILE *f, const struct agent *a)
{
	static const struct {
		const char *name, *type, *help;
		sink_value_fn *value;
	} rows[] = {
		{ "serviceradar_agent_events_written_total", "counter", "Events that the sink has.", sink_delivered },
		{ "serviceradar_agent_events_dropped_total", "counter", "Events that neither the sink nor its queue could take.", sink_dropped },
		{ "serviceradar_agent_events_refused_total", "counter", "Events that the other end of the sink does not want.", sink_refused },
		{ "serviceradar_agent_sink_up", "gauge", "1 while the sink takes events.", sink_up },
		{ "serviceradar_agent_sink_waiting_bytes", "gauge", "What waits in the sink's queue.", sink_waiting },
		{ "serviceradar_agent_sink_lost_bytes_total", "counter", "What could not be read back from the sink's queue.", sink_lost },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sink_row row = { f, rows[i].name, rows[i].value };

		head(f, rows[i].name, rows[i].type, rows[i].help);
		sinks_status(&a->sinks, sink_line, &row);
	}
}

/* ---- what netprobe says of itself, as of its last ping ---- */

#define ACK(member)  offsetof(NpPingAck, member), false, false
#define FLOW(member) offsetof(NpFlowCapture, member), true, sizeof(((NpFlowCapture *)0)->member) == sizeof(uint32_t)

static const struct {
	const char *name, *type, *help, *labels; /* rows of one name are together */
	size_t at;
	bool of_flows, narrow; /* in the message about flows; 32 bits wide */
} ack_rows[] = {
	{ "netprobe_events_emitted_total", "counter", "Events that the daemon has sent.", "stream=\"flow_attribution\"", ACK(events_delivered) },
	{ "netprobe_events_emitted_total", NULL, NULL, "stream=\"dpi\"", FLOW(dpi_events_delivered) },
	{ "netprobe_events_emitted_total", NULL, NULL, "stream=\"fingerprint\"", FLOW(fingerprint_events_delivered) },
	{ "netprobe_events_emitted_total", NULL, NULL, "stream=\"flow_record\"", FLOW(flow_records_delivered) },
	{ "netprobe_events_dropped_total", "counter", "Events that the daemon lost, and where.", "stream=\"flow_attribution\",reason=\"kernel\"", ACK(events_dropped_kernel) },
	{ "netprobe_events_dropped_total", NULL, NULL, "stream=\"flow_attribution\",reason=\"queue\"", ACK(events_dropped_queue) },
	{ "netprobe_events_dropped_total", NULL, NULL, "stream=\"dpi\",reason=\"queue\"", FLOW(dpi_events_dropped) },
	{ "netprobe_events_dropped_total", NULL, NULL, "stream=\"fingerprint\",reason=\"queue\"", FLOW(fingerprint_events_dropped) },
	{ "netprobe_events_dropped_total", NULL, NULL, "stream=\"flow_record\",reason=\"queue\"", FLOW(flow_records_dropped) },
	{ "netprobe_events_waiting", "gauge", "Attribution events that wait to be sent.", "", ACK(events_waiting) },
	{ "netprobe_packets_processed_total", "counter", "Packets of watched interfaces.", "", FLOW(packets) },
	{ "netprobe_bytes_processed_total", "counter", "Bytes of watched interfaces.", "", FLOW(bytes) },
	{ "netprobe_packets_handed_up_total", "counter", "Packets that were classified or fingerprinted.", "", FLOW(packets_handed_up) },
	{ "netprobe_packets_lost_total", "counter", "Packets that the ring buffer had no room for; they are counted in their flow.", "", FLOW(packets_lost) },
	{ "netprobe_interfaces_watched", "gauge", "Interfaces that are watched.", "", FLOW(interfaces) },
	{ "netprobe_interfaces_denied_total", "counter", "Interfaces that were asked for and are not allowed.", "", FLOW(interfaces_denied) },
	{ "netprobe_flows", "gauge", "Flows in the table.", "", FLOW(flows_present) },
	{ "netprobe_flows_ended_total", "counter", "Flows that ended.", "", FLOW(flows_ended) },
	{ "netprobe_flows_evicted_total", "counter", "Flows that made room for others.", "", FLOW(flows_evicted) },
	{ "netprobe_flows_classified_total", "counter", "Flows whose protocol was told.", "", FLOW(flows_classified) },
	{ "netprobe_flows_unknown_total", "counter", "Flows whose protocol could not be told.", "", FLOW(flows_unknown) },
	{ "serviceradar_netprobe_sampling_budget", "gauge", "Packets of a flow that are looked at; fewer while the daemon uses much CPU.", "", FLOW(packets_per_flow) },
	{ "serviceradar_netprobe_external_flow_matched_total", "counter", "External flows that were given an owner.", "", ACK(external_matched) },
	{ "serviceradar_netprobe_external_flow_unmatched_total", "counter", "External flows that no socket was found for.", "", ACK(external_unmatched) },
	{ "netprobe_configs_refused_total", "counter", "Configs that the daemon refused.", "", ACK(configs_refused) },
};

static uint64_t of_ack(const NpPingAck *ack, size_t row)
{
	const char *base = ack_rows[row].of_flows ? (const char *)ack->flow_capture : (const char *)ack;
	uint32_t narrow;
	uint64_t wide;

	if (ack_rows[row].narrow) {
		memcpy(&narrow, base + ack_rows[row].at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, base + ack_rows[row].at, sizeof(wide));
	return wide;
}

static void from_acks(FILE *f, const struct agent *a)
{
	for (size_t i = 0; i < sizeof(ack_rows) / sizeof(ack_rows[0]); i++) {
		const char *labels = ack_rows[i].labels;

		if (ack_rows[i].type)
			head(f, ack_rows[i].name, ack_rows[i].type, ack_rows[i].help);
		for (const struct addon *d = a->addons; d; d = d->next)
			if (d->ipc_ready && d->ipc.last_ack && (!ack_rows[i].of_flows || d->ipc.last_ack->flow_capture))
				fprintf(f, "%s{addon=\"%s\"%s%s} %" PRIu64 "\n", ack_rows[i].name, d->id, *labels ? "," : "", labels,
					of_ack(d->ipc.last_ack, i));
	}
}

/* Text of another process, as the value of a label. */
static void put_label(FILE *f, const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= ' ' && *s != '"' && *s != '\\')
			fputc(*s, f);
}

static void programs(FILE *f, const struct agent *a)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	head(f, "netprobe_program_active", "gauge", "1 for a kernel program that is attached.");
	for (const struct addon *d = a->addons; d; d = d->next)
		for (size_t i = 0; d->ipc_ready && d->ipc.last_ack && i < d->ipc.last_ack->n_programs; i++) {
			fprintf(f, "netprobe_program_active{addon=\"%s\",number=\"%zu\",hook=\"", d->id, i);
			put_label(f, d->ipc.last_ack->programs[i]->hook);
			fprintf(f, "\"} %d\n", strcmp(d->ipc.last_ack->programs[i]->state, "active") == 0);
		}
	head(f, "netprobe_tap_info", "gauge", "How packets are seen: tracepoint or socket.");
	for (const struct addon *d = a->addons; d; d = d->next)
		if (d->ipc_ready && d->ipc.last_ack && d->ipc.last_ack->flow_capture && *d->ipc.last_ack->flow_capture->tap) {
			fprintf(f, "netprobe_tap_info{addon=\"%s\",kind=\"", d->id);
			put_label(f, d->ipc.last_ack->flow_capture->tap);
			fputs("\"} 1\n", f);
		}
	head(f, "netprobe_uptime_seconds", "gauge", "Since the daemon started.");
	for (const struct addon *d = a->addons; d; d = d->next)
		if (d->ipc_ready && d->ipc.last_ack && d->ipc.last_ack->started_at_unix_nano)
			fprintf(f, "netprobe_uptime_seconds{addon=\"%s\"} %.1f\n", d->id,
				(double)now.tv_sec + (double)now.tv_nsec / 1e9 - (double)d->ipc.last_ack->started_at_unix_nano / 1e9);
}

static void write_text(FILE *f, const struct agent *a)
{
	head(f, "serviceradar_agent_info", "gauge", "The version that runs.");
	fprintf(f, "serviceradar_agent_info{version=\"%s\"} 1\n", SR_VERSION);
	sinks(f, a);
	states(f, a);
	head(f, "serviceradar_addon_connected", "gauge", "1 while the agent is connected to the add-on's socket.");
	for_each(f, a, "serviceradar_addon_connected", "", connected);
	head(f, "serviceradar_addon_connects_total", "counter", "Connections made to the add-on's socket.");
	for_each(f, a, "serviceradar_addon_connects_total", "", connects);
	head(f, "serviceradar_addon_events_ingested_total", "counter", "Events taken from the add-on.");
	for_each(f, a, "serviceradar_addon_events_ingested_total", "", ingested);
	from_acks(f, a);
	programs(f, a);
}

char *metrics_text(const struct agent *a, size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	if (!f)
		return NULL;
	write_text(f, a);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- HTTP ---- */

static enum MHD_Result reply(struct MHD_Connection *c, unsigned status, const char *type, char *text, size_t size, bool ours)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(size, text, ours ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
	enum MHD_Result r = MHD_NO;

	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES)
		r = MHD_queue_response(c, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *c, const char *url, const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **context)
{
	static char not_found[] = "Not here: /metrics\n", not_allowed[] = "Only GET\n";
	size_t size = 0;
	char *text;

	(void)version;
	(void)upload;
	(void)context;
	*upload_size = 0;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", not_allowed, sizeof(not_allowed) - 1, true);
	if (strcmp(url, "/metrics") != 0)
		return reply(c, MHD_HTTP_NOT_FOUND, "text/plain", not_found, sizeof(not_found) - 1, true);
	text = metrics_text(userdata, &size);
	if (!text)
		return MHD_NO;
	return reply(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, size, false);
}

/* Runs what is due, and comes back when MHD wants to look for idle connections. */
static void turn(struct metrics *m)
{
	MHD_UNSIGNED_LONG_LONG ms;
	struct timespec now;

	(void)MHD_run(m->daemon);
	if (MHD_get_timeout(m->daemon, &ms) != MHD_YES) {
		(void)sd_event_source_set_enabled(m->timer, SD_EVENT_OFF);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_event_source_set_time(m->timer, (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + ms * 1000);
	(void)sd_event_source_set_enabled(m->timer, SD_EVENT_ONESHOT);
}

static int on_io(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	(void)s;
	(void)fd;
	(void)events;
	turn(userdata);
	return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	(void)s;
	(void)usec;
	turn(userdata);
	return 0;
}

#define ON_UNIX     "unix"
#define SOCKET_NAME "metrics.sock"

static void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	sd_event_source_disable_unref(m->io);
	sd_event_source_disable_unref(m->timer);
	if (m->daemon)
		MHD_stop_daemon(m->daemon);
	if (m->daemon && strcmp(m->listen, ON_UNIX) == 0) {
		_cleanup_close_ int dir = fs_open_dir(m->rootfd, AGENT_RUNTIME_DIR, false, NULL);

		(void)unlinkat(dir, SOCKET_NAME, 0);
	}
	free(m);
}

static int parse_address(const struct metrics *m, struct sockaddr_storage *out, unsigned *flags)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	*out = (struct sockaddr_storage){ 0 };
	if (inet_pton(AF_INET, m->listen, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)m->port);
		return 0;
	}
	if (inet_pton(AF_INET6, m->listen, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)m->port);
		*flags |= MHD_USE_IPv6;
		return 0;
	}
	return -EINVAL;
}

static int start(struct agent *a, struct metrics *m, struct error *err)
{
	unsigned flags = MHD_USE_EPOLL;
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	struct MHD_OptionItem where[] = { { MHD_OPTION_SOCK_ADDR, 0, &address }, { MHD_OPTION_END, 0, NULL } };
	const union MHD_DaemonInfo *info;

	if (strcmp(m->listen, ON_UNIX) == 0) {
		int fd = listen_unix(a->rootfd, SOCKET_NAME, 0117);

		if (fd < 0)
			return error_set(err, fd, "metrics: cannot listen on " AGENT_RUNTIME_DIR "/" SOCKET_NAME ": %s", strerror(-fd));
		where[0] = (struct MHD_OptionItem){ MHD_OPTION_LISTEN_SOCKET, fd, NULL }; /* the library's from here on */
	} else if (parse_address(m, &address, &flags) < 0) {
		return error_set(err, -EINVAL, "metrics: listen: \"%.45s\" is neither an IP address nor \"" ON_UNIX "\"", m->listen);
	}
	errno = 0;
	m->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, a, MHD_OPTION_ARRAY, where, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
	if (!m->daemon)
		return error_set(err, errno ? -errno : -EIO, "metrics: cannot listen on %s port %" PRId64 ": %s", m->listen, m->port,
				 errno ? strerror(errno) : "the HTTP library refused it");
	info = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || sd_event_add_io(a->event, &m->io, info->epoll_fd, EPOLLIN, on_io, m) < 0 ||
	    sd_event_add_time(a->event, &m->timer, CLOCK_MONOTONIC, 0, 100000, on_timer, m) < 0)
		return error_set(err, -ENOMEM, "metrics: out of memory");
	return 0;
}

int metrics_on(struct agent *a, struct json_object *config, struct error *err)
{
	struct metrics *m = calloc(1, sizeof(*m));
	struct json_object *v;
	int r;

	if (!m)
		return error_set(err, -ENOMEM, "metrics: out of memory");
	(void)snprintf(m->listen, sizeof(m->listen), "%s", json_object_object_get_ex(config, "listen", &v) ? json_object_get_string(v) : "");
	m->rootfd = a->rootfd;
	m->port = json_object_object_get_ex(config, "port", &v) ? json_object_get_int64(v) : 0;
	if (a->metrics && a->metrics->port == m->port && strcmp(a->metrics->listen, m->listen) == 0) {
		free(m);
		return 0;
	}
	r = start(a, m, err);
	if (r < 0) {
		metrics_free(m);
		return r;
	}
	metrics_free(a->metrics);
	a->metrics = m;
	log_event(LOG_LEVEL_INFO, "serving metrics", "address", m->listen, NULL);
	return 0;
}

void metrics_off(struct agent *a)
{
	metrics_free(a->metrics);
	a->metrics = NULL;
}
