/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/observe.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>

#include "lib/log.h"
#include "netprobe/fdstore.h"
#include "netprobe/hostcheck.h"
#include "netprobe/link.h"
#include "netprobe/observe_state.h"
#include "netprobe/privilege.h"

#define TICK_USEC     50000u   /* the ring buffer is looked at this often: packets do not wake us … */
#define IDLE_USEC     200000u  /* … and this often when nothing happened for a second */
#define BUSY_USEC     1000000u
#define WALK_USEC     1000000u /* flows are looked at this often, or as seldom as makes it a fiftieth of the time */
#define WALK_MAX_USEC 10000000u
#define STEP_USEC     1000000u
#define REFRESH_USEC  10000000u
#define FLOWS_MAX     (1u << 20) /* in user space */

static uint64_t now_usec(const struct observe *o)
{
	uint64_t now = 0;

	(void)sd_event_now(o->event, CLOCK_MONOTONIC, &now);
	return now;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* ---- out of the analysis ---- */

static void on_dpi(void *userdata, const DpiEvent *event)
{
	outbox_push(((struct observe *)userdata)->outbox, OUTBOX_DPI, &event->base);
}

static void on_fingerprint(void *userdata, const FingerprintEvent *event)
{
	outbox_push(((struct observe *)userdata)->outbox, OUTBOX_FINGERPRINT, &event->base);
}

static void on_record(void *userdata, const FlowRecord *record)
{
	outbox_push(((struct observe *)userdata)->outbox, OUTBOX_RECORD, &record->base);
}

#define NOTE_LOOKED 128u

/* What a flow was found to be, for the daemon after this one: the protocol, as far as it may be told, whether it was looked for, and
 * confidence in percent. */
static uint16_t note_of(const struct flow *f)
{
	unsigned protocol = f->off & PROTOCOL_BIT(f->protocol) ? PROTOCOL_UNKNOWN : f->protocol;

	return (uint16_t)(protocol << 8 | (f->state == CLASSIFY_GOING ? 0 : NOTE_LOOKED) | (unsigned)(f->confidence * 100.0f + 0.5f));
}

static void read_note(const struct tap_flow *tf, struct flow *f)
{
	if (tf->state == FLOW_CLASSIFYING)
		return;
	f->settled = true;
	f->protocol = (uint8_t)(tf->note >> 8);
	f->confidence = (float)(tf->note & (NOTE_LOOKED - 1)) / 100.0f;
	if (tf->note & NOTE_LOOKED)
		f->state = tf->state == FLOW_CLASSIFIED ? CLASSIFY_DONE : CLASSIFY_UNKNOWN;
}

static void on_settled(void *userdata, const struct flow *f)
{
	struct observe *o = userdata;

	tap_flow_state(o->tap, f->id, f->state == CLASSIFY_DONE ? FLOW_CLASSIFIED : FLOW_UNKNOWN, note_of(f));
}

static void on_told(void *userdata, const struct flow *f, enum flow_end why)
{
	struct observe *o = userdata;
	const struct tap_told told = { .packets = { f->side[0].packets, f->side[1].packets },
				       .bytes = { f->side[0].bytes, f->side[1].bytes },
				       .last_ns = (uint64_t)(f->last_ns - o->clock_offset) };

	if (why == FLOW_GOES_ON)
		(void)tap_flow_told(o->tap, f->id, &told);
	else if (f->reported[0].packets + f->reported[1].packets > 0)
		(void)tap_flow_told(o->tap, f->id, NULL);
}

static const char *interface_name(void *userdata, uint32_t interface)
{
	const char *name = tap_interface_name(((struct observe *)userdata)->tap, interface);

	return name ? name : "";
}

/* ---- into it ---- */

static void on_packet(const struct tap_packet *tp, void *userdata)
{
	struct observe *o = userdata;
	struct packet p = { .time_ns = tp->time_ns + o->clock_offset, .interface = tp->key->ifindex };
	const struct flow_hint hint = { .key = tp->key, .id = tp->flow, .sender = tp->direction };
	enum packet_result result = packet_parse(&p, LINKTYPE_RAW, tp->ip, tp->ip_bytes);

	p.wire_bytes = tp->wire_bytes;
	analysis_packet(o->analysis, &p, result, &hint);
}

/* Whether a flow is over: by what TCP said a while ago, or because nothing comes any more. */
static bool is_over(const struct flow *f, int64_t now_ns)
{
	int64_t idle = now_ns - f->last_ns;
	unsigned any = f->side[0].tcp_flags | f->side[1].tcp_flags, both = f->side[0].tcp_flags & f->side[1].tcp_flags;

	if (f->key.protocol != IPPROTO_TCP)
		return idle > FLOW_NS_OTHER;
	return idle > ((any & PACKET_RST) || (both & PACKET_FIN) ? FLOW_NS_CLOSING : FLOW_NS_TCP);
}

static enum flow_end end_of(const struct flow *f)
{
	unsigned any = f->side[0].tcp_flags | f->side[1].tcp_flags, both = f->side[0].tcp_flags & f->side[1].tcp_flags;

	return any & PACKET_RST ? FLOW_END_RST : both & PACKET_FIN ? FLOW_END_FIN : FLOW_END_IDLE;
}

static enum tap_answer on_flow(const struct tap_flow *tf, enum tap_why why, void *userdata)
{
	struct observe *o = userdata;
	struct flow counted = { .key = tf->key, .id = tf->id, .began = tf->initiator,
				.first_ns = tf->first_ns + o->clock_offset, .last_ns = tf->last_ns + o->clock_offset };

	read_note(tf, &counted);
	counted.reported_ns = tf->told ? (int64_t)tf->told->last_ns + o->clock_offset : counted.first_ns;
	for (int i = 0; i < 2 && tf->told; i++)
		counted.reported[i] = (struct flow_side){ .packets = tf->told->packets[i], .bytes = tf->told->bytes[i] };
	for (int i = 0; i < 2; i++)
		counted.side[i] = (struct flow_side){ .packets = tf->packets[i], .bytes = tf->bytes[i], .tcp_flags = tf->tcp_flags[i] };
	(void)analysis_flow(o->analysis, &counted);
	if (why == TAP_FLOW_SEEN)
		return is_over(&counted, o->now_ns) ? TAP_END : TAP_KEEP;
	analysis_flow_end(o->analysis, &tf->key, tf->id, why == TAP_FLOW_REMOVED ? FLOW_END_INTERFACE : end_of(&counted));
	return TAP_KEEP;
}

static void set_clock(struct observe *o)
{
	o->now_ns = clock_ns(CLOCK_REALTIME);
	o->clock_offset = o->now_ns - clock_ns(CLOCK_MONOTONIC);
}

static void drain(struct observe *o)
{
	set_clock(o);
	if (tap_drain(o->tap) > 0)
		o->busy_until = now_usec(o) + BUSY_USEC;
	analysis_tick(o->analysis, o->now_ns);
}

/* Kernels before 5.19 want CAP_BPF for each look at a map: found out at the first try. */
static void walk(struct observe *o)
{
	int r = -EPERM;

	set_clock(o);
	if (!o->raise_to_walk)
		r = tap_flows_walk(o->tap, on_flow, o);
	if (r == -EPERM) {
		o->raise_to_walk = true;
		if (privilege_raise(NULL) == 0)
			r = tap_flows_walk(o->tap, on_flow, o);
		privilege_lower();
	}
	if (r >= 0)
		analysis_round(o->analysis);
}

/* ---- timers ---- */

static void step_budget(struct observe *o)
{
	char packets[16];

	if (!budget_step(&o->budget, clock_ns(CLOCK_PROCESS_CPUTIME_ID), clock_ns(CLOCK_MONOTONIC)))
		return;
	tap_set_budget(o->tap, o->budget.packets);
	analysis_set_budget(o->analysis, o->budget.packets);
	(void)snprintf(packets, sizeof(packets), "%u", o->budget.packets);
	log_event(LOG_LEVEL_INFO, "packets looked at for each flow", "packets", packets, NULL);
}

static void refresh_databases(struct observe *o)
{
	struct error err = { .text = "" };
	int r = p0f_store_refresh(o->p0f, &err);

	if (r < 0)
		log_event(LOG_LEVEL_WARNING, "fingerprints not read, the ones before stay in use", "reason", err.text, NULL);
	else if (r > 0)
		log_event(LOG_LEVEL_INFO, "fingerprints read anew", "revision", p0f_db_revision(p0f_store_db(o->p0f)), NULL);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct observe *o = userdata;
	uint64_t now = now_usec(o);

	(void)usec;
	if (o->tap) {
		drain(o);
		if (now >= o->step_at) {
			o->step_at = now + STEP_USEC;
			step_budget(o);
		}
		if (now >= o->walk_at) {
			int64_t begin = clock_ns(CLOCK_MONOTONIC), took;

			walk(o);
			took = (clock_ns(CLOCK_MONOTONIC) - begin) / 1000 * 50;
			o->walk_at = now + (took < WALK_USEC ? WALK_USEC : took > WALK_MAX_USEC ? WALK_MAX_USEC : (uint64_t)took);
		}
		if (now >= o->refresh_at) {
			o->refresh_at = now + REFRESH_USEC;
			refresh_databases(o);
		}
	}
	(void)sd_event_source_set_time(source, now + (now < o->busy_until ? TICK_USEC : IDLE_USEC));
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_ring(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	(void)source;
	(void)fd;
	(void)revents;
	drain(userdata);
	return 0;
}

/* ---- the tap ---- */

static void close_tap(struct observe *o)
{
	o->ring_source = sd_event_source_disable_unref(o->ring_source);
	for (unsigned i = 0; i < OUTBOX_CLASSES && o->outbox; i++)
		(void)outbox_account(o->outbox, i, NULL);
	tap_close(o->tap);
	o->tap = NULL;
}

/* Flows of the daemon before: known before their next packet comes. */
static void take_up(struct observe *o)
{
	struct tap_account *account = tap_account(o->tap);
	char interfaces[24], flows[24], gone[24];
	uint64_t lost[OUTBOX_CLASSES];

	for (unsigned i = 0; i < OUTBOX_CLASSES; i++)
		lost[i] = outbox_account(o->outbox, i, &account->messages[i]);
	if (!tap_taken_up(o->tap))
		return;
	walk(o);
	(void)snprintf(interfaces, sizeof(interfaces), "%zu", tap_interfaces(o->tap));
	(void)snprintf(flows, sizeof(flows), "%" PRIu64, tap_totals(o->tap).present);
	(void)snprintf(gone, sizeof(gone), "%" PRIu64, lost[OUTBOX_RECORD]);
	log_event(LOG_LEVEL_INFO, "flows taken up from the daemon before", "interfaces", interfaces, "flows", flows, "records_gone_with_it",
		  gone, NULL);
}

/* Without one the reason is kept. */
static int open_tap(struct observe *o, uint32_t entries)
{
	const struct tap_options options = { .kind = o->options->tap, .max_entries = entries, .budget = o->budget.packets,
					     .packet = on_packet, .flow = on_flow, .userdata = o, .pins = o->options->pins };
	int r = o->usable ? tap_open(&o->tap, &options, &o->unavailable) : -ENOTSUP;

	o->entries = r < 0 ? entries : tap_max_entries(o->tap);
	if (r < 0) {
		log_event(LOG_LEVEL_WARNING, "flows are not available", "reason", o->unavailable.text, NULL);
		return 0;
	}
	(void)malloc_trim(0); /* loading needs the kernel's type information once: some MiB */
	log_event(LOG_LEVEL_INFO, "tap", "kind", tap_kind_name(tap_kind(o->tap)), NULL);
	r = sd_event_add_io(o->event, &o->ring_source, tap_fd(o->tap), EPOLLIN, on_ring, o);
	if (r < 0) {
		close_tap(o);
		return r;
	}
	take_up(o);
	return 0;
}

static int make_analysis(struct observe *o)
{
	struct analysis_options options = { .flows_max = FLOWS_MAX, .kernel_counts = true, .p0f = o->p0f };
	const struct analysis_sink sink = { .dpi = on_dpi, .fingerprint = on_fingerprint, .record = on_record,
					    .settled = on_settled, .told = on_told, .interface_name = interface_name, .userdata = o };

	if (getrandom(&options.seed, sizeof(options.seed), 0) != sizeof(options.seed))
		return -errno;
	return analysis_new(&o->analysis, &options, &sink);
}

int observe_open(struct observe **out, sd_event *event, const struct observe_options *options, struct error *err)
{
	struct observe *o = calloc(1, sizeof(*o));
	int r;

	*out = NULL;
	if (!o)
		return error_set(err, -ENOMEM, "out of memory");
	o->event = sd_event_ref(event);
	o->options = options;
	o->usable = hostcheck(&o->unavailable) == 0;
	if (o->usable)
		(void)error_set(&o->unavailable, 0, "no interface is in capture_interfaces");
	budget_begin(&o->budget, CLASSIFY_PACKETS, options->cpu_percent, clock_ns(CLOCK_PROCESS_CPUTIME_ID), clock_ns(CLOCK_MONOTONIC));
	r = fingerprint_prepare(err);
	if (r == 0)
		r = p0f_store_new(options->fingerprint_dbs, &o->p0f, err);
	if (r == 0 && (r = outbox_new(&o->outbox)) == 0 && (r = make_analysis(o)) == 0)
		r = sd_event_add_time_relative(event, &o->tick_source, CLOCK_MONOTONIC, TICK_USEC, 5000, on_tick, o);
	if (r < 0) {
		observe_close(o);
		return err && *err->text ? r : error_set(err, r, "cannot analyse packets: %s", strerror(-r));
	}
	*out = o;
	return 0;
}

void observe_close(struct observe *o)
{
	if (!o)
		return;
	sd_event_source_disable_unref(o->tick_source);
	close_tap(o);
	analysis_free(o->analysis);
	outbox_free(o->outbox);
	p0f_store_free(o->p0f);
	sd_event_unref(o->event);
	free(o);
}

/* ---- config ---- */

/* The table's size is the tap's from its beginning: another size is another tap. */
static int set_tap(struct observe *o, const VisibilityConfig *config, struct error *err)
{
	size_t n = config->enabled ? config->n_capture_interfaces : 0;
	const char *const *names = (const char *const *)config->capture_interfaces;

	int r = 0;

	if (!o->looked) {
		if (tap_is_pinned(o->options->pins))
			r = open_tap(o, config->flow_table_max_entries);
		fdstore_drop_rest();
		o->looked = true;
	}
	if (o->tap && config->flow_table_max_entries != o->entries) {
		r = tap_set_interfaces(o->tap, NULL, 0, err);
		if (r < 0)
			return r;
		close_tap(o);
	}
	if (r == 0 && !o->tap && n) /* not before it is needed: its programs take a third of a second of the kernel's verifier */
		r = open_tap(o, config->flow_table_max_entries);
	if (r < 0)
		return error_set(err, r, "cannot open the tap: %s", strerror(-r));
	return o->tap ? tap_set_interfaces(o->tap, names, n, err) : 0;
}

int observe_apply(struct observe *o, const VisibilityConfig *config, struct error *err)
{
	int r;

	set_clock(o);
	if (o->tap)
		(void)tap_drain(o->tap); /* by the config that was in force */
	r = analysis_configure(o->analysis, config);
	if (r < 0)
		return error_set(err, r, "out of memory");
	r = privilege_raise(err);
	if (r == 0)
		r = set_tap(o, config, err);
	privilege_lower();
	if (r < 0)
		(void)analysis_configure(o->analysis, o->config);
	else
		o->config = config;
	return r;
}

int observe_send(struct observe *o, struct client *c)
{
	return outbox_send(o->outbox, c);
}

void observe_disconnected(struct observe *o)
{
	outbox_disconnected(o->outbox);
}
