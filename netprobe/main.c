/* SPDX-License-Identifier: Apache-2.0 */
/* serviceradar-netprobe: which process owns which connection. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "netprobe/attribute.h"
#include "netprobe/budget.h"
#include "netprobe/config.h"
#include "netprobe/fingerprint/fingerprint.h"
#include "netprobe/hostcheck.h"
#include "netprobe/pins.h"
#include "netprobe/privilege.h"
#include "netprobe/read.h"
#include "netprobe/server.h"
#include "netprobe/socket.h"

#define DEFAULT_SOCKET "/run/serviceradar/netprobe/ipc.sock"

enum { EXIT_USAGE = 1, EXIT_FAILED = 3 };

struct options {
	const char *socket, *config, *read, *pins;
	const char *fingerprint_dbs[P0F_FILES_MAX + 1];
	enum tap_kind tap;
	unsigned cpu_percent;
	enum log_format log_format;
	bool check, json, debug;
};

static void usage(FILE *out)
{
	fputs("Usage: serviceradar-netprobe [OPTION]...\n"
	      "Watch which process owns which connection, and tell the agent.\n\n"
	      "  --socket PATH         serve this Unix socket (default " DEFAULT_SOCKET ";\n"
	      "                        a socket that systemd passes comes first)\n"
	      "  --config FILE         start with this configuration (JSON)\n"
	      "  --log-format FORMAT   text (default) or json\n"
	      "  --debug               log more\n"
	      "  --check               say what this host can do, and why not; exit 0 if all of it\n"
	      "  --read FILE           analyse a pcap or pcapng file and print what would be sent;\n"
	      "                        \"-\" is standard input\n"
	      "  --json                with --check: as a JSON object; with --read: one a line\n"
	      "  --tap KIND            auto (default), tracepoint or socket\n"
	      "  --without HOOK        leave a kernel program out, by a name that --check prints; may be\n"
	      "                        repeated\n"
	      "  --pin-dir DIR         keep kernel programs and maps over a restart in this directory of a\n"
	      "                        BPF file system (default " PINS_DEFAULT ")\n"
	      "  --cpu-percent N       above this, of one CPU, look at fewer packets of each flow\n"
	      "  --fingerprint-db FILE p0f signatures; may be repeated\n"
	      "                        (default " P0F_DEFAULT_PATH ")\n"
	      "  --version, --help\n\n"
	      "Exit status: 0 stopped on request, 1 wrong usage, 3 could not start, or read on.\n"
	      "Manual: serviceradar-netprobe(8)\n",
	      out);
}

static int add_database(struct options *o, const char *path)
{
	for (size_t i = 0; i < P0F_FILES_MAX; i++)
		if (!o->fingerprint_dbs[i]) {
			o->fingerprint_dbs[i] = path;
			return 0;
		}
	fprintf(stderr, "serviceradar-netprobe: --fingerprint-db: more than %u files\n", P0F_FILES_MAX);
	return -EINVAL;
}

static int read_file(const struct options *o)
{
	const struct read_options r = { .file = o->read, .config = o->config, .fingerprint_dbs = o->fingerprint_dbs, .json = o->json };
	struct error err = { .text = "" };

	if (read_capture(&r, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_SUCCESS;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "socket", required_argument, NULL, 's' }, { "config", required_argument, NULL, 'c' },
		{ "log-format", required_argument, NULL, 'l' }, { "check", no_argument, NULL, 'k' },
		{ "read", required_argument, NULL, 'r' }, { "fingerprint-db", required_argument, NULL, 'f' },
		{ "tap", required_argument, NULL, 't' }, { "cpu-percent", required_argument, NULL, 'p' },
		{ "without", required_argument, NULL, 'w' }, { "pin-dir", required_argument, NULL, 'i' }, { "json", no_argument, NULL, 'j' }, { "debug", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 's':
			o->socket = optarg;
			break;
		case 'c':
			o->config = optarg;
			break;
		case 'l':
			if (log_format_parse(optarg, &o->log_format) < 0) {
				fprintf(stderr, "serviceradar-netprobe: --log-format: \"%s\" is neither text nor json\n", optarg);
				return -EINVAL;
			}
			break;
		case 'k':
			o->check = true;
			break;
		case 't':
			if (tap_kind_parse(optarg, &o->tap) < 0) {
				fprintf(stderr, "serviceradar-netprobe: --tap: \"%s\" is none of auto, tracepoint, socket\n", optarg);
				return -EINVAL;
			}
			break;
		case 'w':
			if (attribution_leave_out(optarg) < 0) {
				fprintf(stderr, "serviceradar-netprobe: --without: there is no program \"%s\": --check lists them\n", optarg);
				return -EINVAL;
			}
			break;
		case 'p':
			if (sscanf(optarg, "%u", &o->cpu_percent) != 1 || o->cpu_percent < 1 || o->cpu_percent > 100) {
				fprintf(stderr, "serviceradar-netprobe: --cpu-percent: \"%s\" is not 1 to 100\n", optarg);
				return -EINVAL;
			}
			break;
		case 'i':
			o->pins = optarg;
			break;
		case 'r':
			o->read = optarg;
			break;
		case 'f':
			if (add_database(o, optarg) < 0)
				return -EINVAL;
			break;
		case 'j':
			o->json = true;
			break;
		case 'd':
			o->debug = true;
			break;
		case 'V':
			puts("serviceradar-netprobe " SR_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			fputs("Try: serviceradar-netprobe --help\n", stderr);
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "serviceradar-netprobe: \"%s\": no arguments are expected\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	(void)info;
	(void)userdata;
	(void)sd_notify(0, "STOPPING=1");
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int prepare_loop(sd_event **event, struct error *err)
{
	sigset_t stop;
	int r;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	r = sd_event_default(event);
	if (r >= 0 && !*event)
		r = -ENOMEM;
	if (r >= 0)
		r = sd_event_add_signal(*event, NULL, SIGTERM, on_stop, NULL);
	if (r >= 0)
		r = sd_event_add_signal(*event, NULL, SIGINT, on_stop, NULL);
	if (r >= 0)
		r = sd_event_set_watchdog(*event, true);
	return r < 0 ? error_set(err, r, "cannot make the event loop: %s", strerror(-r)) : 0;
}

static struct server *server; /* where events of the kernel go, once there is one */

/* The kernel side, or NULL with the reason: without it the socket is served all the same. */
static struct attribution *start_attribution(const char *pins, struct error *why)
{
	struct attribution *a = NULL;
	struct error no_pins = { .text = "" };
	const char *name, *state;

	if (pins_usable(pins, &no_pins) < 0) {
		log_event(LOG_LEVEL_INFO, "a restart begins anew", "reason", no_pins.text, NULL);
		pins = NULL;
	}
	if (hostcheck(why) < 0 || attribution_open(&a, pins, server_event, &server, why) < 0) {
		log_event(LOG_LEVEL_WARNING, "attribution is not available", "reason", why->text, NULL);
		return NULL;
	}
	for (unsigned i = 0; attribution_program(a, i, &name, &state); i++)
		log_event(LOG_LEVEL_INFO, "program", "hook", name, "state", state, NULL);
	return a;
}

static int run(const struct options *o, struct error *err)
{
	const struct observe_options watching = { .tap = o->tap, .cpu_percent = o->cpu_percent, .fingerprint_dbs = o->fingerprint_dbs,
					     .pins = pins_usable(o->pins, NULL) == 0 ? o->pins : NULL };
	struct observe *observe;
	static struct error why;
	struct attribution *attribution;
	VisibilityConfig *config = NULL;
	sd_event *event = NULL;
	bool own_socket;
	int fd, r;

	r = privilege_reduce(err);
	if (r == 0 && o->config)
		r = config_read(o->config, &config, err);
	if (r == 0)
		r = prepare_loop(&event, err);
	if (r < 0)
		return r;
	fd = socket_listen(o->socket, &own_socket, err);
	if (fd < 0)
		return fd;
	attribution = start_attribution(o->pins, &why);
	r = observe_open(&observe, event, &watching, err);
	if (r < 0)
		return r;
	malloc_trim(0); /* loading needs the kernel's type information once: some MiB */
	r = server_new(&server, event, fd, attribution, why.text, config);
	if (r < 0)
		return error_set(err, r, "cannot serve: %s", strerror(-r));
	server_observe(server, observe);
	r = privilege_lock(err);
	if (r == 0) {
		(void)sd_notifyf(0, "READY=1\nSTATUS=%s", attribution ? "Attributing connections" : why.text);
		log_event(LOG_LEVEL_INFO, "serving", "version", SR_VERSION, NULL);
		r = sd_event_loop(event);
	}
	server_free(server);
	server = NULL;
	observe_close(observe);
	attribution_close(attribution);
	if (own_socket && o->socket)
		(void)unlink(o->socket);
	sd_event_unref(event);
	return r;
}

int main(int argc, char **argv)
{
	struct options o = { .socket = DEFAULT_SOCKET, .pins = PINS_DEFAULT, .cpu_percent = BUDGET_PERCENT };
	struct error err = { .text = "" };

	if (parse(argc, argv, &o) < 0)
		return EXIT_USAGE;
	/* Loading programs takes the kernel's type information, some MiB, several times: in memory that goes back to the system. */
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	log_setup("serviceradar-netprobe", o.log_format, o.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	if (o.check)
		return hostcheck_print(o.json) ? EXIT_SUCCESS : EXIT_FAILED;
	if (o.read)
		return read_file(&o);
	if (run(&o, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILED;
	}
	return EXIT_SUCCESS;
}
