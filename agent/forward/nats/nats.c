/* SPDX-License-Identifier: Apache-2.0 */
/* NATS JetStream by libnats: one message for each event, on SUBJECT.TYPE. Its Nats-Msg-Id is the event's place in the queue, so that one that
 * is sent again within the stream's duplicate window is stored once. */
#include <errno.h>
#include <inttypes.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/forward/event.h"
#include "agent/forward/forward.h"
#include "lib/cleanup.h"
#include "lib/json.h"

#define BATCH_MESSAGES 512u
#define ANSWER_MS      10000
#define LOOK_MS        100

struct message {
	char subject[192], id[352];
	char *text;
	size_t length;
};

struct nats {
	struct json_object *settings;
	char host_name[256], server[256];
	natsOptions *options;
	natsConnection *connection;
	jsCtx *stream;
	struct message batch[BATCH_MESSAGES];
	size_t n;
	pthread_mutex_t lock; /* of what the library's thread writes */
	unsigned failed;
	char complaint[256];
};

static void drop_batch(struct nats *x)
{
	for (size_t i = 0; i < x->n; i++)
		free(x->batch[i].text);
	x->n = 0;
}

static int nats_add(void *self, const struct diskqueue_record *record)
{
	struct nats *x = self;
	struct message *m = &x->batch[x->n];
	struct event e;
	const char *text;
	int r = event_decode(record, &e);

	if (r < 0)
		return r;
	text = event_text(&e, &m->length);
	m->text = text ? strdup(text) : NULL;
	(void)snprintf(m->subject, sizeof(m->subject), "%s.%s", json_text(x->settings, "subject"), e.type);
	(void)snprintf(m->id, sizeof(m->id), "%s-%" PRIx64 "-%" PRIx64, x->host_name, record->at.segment, record->at.offset);
	event_free(&e);
	if (!m->text)
		return -ENOMEM;
	return ++x->n == BATCH_MESSAGES;
}

static int fails(const char *what, natsStatus s, struct error *err)
{
	return error_set(err, -EIO, "%s: %s", what, natsStatus_GetText(s));
}

/* In a thread of the library. */
static void on_refusal(jsCtx *stream, jsPubAckErr *e, void *userdata)
{
	struct nats *x = userdata;

	(void)stream;
	(void)pthread_mutex_lock(&x->lock);
	if (x->failed++ == 0)
		(void)snprintf(x->complaint, sizeof(x->complaint), "%s",
			       e->Err == NATS_NO_RESPONDERS ? "no stream takes this subject" : e->ErrText && *e->ErrText ? e->ErrText : natsStatus_GetText(e->Err));
	(void)pthread_mutex_unlock(&x->lock);
}

/* The library waits on when the connection is gone. */
static natsStatus await_answers(struct nats *x)
{
	jsPubOptions wait = { .MaxWait = LOOK_MS };
	natsStatus s = NATS_TIMEOUT;

	for (int ms = 0; s == NATS_TIMEOUT && ms < 2 * ANSWER_MS; ms += LOOK_MS) {
		s = js_PublishAsyncComplete(x->stream, &wait);
		if (s == NATS_TIMEOUT && natsConnection_Status(x->connection) != NATS_CONN_STATUS_CONNECTED)
			s = NATS_CONNECTION_CLOSED;
	}
	return s;
}

static natsStatus publish(struct nats *x, uint64_t *refused)
{
	natsStatus s = NATS_OK;

	for (size_t i = 0; i < x->n && s == NATS_OK; i++) {
		jsPubOptions o = { .MaxWait = ANSWER_MS, .MsgId = x->batch[i].id };

		s = js_PublishAsync(x->stream, x->batch[i].subject, x->batch[i].text, (int)x->batch[i].length, &o);
		if (s != NATS_MAX_PAYLOAD)
			continue;
		(*refused)++;
		s = NATS_OK;
	}
	return s == NATS_OK ? await_answers(x) : s;
}

static int nats_send(void *self, uint64_t *refused, struct error *err)
{
	struct nats *x = self;
	natsStatus s;
	int r = 0;

	if (x->n == 0)
		return natsConnection_Status(x->connection) == NATS_CONN_STATUS_CONNECTED ? 0 :
			       error_set(err, -EPIPE, "%s: closed by the other end", x->server);
	x->failed = 0;
	s = publish(x, refused);
	(void)pthread_mutex_lock(&x->lock);
	if (x->failed)
		r = error_set(err, -EIO, "%s: %s: %s", x->server, x->batch[0].subject, x->complaint);
	else if (s != NATS_OK)
		r = fails(x->server, s, err);
	(void)pthread_mutex_unlock(&x->lock);
	drop_batch(x);
	return r;
}

static bool nats_close(void *self)
{
	struct nats *x = self;

	jsCtx_Destroy(x->stream);
	natsConnection_Destroy(x->connection);
	x->stream = NULL;
	x->connection = NULL;
	drop_batch(x);
	return false; /* all that was answered is confirmed */
}

static int nats_open(void *self, struct error *err)
{
	struct nats *x = self;
	natsStatus s = natsConnection_Connect(&x->connection, x->options);
	jsOptions o;

	drop_batch(x);
	if (s != NATS_OK)
		return fails(x->server, s, err);
	(void)jsOptions_Init(&o);
	o.Wait = ANSWER_MS;
	o.PublishAsync.ErrHandler = on_refusal;
	o.PublishAsync.ErrHandlerClosure = x;
	s = natsConnection_JetStream(&x->stream, x->connection, &o);
	if (s == NATS_OK)
		return 0;
	(void)nats_close(x);
	return fails(x->server, s, err);
}

static void nats_free(void *self)
{
	struct nats *x = self;

	(void)nats_close(x);
	natsOptions_Destroy(x->options);
	json_object_put(x->settings);
	(void)pthread_mutex_destroy(&x->lock);
	free(x);
	nats_Close();
}

/* The host of "tls://user@host:port": its certificate has to be for it. */
static void host_of(const char *url, char *out, size_t size)
{
	const char *start = strstr(url, "://") + 3, *at = strchr(start, '@');
	size_t n;

	start = at ? at + 1 : start;
	n = *start == '[' ? strcspn(++start, "]") : strcspn(start, ":/");
	(void)snprintf(out, size, "%.*s", (int)n, start);
}

static natsStatus secure(struct nats *x)
{
	const char *ca = json_text(x->settings, "ca_file"), *cert = json_text(x->settings, "client_cert");
	natsStatus s = natsOptions_SetSecure(x->options, true);
	char host[256];

	host_of(json_text(x->settings, "url"), host, sizeof(host));
	if (s == NATS_OK)
		s = natsOptions_SetExpectedHostname(x->options, host);
	if (s == NATS_OK && *ca)
		s = natsOptions_LoadCATrustedCertificates(x->options, ca);
	if (s == NATS_OK && *cert)
		s = natsOptions_LoadCertificatesChain(x->options, cert, json_text(x->settings, "client_key"));
	return s;
}

static int prepare(struct nats *x, struct error *err)
{
	const char *url = json_text(x->settings, "url"), *credentials = json_text(x->settings, "credentials_file");
	natsStatus s = natsOptions_Create(&x->options);

	host_of(url, x->server, sizeof(x->server));
	if (s == NATS_OK)
		s = natsOptions_SetURL(x->options, url);
	if (s == NATS_OK)
		s = natsOptions_SetAllowReconnect(x->options, false); /* what was lost with a connection is sent again from the queue */
	if (s == NATS_OK)
		s = natsOptions_SetTimeout(x->options, ANSWER_MS);
	if (s == NATS_OK)
		s = natsOptions_SetName(x->options, "serviceradar-agent");
	if (s == NATS_OK && *credentials)
		s = natsOptions_SetUserCredentialsFromFiles(x->options, credentials, NULL);
	if (s == NATS_OK && strncmp(url, "tls:", 4) == 0)
		s = secure(x);
	return s == NATS_OK ? 0 : fails("settings", s, err);
}

static int nats_new(struct json_object *settings, void **self, struct error *err)
{
	struct nats *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return error_set(err, -ENOMEM, "out of memory");
	x->settings = json_object_get(settings);
	(void)pthread_mutex_init(&x->lock, NULL);
	if (gethostname(x->host_name, sizeof(x->host_name) - 1) < 0)
		x->host_name[0] = '\0';
	r = prepare(x, err);
	if (r < 0)
		nats_free(x);
	else
		*self = x;
	return r;
}

const struct destination nats_destination = {
	.kind = "nats",
	.linger_ms = 50,
	.new = nats_new,
	.open = nats_open,
	.add = nats_add,
	.send = nats_send,
	.close = nats_close,
	.free = nats_free,
};
