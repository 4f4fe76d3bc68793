/* SPDX-License-Identifier: Apache-2.0 */
/* Syslog: messages of RFC 5424, counted by octets, over TLS (RFC 5425). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/forward/event.h"
#include "agent/forward/forward.h"
#include "agent/forward/link.h"
#include "lib/json.h"

#define BATCH_BYTES 65536u
#define INFORMATIONAL 6u /* RFC 5424, section 6.2.1 */

struct syslog {
	struct link link;
	struct json_object *settings;
	char host_name[256];
	unsigned priority;
	char *batch;
	size_t used, capacity;
};

/* RFC 5424, section 6.2.1. */
static unsigned facility_number(const char *name)
{
	static const char *const names[] = { "user", "daemon", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7" };
	static const unsigned numbers[] = { 1, 3, 16, 17, 18, 19, 20, 21, 22, 23 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return numbers[i];
	return 3;
}

/* RFC 5424, section 6.2.3: microseconds at most. */
static void timestamp(int64_t ns, char out[40])
{
	time_t s = ns / 1000000000;
	char seconds[24] = "";
	struct tm t;

	if (gmtime_r(&s, &t))
		(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &t);
	(void)snprintf(out, 40, "%s.%06dZ", seconds, (int)(ns % 1000000000 / 1000));
}

static int reserve(struct syslog *s, size_t more)
{
	size_t capacity = s->capacity ? s->capacity : BATCH_BYTES;
	char *bigger;

	if (s->used + more <= s->capacity)
		return 0;
	while (capacity < s->used + more)
		capacity *= 2;
	bigger = realloc(s->batch, capacity);
	if (!bigger)
		return -ENOMEM;
	s->batch = bigger;
	s->capacity = capacity;
	return 0;
}

static int syslog_add(void *self, const struct diskqueue_record *record)
{
	struct syslog *s = self;
	char at[40], head[400];
	struct event e;
	const char *text;
	size_t length;
	int r = event_decode(record, &e), n;

	if (r < 0)
		return r;
	text = event_text(&e, &length);
	timestamp(e.at_ns, at);
	n = snprintf(head, sizeof(head), "<%u>1 %s %s serviceradar - %s - ", s->priority, at, s->host_name, e.type);
	r = text ? reserve(s, length + (size_t)n + 24) : -ENOMEM;
	if (r == 0) {
		s->used += (size_t)snprintf(s->batch + s->used, 24, "%zu ", length + (size_t)n);
		memcpy(s->batch + s->used, head, (size_t)n);
		memcpy(s->batch + s->used + n, text, length);
		s->used += (size_t)n + length;
		r = s->used >= BATCH_BYTES;
	}
	event_free(&e);
	return r;
}

static int syslog_send(void *self, uint64_t *refused, struct error *err)
{
	struct syslog *s = self;
	int r = link_send(&s->link, s->batch, s->used, err);

	(void)refused;
	s->used = 0;
	return r;
}

static int syslog_progress(void *self, uint64_t *sent, uint64_t *arrived, struct error *err)
{
	struct syslog *s = self;

	*sent = s->link.sent;
	return link_arrived(&s->link, arrived, err);
}

static int syslog_open(void *self, struct error *err)
{
	struct syslog *s = self;
	const char *host = json_text(s->settings, "host");
	const struct link_tls tls = { json_text(s->settings, "ca_file"), json_text(s->settings, "client_cert"),
				      json_text(s->settings, "client_key") };
	int r = link_open(&s->link, host, (uint16_t)json_number(s->settings, "port"), true, err);

	s->used = 0;
	return r < 0 ? r : link_start_tls(&s->link, host, &tls, err);
}

static bool syslog_close(void *self)
{
	return link_close(&((struct syslog *)self)->link);
}

static void syslog_free(void *self)
{
	struct syslog *s = self;

	json_object_put(s->settings);
	free(s->batch);
	free(s);
}

/* RFC 5424, section 6: what a name may hold. */
static void clean_name(char *name)
{
	for (; *name; name++)
		if (*name <= ' ' || *name > '~')
			*name = '_';
}

static int syslog_new(struct json_object *settings, void **self, struct error *err)
{
	struct syslog *s = calloc(1, sizeof(*s));

	if (!s)
		return error_set(err, -ENOMEM, "out of memory");
	s->link.fd = -1;
	s->settings = json_object_get(settings);
	s->priority = facility_number(json_text(settings, "facility")) * 8 + INFORMATIONAL;
	if (gethostname(s->host_name, sizeof(s->host_name) - 1) < 0 || !*s->host_name)
		(void)snprintf(s->host_name, sizeof(s->host_name), "-");
	clean_name(s->host_name);
	*self = s;
	return 0;
}

const struct destination syslog_destination = {
	.kind = "syslog",
	.linger_ms = 50,
	.new = syslog_new,
	.open = syslog_open,
	.add = syslog_add,
	.send = syslog_send,
	.progress = syslog_progress,
	.close = syslog_close,
	.free = syslog_free,
};
