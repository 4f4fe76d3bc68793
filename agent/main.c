/* SPDX-License-Identifier: Apache-2.0 */
/* serviceradar-agent: decides what should be active, asks agent-updater for it, takes in what add-ons send. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>

#include "agent/addon.h"
#include "agent/metrics.h"
#include "agent/watch.h"
#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/paths.h"

#define INTERVAL_MS   60000
#define INTERVAL_ENV  "SERVICERADAR_RECONCILE_MS" /* serviceradar-agent(8) */
#define DEBOUNCE_US   50000u
#define PROGRAM       "serviceradar-agent"

#define SYSTEMD         "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER SYSTEMD ".Manager"

/* Where a change matters at once. */
static const char *const watched[] = { SR_CONFIG_DIR, SR_ASSIGNMENTS, SR_PUSHED, SR_PACKAGED_ADDONS, SR_ADDONS, SR_KEYS_OPERATOR,
					SR_KEYS_VENDOR, SR_UNITS_RENDERED, SR_UNITS_PACKAGED, "/run/systemd/system" };
#define N_WATCHED (sizeof(watched) / sizeof(watched[0]))

static sd_event_source *scan_timer;
static struct watch watches[N_WATCHED];

/* Soon, and once for all that comes together. */
static void scan_soon(void)
{
	(void)sd_event_source_set_time(scan_timer, clock_us() + DEBOUNCE_US);
}

static int on_inotify(sd_event_source *s, const struct inotify_event *e, void *userdata)
{
	(void)s;
	(void)e;
	(void)userdata;
	scan_soon();
	return 0;
}

/* Units were enabled, disabled, masked, or read again: no signal of a unit itself says so. */
static int on_units_changed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	(void)m;
	(void)userdata;
	(void)e;
	scan_soon();
	return 0;
}

static void watch_manager(sd_bus *bus)
{
	static const char *const signals[] = { "UnitFilesChanged", "Reloading" };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sd_bus_match_signal_async(bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, signals[i], on_units_changed, NULL, NULL) < 0)
			log_warning("systemd's signal %s cannot be had; units are looked at once a minute", signals[i]);
	sd_bus_call_method_async(bus, NULL, SYSTEMD, SYSTEMD_PATH, SYSTEMD_MANAGER, "Subscribe", NULL, NULL, NULL);
}

static void connect_bus(struct agent *a)
{
	sd_bus *bus = NULL;

	if (a->bus && sd_bus_is_open(a->bus) > 0)
		return;
	for (struct addon *d = a->addons; a->bus && d; d = d->next) {
		d->call_slot = sd_bus_slot_unref(d->call_slot);
		units_release(d);
		d->facts.call_pending = false;
	}
	a->bus = sd_bus_flush_close_unref(a->bus);
	if (strcmp(a->root, "/") != 0 && !getenv("DBUS_SYSTEM_BUS_ADDRESS"))
		return;
	if (sd_bus_open_system(&bus) < 0 || sd_bus_attach_event(bus, a->event, 0) < 0) {
		sd_bus_unref(bus);
		log_warning("no system bus: add-ons can neither be started nor stopped");
		return;
	}
	watch_manager(bus);
	a->bus = bus;
}

/* A burst, such as a spool of many files, must not be what the agent weighs from then on. */
static void give_memory_back(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

static int on_scan(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct agent *a = userdata;
	unsigned active = 0, total = 0;

	(void)usec;
	sd_event_source_set_time(s, clock_us() + a->interval_us);
	sd_event_source_set_enabled(s, SD_EVENT_ON);
	connect_bus(a);
	for (size_t i = 0; i < N_WATCHED; i++)
		(void)watch_dir(&watches[i], a->event, a->rootfd, watched[i], on_inotify);
	agent_scan(a);
	for (struct addon *d = a->addons; d; d = d->next, total++) {
		char record[160];
		int fresh;

		/* A binary replaced or without its capabilities; what the updater writes when it has been called by others. */
		snprintf(record, sizeof(record), SR_ADDONS "/%s", d->id);
		fresh = watch_dir(&d->watches[0], a->event, a->rootfd, d->payload_dir, on_inotify);
		fresh += watch_dir(&d->watches[1], a->event, a->rootfd, d->active_dir, on_inotify);
		fresh += watch_dir(&d->watches[2], a->event, a->rootfd, record, on_inotify);
		if (fresh) /* it was read before it was watched */
			scan_soon();
		active += d->verdict.state == STATE_ACTIVE;
	}
	give_memory_back();
	sd_notifyf(0, "STATUS=%u of %u add-ons active", active, total);
	return 0;
}

/* How often everything is looked at, for tests that have no minutes; no setting for a host. */
static uint64_t interval_us(void)
{
	const char *s = getenv(INTERVAL_ENV);
	char *end = NULL;
	unsigned long ms = s ? strtoul(s, &end, 10) : INTERVAL_MS;

	if (s && (!*s || *end || ms < 100 || ms > 86400000)) {
		log_warning(INTERVAL_ENV "=%s: not a number of milliseconds from 100 to 86400000", s);
		ms = INTERVAL_MS;
	}
	return (uint64_t)ms * 1000;
}

/* What is wrong with the new one is said, and the one before stays in force. Add-ons are looked at anew; nothing is disconnected. */
static int on_reload(sd_event_source *s, const struct signalfd_siginfo *info, void *userdata)
{
	struct agent *a = userdata;
	struct agent_config config;
	struct error err = { .text = "" };

	(void)s;
	(void)info;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_us());
	if (agent_config_read(a->rootfd, NULL, &config, &err) < 0) {
		log_error("%s: the settings before stay in force", err.text);
		agent_config_free(&config);
	} else {
		agent_config_free(&a->config);
		a->config = config;
		log_setup(PROGRAM, a->log_format, a->config.log_level);
		log_info("settings read again");
		sinks_configure(a);
	}
	scan_soon();
	sd_notify(0, "READY=1");
	return 0;
}

static int run(struct agent *a)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD); /* for sd_event_add_child */
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (sd_event_default(&a->event) < 0 || sd_event_add_signal(a->event, NULL, SIGTERM, NULL, NULL) < 0 ||
	    sd_event_add_signal(a->event, NULL, SIGINT, NULL, NULL) < 0 ||
	    sd_event_add_signal(a->event, NULL, SIGHUP, on_reload, a) < 0 ||
	    sd_event_add_time(a->event, &scan_timer, CLOCK_MONOTONIC, clock_us() + a->interval_us, 100000, on_scan, a) < 0) {
		log_error("cannot set up the event loop");
		return 3;
	}
	sd_event_set_watchdog(a->event, true);
	a->flows = flows_new();
	a->recent = recent_new();
	a->control = control_new(a);
	if (!a->flows || !a->recent || !a->control)
		return 3;
	sinks_configure(a);
	on_scan(scan_timer, 0, a);
	sd_notify(0, "READY=1");
	log_info("serviceradar-agent " SR_VERSION " is ready");
	r = sd_event_loop(a->event);
	sd_notify(0, "STOPPING=1");
	control_free(a->control);
	a->control = NULL;
	metrics_off(a);
	for (struct addon *d = a->addons, *next; d; d = next) {
		next = d->next;
		a->addons = next;
		addon_free(d);
	}
	json_object_put(a->last_good);
	sinks_free(a);
	flows_free(a->flows);
	recent_free(a->recent);
	sd_event_source_unref(scan_timer);
	for (size_t i = 0; i < N_WATCHED; i++)
		watch_end(&watches[i]);
	agent_config_free(&a->config);
	sd_bus_flush_close_unref(a->bus);
	sd_event_unref(a->event);
	return r < 0 ? 3 : 0;
}

static void usage(FILE *f)
{
	fputs("usage: serviceradar-agent [--root DIR] [--sink file|journal|none] [--log-format text|json]\n"
	      "       serviceradar-agent [--root DIR] --check-config [FILE]\n\n"
	      "  --root DIR            take every path below DIR\n"
	      "  --sink KIND           where events go: file (" SR_EVENTS_FILE "), journal, none\n"
	      "  --log-format FORMAT   text or json\n"
	      "  --check-config        say whether FILE (" SR_AGENT_CONFIG ") is right, and end\n"
	      "  --version, --help\n\n"
	      "Exit status: 0 stopped on request, 1 wrong usage or settings, 3 could not start.\n"
	      "Manual: serviceradar-agent(8), serviceradar-agent.json(5)\n",
	      f);
}

struct options {
	enum sink_kind sink;
	bool check;
};

/* 0 to go on; else the exit status + 1. */
static int parse(int argc, char **argv, struct agent *a, struct options *o)
{
	static const struct option options[] = {
		{ "root", required_argument, NULL, 'r' },       { "sink", required_argument, NULL, 's' },
		{ "log-format", required_argument, NULL, 'l' }, { "check-config", no_argument, NULL, 'c' },
		{ "version", no_argument, NULL, 'V' },          { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if ((c == 's' && sink_kind_parse(optarg, &o->sink) == 0) || (c == 'l' && log_format_parse(optarg, &a->log_format) == 0))
			continue;
		switch (c) {
		case 'r':
			a->root = optarg;
			break;
		case 'c':
			o->check = true;
			break;
		case 'V':
			puts(PROGRAM " " SR_VERSION);
			return 1;
		case 'h':
			usage(stdout);
			return 1;
		default:
			if (c == 's' || c == 'l')
				fprintf(stderr, PROGRAM ": %s: not a value of this option\n", optarg);
			usage(stderr);
			return 2;
		}
	}
	if (argc - optind > o->check) {
		usage(stderr);
		return 2;
	}
	return 0;
}

static int check_config(const struct agent *a, const char *file)
{
	struct agent_config config;
	struct error err = { .text = "" };
	int r = agent_config_read(a->rootfd, file, &config, &err);

	agent_config_free(&config);
	if (r < 0)
		fprintf(stderr, PROGRAM ": %s\n", err.text);
	return r < 0;
}

int main(int argc, char **argv)
{
	struct options options = { .sink = SINK_FILE };
	struct agent a = { .root = "/", .log_format = LOG_FORMAT_TEXT };
	struct error err = { .text = "" };
	int r = parse(argc, argv, &a, &options);

	if (r > 0)
		return r - 1;
	log_setup(PROGRAM, a.log_format, LOG_LEVEL_INFO);
	a.rootfd = open(a.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a.rootfd < 0) {
		log_error("--root %s: %s", a.root, strerror(errno));
		return 1;
	}
	if (options.check)
		return check_config(&a, argv[optind]);
	if (agent_config_read(a.rootfd, NULL, &a.config, &err) < 0) {
		log_error("%s", err.text);
		return 1;
	}
	log_setup(PROGRAM, a.log_format, a.config.log_level);
	a.interval_us = interval_us();
	sinks_init(&a, options.sink);
	return run(&a);
}
