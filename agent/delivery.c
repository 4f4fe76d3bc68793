/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle's way to this host: fetched by a child, so that what a network sends is parsed in a process of its own, and handed to
 * the updater by descriptor. Nothing here trusts it; the updater verifies. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "agent/addon.h"
#include "agent/config.h"
#include "agent/spawn.h"
#include "lib/fs.h"
#include "lib/log.h"
#include "lib/minisign.h"
#include "lib/paths.h"

enum { EXIT_REFUSED = 2 };

struct fetch {
	struct addon *addon;
	sd_event_source *source;
	pid_t pid;
	int errors;     /* what the child says */
	bool signature; /* the signature is fetched first */
	int progress;   /* how far the child is, by its own word */
	sd_event_source *progress_source;
	uint64_t bytes, total;
};

static void name_of(const struct addon *d, bool signature, char name[96])
{
	snprintf(name, 96, "%s.tar.gz%s", d->id, signature ? ".minisig" : "");
}

static void add(const char **argv, size_t *n, const char *option, const char *value)
{
	if (!value)
		return;
	argv[(*n)++] = option;
	argv[(*n)++] = value;
}

static int start(struct fetch *f);

static void finish(struct fetch *f, enum updater_result result, const char *why)
{
	struct addon *d = f->addon;

	delivery_cancel(d);
	addon_done(d, result, why);
}

static int on_exit_of_child(sd_event_source *s, const siginfo_t *si, void *userdata)
{
	struct fetch *f = userdata;
	struct addon *d = f->addon;
	char why[512] = "";
	ssize_t n = read(f->errors, why, sizeof(why) - 1);

	f->pid = 0;
	sd_event_source_set_enabled(s, SD_EVENT_OFF);
	why[n > 0 ? n : 0] = '\0';
	why[strcspn(why, "\n")] = '\0';
	if (si->si_code == CLD_EXITED && si->si_status == 0) {
		if (!f->signature) {
			snprintf(d->fetched_sha256, sizeof(d->fetched_sha256), "%s", d->artifact_sha256);
			finish(f, UPDATER_OK, "");
			return 0;
		}
		f->signature = false;
		if (start(f) == 0)
			return 0;
		snprintf(why, sizeof(why), "%s: cannot be started", SR_FETCH);
	}
	finish(f, si->si_code == CLD_EXITED && si->si_status == EXIT_REFUSED ? UPDATER_REFUSED : UPDATER_UNAVAILABLE,
	       *why ? why : "the download was broken off");
	return 0;
}

/* One line a read: what was written at once stays together (pipe(7), O_DIRECT). */
static int on_progress(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct fetch *f = userdata;
	unsigned long long bytes, total;
	char line[64];
	ssize_t n = read(fd, line, sizeof(line) - 1);

	(void)events;
	if (n <= 0)
		return sd_event_source_set_enabled(s, SD_EVENT_OFF);
	line[n] = '\0';
	if (sscanf(line, "%llu %llu", &bytes, &total) != 2)
		return 0;
	f->bytes = bytes;
	f->total = total;
	status_write(f->addon);
	return 0;
}

bool delivery_progress(const struct addon *d, uint64_t *bytes, uint64_t *total)
{
	const struct fetch *f = d->fetch;

	if (!f || f->signature)
		return false;
	*bytes = f->bytes;
	*total = f->total;
	return true;
}

/* The end that the child writes to, or a negative errno. */
static int hear_progress(struct fetch *f)
{
	_cleanup_close_ int writing = -1;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK | O_DIRECT) < 0)
		return -errno;
	f->progress = fds[0];
	writing = fds[1];
	r = sd_event_add_io(f->addon->agent->event, &f->progress_source, f->progress, EPOLLIN, on_progress, f);
	return r < 0 ? r : steal_fd(&writing);
}

static int start(struct fetch *f)
{
	struct addon *d = f->addon;
	const struct agent_config *c = &d->agent->config;
	_cleanup_free_ char *beside = NULL, *bundles = NULL;
	_cleanup_close_ int writing = -1, progress = -1;
	const char *argv[24];
	char name[96];
	size_t n = 0;
	int fds[2], r;

	if (asprintf(&beside, "%s.minisig", d->artifact_url) < 0 || asprintf(&bundles, "%s" SR_BUNDLES, d->agent->root) < 0)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	if (f->errors >= 0)
		close(f->errors);
	f->errors = fds[0];
	writing = fds[1];
	name_of(d, f->signature, name);
	argv[n++] = SR_FETCH;
	add(argv, &n, "--dir", bundles);
	add(argv, &n, "--name", name);
	add(argv, &n, "--sha256", f->signature ? NULL : d->artifact_sha256);
	add(argv, &n, "--max-bytes", f->signature ? "4096" : "67108864");
	add(argv, &n, "--ca-file", c->ca_file);
	add(argv, &n, "--client-cert", c->client_cert);
	add(argv, &n, "--client-key", c->client_key);
	if (c->allow_http)
		argv[n++] = "--allow-http";
	if (!f->signature) {
		progress = hear_progress(f);
		if (progress < 0)
			return progress;
		argv[n++] = "--progress";
	}
	argv[n++] = "--";
	argv[n++] = !f->signature ? d->artifact_url : d->signature_url ? d->signature_url : beside;
	argv[n] = NULL;
	r = spawn_child(argv, -1, progress, writing, &f->pid);
	if (r < 0)
		return r;
	f->source = sd_event_source_unref(f->source);
	return sd_event_add_child(d->agent->event, &f->source, f->pid, WEXITED, on_exit_of_child, f);
}

int delivery_fetch(struct addon *d)
{
	_cleanup_close_ int state = fs_open_dir(d->agent->rootfd, SR_AGENT_STATE, false, NULL);
	struct fetch *f;
	int r;

	delivery_cancel(d);
	if (state < 0)
		return state;
	if (mkdirat(state, "bundles", 0700) < 0 && errno != EEXIST)
		return -errno;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	*f = (struct fetch){ .addon = d, .errors = -1, .progress = -1, .signature = true };
	d->fetch = f;
	r = start(f);
	if (r < 0)
		delivery_cancel(d);
	return r;
}

int delivery_stage(struct addon *d, sd_bus_message_handler_t done)
{
	_cleanup_close_ int dir = fs_open_dir(d->agent->rootfd, SR_BUNDLES, false, NULL), bundle = -1;
	_cleanup_free_ char *signature = NULL;
	char name[96];
	size_t size;
	int r;

	d->fetched_sha256[0] = '\0'; /* looked at again before the next time */
	if (dir < 0)
		return dir;
	name_of(d, true, name);
	r = fs_read_file(dir, name, MINISIGN_MAX_BYTES, &signature, &size, NULL);
	if (r < 0)
		return r;
	if (!signature || strlen(signature) != size)
		return -EBADMSG;
	name_of(d, false, name);
	bundle = fs_open_file(dir, name, name, NULL);
	return bundle < 0 ? bundle : updater_stage(d->agent->bus, bundle, signature, &d->call_slot, done, d);
}

void delivery_cancel(struct addon *d)
{
	struct fetch *f = d->fetch;

	if (!f)
		return;
	d->fetch = NULL;
	sd_event_source_unref(f->source);
	if (f->pid > 0) {
		(void)kill(f->pid, SIGTERM);
		(void)waitpid(f->pid, NULL, 0);
	}
	if (f->errors >= 0)
		close(f->errors);
	sd_event_source_unref(f->progress_source);
	if (f->progress >= 0)
		close(f->progress);
	free(f);
}

void delivery_forget(struct addon *d)
{
	_cleanup_close_ int dir = fs_open_dir(d->agent->rootfd, SR_BUNDLES, false, NULL);
	char name[96];

	if (d->fetch) { /* nobody waits for its end */
		delivery_cancel(d);
		d->facts.call_pending = false;
	}
	d->fetched_sha256[0] = '\0';
	for (int signature = 0; dir >= 0 && signature < 2; signature++) {
		name_of(d, signature, name);
		(void)unlinkat(dir, name, 0);
	}
}
