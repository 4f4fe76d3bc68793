/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: an entry with fields for each attribution event, and one with the event's JSON for each of another kind. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "agent/forward/event.h"
#include "agent/forward/forward.h"
#include "agent/np.h"
#include "agent/stream.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define BATCH_BYTES    65536u
#define FIELDS         20
#define PATIENCE_MS    1000

struct journal {
	FILE *out;    /* into batch: of each entry its fields, each ended by a NUL, and one NUL more */
	char *batch;
	size_t size;
	int fd;       /* connected, to ask whether the journal has room */
};

static void field(struct journal *j, const char *name, const char *value)
{
	if (value && *value)
		fprintf(j->out, "%s=%s%c", name, value, '\0');
}

static void number(struct journal *j, const char *name, int64_t value)
{
	fprintf(j->out, "%s=%" PRId64 "%c", name, value, '\0');
}

static void attribution(struct journal *j, const NpFlowEvent *e)
{
	fprintf(j->out, "MESSAGE=%s[%u] %s %s:%u %s:%u%c", e->comm, e->pid, e->transport_protocol, e->local_ip, e->local_port, e->remote_ip,
		e->remote_port, '\0');
	number(j, "SR_EVENT_KIND", e->event_kind);
	field(j, "SR_COMM", e->comm);
	number(j, "SR_PID", e->pid);
	number(j, "SR_UID", e->uid);
	number(j, "SR_GID", e->gid);
	field(j, "SR_PROTOCOL", e->transport_protocol);
	field(j, "SR_LOCAL_IP", e->local_ip);
	number(j, "SR_LOCAL_PORT", e->local_port);
	field(j, "SR_REMOTE_IP", e->remote_ip);
	number(j, "SR_REMOTE_PORT", e->remote_port);
	field(j, "SR_CONTAINER_ID", e->container_id);
	number(j, "SR_OBSERVED_AT_UNIX_NANO", e->observed_at_unix_nano);
}

static int other(struct journal *j, const struct diskqueue_record *record)
{
	struct event e;
	const char *text;
	size_t length;
	int r = event_decode(record, &e);

	if (r < 0)
		return r;
	text = event_text(&e, &length);
	field(j, "MESSAGE", text);
	event_free(&e);
	return text ? 0 : -ENOMEM;
}

static int journal_add(void *self, const struct diskqueue_record *record)
{
	struct journal *j = self;
	NpFlowEvent *e = NULL;
	int r = 0;

	if (record->type == STREAM_FLOW_ATTRIBUTION) {
		e = np_flow_event_unpack(NULL, record->size, record->bytes);
		if (!e)
			return -EBADMSG;
		attribution(j, e);
		np_flow_event_free(e, NULL);
	} else {
		r = other(j, record);
	}
	if (r < 0)
		return r;
	field(j, "SYSLOG_IDENTIFIER", "serviceradar-agent");
	number(j, "PRIORITY", 6);
	field(j, "SR_TYPE", stream_name(record->type));
	fputc('\0', j->out);
	if (fflush(j->out) != 0)
		return -ENOMEM;
	return j->size >= BATCH_BYTES;
}

/* sd_journal_sendv(3) waits as long as a journal that stands still, and is content without one. */
static int wait_for_room(const struct journal *j, struct error *err)
{
	struct pollfd p = { .fd = j->fd, .events = POLLOUT };
	int n = poll(&p, 1, PATIENCE_MS);

	if (n < 0)
		return error_set(err, -errno, JOURNAL_SOCKET ": %s", strerror(errno));
	if (n == 0)
		return error_set(err, -EAGAIN, "systemd-journald takes no entries now");
	if (p.revents & (POLLERR | POLLHUP))
		return error_set(err, -ECONNRESET, "systemd-journald has gone");
	return 0;
}

static int send_entry(const struct journal *j, const char **at, struct error *err)
{
	struct iovec fields[FIELDS];
	int n = 0, r;

	for (; **at; *at += strlen(*at) + 1)
		if (n < FIELDS)
			fields[n++] = (struct iovec){ (void *)*at, strlen(*at) };
	(*at)++;
	r = wait_for_room(j, err);
	if (r < 0)
		return r;
	r = sd_journal_sendv(fields, n);
	return r < 0 ? error_set(err, r, "the journal: %s", strerror(-r)) : 0;
}

static void empty(struct journal *j)
{
	rewind(j->out);
	j->size = 0;
}

static int journal_send(void *self, uint64_t *refused, struct error *err)
{
	struct journal *j = self;
	const char *at = j->batch, *end = j->batch + j->size;
	int r = 0;

	(void)refused;
	while (r == 0 && at < end)
		r = send_entry(j, &at, err);
	empty(j);
	return r;
}

static int journal_open(void *self, struct error *err)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	struct journal *j = self;

	empty(j);
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (j->fd < 0 || connect(j->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return error_set(err, -errno, JOURNAL_SOCKET ": %s", strerror(errno));
	return 0;
}

static bool journal_close(void *self)
{
	struct journal *j = self;

	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	return true;
}

static void journal_free(void *self)
{
	struct journal *j = self;

	(void)journal_close(j);
	(void)fclose(j->out);
	free(j->batch);
	free(j);
}

static int journal_new(struct json_object *settings, void **self, struct error *err)
{
	struct journal *j = calloc(1, sizeof(*j));

	(void)settings;
	if (j) {
		j->fd = -1;
		j->out = open_memstream(&j->batch, &j->size);
	}
	if (!j || !j->out) {
		free(j);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*self = j;
	return 0;
}

const struct destination journal_destination = {
	.kind = "journal",
	.new = journal_new,
	.open = journal_open,
	.add = journal_add,
	.send = journal_send,
	.close = journal_close,
	.free = journal_free,
};
