/* SPDX-License-Identifier: Apache-2.0 */
/* OpenTelemetry logs by OTLP/HTTP with JSON: https://opentelemetry.io/docs/specs/otlp/ (1.x), names of attributes by the semantic
 * conventions. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "agent/forward/event.h"
#include "agent/forward/forward.h"
#include "lib/fs.h"
#include "lib/json.h"

#define ANSWER_MAX  16384u
#define BATCH_BYTES 262144u /* of text, before it is compressed */
#define HEADERS_MAX 65536u
#define INFO        "9"     /* SeverityNumber of INFO */

struct otlp {
	CURL *curl;
	struct curl_slist *headers;
	struct json_object *settings;
	char host_name[256], complaint[CURL_ERROR_SIZE];
	struct json_object *records; /* array: the batch */
	size_t bytes;                /* of their text, about */
	char answer[ANSWER_MAX + 1];
	size_t answered;
};

/* ---- the batch ---- */

static struct json_object *text(const char *s)
{
	return json_object_new_string(s);
}

static struct json_object *wrap(const char *key, struct json_object *value)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, key, value);
	return o;
}

static void attribute(struct json_object *list, const char *key, const char *kind, struct json_object *value)
{
	struct json_object *o = wrap("key", text(key));

	json_object_object_add(o, "value", wrap(kind, value));
	json_object_array_add(list, o);
}

/* Our keys for which the semantic conventions have a name. */
static const struct {
	const char *ours, *theirs;
	bool number; /* an intValue: a decimal string in JSON */
} conventions[] = {
	{ "pid", "process.pid", true },
	{ "executable", "process.executable.path", false },
	{ "comm", "process.executable.name", false },
	{ "uid", "user.id", false },
	{ "containerId", "container.id", false },
	{ "transportProtocol", "network.transport", false },
	{ "protocol", "network.protocol.name", false },
	{ "interfaceName", "network.interface.name", false },
	{ "localIp", "network.local.address", false },
	{ "localPort", "network.local.port", true },
	{ "remoteIp", "network.peer.address", false },
	{ "remotePort", "network.peer.port", true },
	{ "sourceIp", "source.address", false },
	{ "sourcePort", "source.port", true },
	{ "destinationIp", "destination.address", false },
	{ "destinationPort", "destination.port", true },
	{ "addonId", "serviceradar.addon.id", false },
};

static struct json_object *attributes_of(struct json_object *event)
{
	struct json_object *list = json_object_new_array(), *v;

	for (size_t i = 0; i < sizeof(conventions) / sizeof(conventions[0]); i++)
		if (json_object_object_get_ex(event, conventions[i].ours, &v))
			attribute(list, conventions[i].theirs, conventions[i].number ? "intValue" : "stringValue", text(json_object_get_string(v)));
	return list;
}

static int otlp_add(void *self, const struct diskqueue_record *record)
{
	struct otlp *x = self;
	struct json_object *o;
	struct event e;
	const char *body;
	size_t length;
	char at[24];
	int r = event_decode(record, &e);

	if (r < 0)
		return r;
	body = event_text(&e, &length);
	if (!x->records)
		x->records = json_object_new_array();
	if (!body || !x->records) {
		event_free(&e);
		return -ENOMEM;
	}
	(void)snprintf(at, sizeof(at), "%lld", (long long)e.at_ns);
	o = wrap("timeUnixNano", text(at));
	json_object_object_add(o, "observedTimeUnixNano", text(at));
	json_object_object_add(o, "severityNumber", json_object_new_int(atoi(INFO)));
	json_object_object_add(o, "severityText", text("INFO"));
	json_object_object_add(o, "eventName", text(e.type));
	json_object_object_add(o, "body", wrap("stringValue", json_object_new_string_len(body, (int)length)));
	json_object_object_add(o, "attributes", attributes_of(e.object));
	json_object_array_add(x->records, o);
	x->bytes += 2 * length;
	event_free(&e);
	return x->bytes >= BATCH_BYTES;
}

/* The whole request; takes the records. */
static struct json_object *request_of(struct otlp *x)
{
	struct json_object *logs = wrap("logRecords", x->records), *scope = wrap("name", text("serviceradar-agent"));
	struct json_object *list = json_object_new_array(), *resource = json_object_new_array(), *of_resource;

	x->records = NULL;
	x->bytes = 0;
	json_object_object_add(scope, "version", text(SR_VERSION));
	json_object_object_add(logs, "scope", scope);
	attribute(resource, "service.name", "stringValue", text("serviceradar-agent"));
	attribute(resource, "service.version", "stringValue", text(SR_VERSION));
	attribute(resource, "host.name", "stringValue", text(x->host_name));
	json_object_array_add(list, logs);
	of_resource = wrap("resource", wrap("attributes", resource));
	json_object_object_add(of_resource, "scopeLogs", list);
	list = json_object_new_array();
	json_object_array_add(list, of_resource);
	return wrap("resourceLogs", list);
}

/* ---- HTTP ---- */

static size_t on_answer(char *bytes, size_t one, size_t n, void *userdata)
{
	struct otlp *x = userdata;
	size_t take = n < ANSWER_MAX - x->answered ? n : ANSWER_MAX - x->answered;

	(void)one;
	memcpy(x->answer + x->answered, bytes, take);
	x->answered += take;
	x->answer[x->answered] = '\0';
	return n; /* a longer one is cut */
}

/* gzip (RFC 1952). 0 or -ENOMEM; *out is the caller's. */
static int compress_text(const char *in, size_t size, uint8_t **out, size_t *out_size)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)size };
	size_t room;
	int r;

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	room = deflateBound(&z, (uLong)size);
	*out = malloc(room);
	z.next_out = *out;
	z.avail_out = (uInt)room;
	r = *out && deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
	*out_size = z.total_out;
	(void)deflateEnd(&z);
	return r;
}

static int post(struct otlp *x, const char *body, size_t size, long *status, struct error *err)
{
	bool gzip = strcmp(json_text(x->settings, "compression"), "gzip") == 0;
	_cleanup_free_ uint8_t *packed = NULL;
	CURLcode c;

	if (gzip && compress_text(body, size, &packed, &size) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	x->answered = 0;
	x->answer[0] = x->complaint[0] = '\0';
	curl_easy_setopt(x->curl, CURLOPT_POSTFIELDS, gzip ? (const char *)packed : body);
	curl_easy_setopt(x->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
	c = curl_easy_perform(x->curl);
	if (c != CURLE_OK)
		return error_set(err, -EIO, "%s: %s", json_text(x->settings, "url"), *x->complaint ? x->complaint : curl_easy_strerror(c));
	curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, status);
	return 0;
}

/* OTLP/HTTP, "Partial Success". */
static uint64_t rejected(const struct otlp *x)
{
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *partial, *n;

	if (json_parse(x->answer, x->answered, "answer", &o, NULL) < 0 || !json_object_object_get_ex(o, "partialSuccess", &partial) ||
	    !json_object_object_get_ex(partial, "rejectedLogRecords", &n))
		return 0;
	return json_object_get_uint64(n);
}

static int otlp_send(void *self, uint64_t *refused, struct error *err)
{
	struct otlp *x = self;
	_cleanup_json_ struct json_object *request = NULL;
	uint64_t records = x->records ? json_object_array_length(x->records) : 0, n;
	const char *body;
	long status = 0;
	size_t size;
	int r;

	if (records == 0)
		return 0;
	request = request_of(x);
	body = json_object_to_json_string_length(request, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
	r = body ? post(x, body, size, &status, err) : error_set(err, -ENOMEM, "out of memory");
	if (r < 0)
		return r;
	if (status >= 200 && status < 300) {
		n = rejected(x);
		*refused += n < records ? n : records;
		return 0;
	}
	/* 400, and "cannot be processed": the same bytes will never do. All else may be set right, or pass. */
	if (status == 400 || status == 413 || status == 422) {
		*refused += records;
		fprintf(stderr, "agent-forward: otlp: %s: HTTP status %ld: %.200s\n", json_text(x->settings, "url"), status, x->answer);
		return 0;
	}
	return error_set(err, -EIO, "%s: HTTP status %ld", json_text(x->settings, "url"), status);
}

/* There is no connection to open before there is something to send. */
static int otlp_open(void *self, struct error *err)
{
	struct otlp *x = self;

	(void)err;
	json_object_put(x->records);
	x->records = NULL;
	x->bytes = 0;
	return 0;
}

static bool otlp_close(void *self)
{
	(void)self;
	return false; /* all that was answered is confirmed */
}

static void otlp_free(void *self)
{
	struct otlp *x = self;

	curl_slist_free_all(x->headers);
	curl_easy_cleanup(x->curl);
	json_object_put(x->records);
	json_object_put(x->settings);
	free(x);
	curl_global_cleanup();
}

static int add_header(struct otlp *x, const char *line)
{
	struct curl_slist *more = curl_slist_append(x->headers, line);

	if (!more)
		return -ENOMEM;
	x->headers = more;
	return 0;
}

/* "Name: value" lines. They may be secrets: no message shows one. */
static int read_headers(struct otlp *x, struct error *err)
{
	const char *path = json_text(x->settings, "headers_file");
	_cleanup_free_ char *data = NULL;
	size_t size;
	unsigned number = 0;
	int r;

	if (!*path)
		return 0;
	r = fs_read_file(AT_FDCWD, path, HEADERS_MAX, &data, &size, err);
	if (r < 0)
		return r;
	for (char *line = strtok(data, "\r\n"); line; line = strtok(NULL, "\r\n")) {
		number++;
		if (*line == ':' || !strchr(line, ':'))
			return error_set(err, -EINVAL, "%s: line %u is no header \"Name: value\"", path, number);
		if (add_header(x, line) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void set_file(struct otlp *x, CURLoption option, const char *key)
{
	const char *path = json_text(x->settings, key);

	if (*path)
		curl_easy_setopt(x->curl, option, path);
}

static int prepare(struct otlp *x, struct error *err)
{
	const char *url = json_text(x->settings, "url");
	int r = read_headers(x, err);

	if (r < 0)
		return r;
	if (add_header(x, "Content-Type: application/json") < 0 || add_header(x, "Expect:") < 0 ||
	    (strcmp(json_text(x->settings, "compression"), "gzip") == 0 && add_header(x, "Content-Encoding: gzip") < 0))
		return -ENOMEM;
	curl_easy_setopt(x->curl, CURLOPT_URL, url);
	curl_easy_setopt(x->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, x->headers);
	curl_easy_setopt(x->curl, CURLOPT_USERAGENT, "serviceradar-agent/" SR_VERSION);
	curl_easy_setopt(x->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(x->curl, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
	curl_easy_setopt(x->curl, CURLOPT_TIMEOUT_MS, 60000L);
	curl_easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(x->curl, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(x->curl, CURLOPT_ERRORBUFFER, x->complaint);
	set_file(x, CURLOPT_CAINFO, "ca_file");
	set_file(x, CURLOPT_SSLCERT, "client_cert");
	set_file(x, CURLOPT_SSLKEY, "client_key");
	return 0;
}

static int otlp_new(struct json_object *settings, void **self, struct error *err)
{
	struct otlp *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return error_set(err, -ENOMEM, "out of memory");
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	x->settings = json_object_get(settings);
	if (gethostname(x->host_name, sizeof(x->host_name) - 1) < 0)
		x->host_name[0] = '\0';
	x->curl = curl_easy_init();
	r = x->curl ? prepare(x, err) : -ENOMEM;
	if (r < 0) {
		otlp_free(x);
		return r == -ENOMEM ? error_set(err, r, "out of memory") : r;
	}
	*self = x;
	return 0;
}

const struct destination otlp_destination = {
	.kind = "otlp",
	.linger_ms = 200,
	.new = otlp_new,
	.open = otlp_open,
	.add = otlp_add,
	.send = otlp_send,
	.close = otlp_close,
	.free = otlp_free,
};
