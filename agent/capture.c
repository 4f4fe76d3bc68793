/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/peer.h"
#include "lib/capture.h"
#include "lib/json.h"
#include "lib/log.h"

struct capture {
	struct ipc *ipc;
	struct capture_client client;
	char session[40], actor[128], interface[64];
	uint64_t credit; /* how many bytes it may send in all */
	bool over;
};

/* ---- from the add-on ---- */

/* As netprobe names them. */
static const char *reason_name(unsigned reason)
{
	static const char *const names[] = { "unspecified", "duration_cap", "byte_cap", "client_cancel", "agent_disconnect", "filter_error",
					     "interface_down" };

	return names[reason < sizeof(names) / sizeof(*names) ? reason : 0];
}

static void over(struct capture *c, struct json_object *result)
{
	c->over = true;
	c->ipc->on_capture = NULL;
	log_event(LOG_LEVEL_INFO, "capture ended", "session", c->session, "actor", c->actor, "interface", c->interface, "result",
		  json_object_to_json_string_ext(result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), NULL);
	c->client.end(c->client.userdata, result);
}

static void refused(struct capture *c, const char *code, const char *message)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "type", json_object_new_string("error"));
	json_object_object_add(o, "code", json_object_new_string(code));
	json_object_object_add(o, "message", json_object_new_string(message));
	over(c, o);
	json_object_put(o);
}

static void on_capture(void *userdata, const NpPcapngBlock *b, const char *code, const char *message)
{
	struct capture *c = userdata;
	struct json_object *o;

	if (!b) {
		refused(c, code, message);
		return;
	}
	if (strcmp(b->session_id, c->session) != 0)
		return;
	if (b->bytes.len)
		c->client.bytes(c->client.userdata, b->bytes.data, b->bytes.len, b->packets_captured);
	if (!b->final)
		return;
	o = json_object_new_object();
	json_object_object_add(o, "type", json_object_new_string("capture_end"));
	json_object_object_add(o, "reason", json_object_new_string(reason_name((unsigned)b->termination_reason)));
	json_object_object_add(o, "packets", json_object_new_int64((int64_t)b->packets_captured));
	json_object_object_add(o, "dropped", json_object_new_int64((int64_t)b->packets_dropped));
	json_object_object_add(o, "bytes", json_object_new_int64((int64_t)b->bytes_streamed));
	over(c, o);
	json_object_put(o);
}

/* ---- from the client ---- */

/* A number from 0 to `max`, 0 when it is not there. */
static int number_of(struct json_object *o, const char *key, int64_t max, uint64_t *out, struct error *err)
{
	struct json_object *v;

	*out = 0;
	if (!json_object_object_get_ex(o, key, &v))
		return 0;
	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0 || json_object_get_int64(v) > max)
		return error_set(err, -EINVAL, "%s: not a number from 0 to %" PRId64, key, max);
	*out = (uint64_t)json_object_get_int64(v);
	return 0;
}

static int direction_of(const char *name, NpStartCapture *start, struct error *err)
{
	static const char *const names[] = { "", "both", "in", "out" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0) {
			start->direction = i;
			return 0;
		}
	return error_set(err, -EINVAL, "direction: none of both, in, out");
}

static int read_request(struct capture *c, struct json_object *o, NpStartCapture *start, struct error *err)
{
	uint64_t snaplen = 0, duration = 0;
	int r = number_of(o, "snaplen", CAPTURE_SNAPLEN_MAX, &snaplen, err);

	if (r == 0)
		r = number_of(o, "duration_s", CAPTURE_DURATION_MAX, &duration, err);
	if (r == 0)
		r = number_of(o, "byte_cap", CAPTURE_BYTES_MAX, &start->byte_cap, err);
	if (r == 0)
		r = direction_of(json_text(o, "direction"), start, err);
	if (r < 0)
		return r;
	start->snaplen = (uint32_t)snaplen;
	start->duration_s = (uint32_t)duration;
	start->promiscuous = json_flag(o, "promiscuous");
	start->process_comments = json_flag(o, "process_comments");
	start->window = c->credit = CAPTURE_WINDOW;
	start->session_id = c->session;
	start->actor = c->actor;
	snprintf(c->interface, sizeof(c->interface), "%s", json_text(o, "interface"));
	return 0;
}

static void log_start(const struct capture *c, const NpStartCapture *s)
{
	char snaplen[16], duration[16], cap[24];

	snprintf(snaplen, sizeof(snaplen), "%u", s->snaplen);
	snprintf(duration, sizeof(duration), "%u", s->duration_s);
	snprintf(cap, sizeof(cap), "%" PRIu64, s->byte_cap);
	log_event(LOG_LEVEL_INFO, "capture asked for", "session", c->session, "actor", c->actor, "interface", c->interface, "filter",
		  s->filter_expression, "snaplen", snaplen, "duration_s", duration, "byte_cap", cap, NULL);
}

struct capture *capture_new(struct ipc *ipc, int fd, struct json_object *request, const struct capture_client *client, struct error *err)
{
	NpStartCapture start = NP_START_CAPTURE_INIT;
	struct capture *c = calloc(1, sizeof(*c));
	uint64_t id[2] = { 0 };
	char *interface;

	if (!c || getrandom(id, sizeof(id), 0) != sizeof(id)) {
		(void)error_set(err, -ENOMEM, "out of memory");
		free(c);
		return NULL;
	}
	c->ipc = ipc;
	c->client = *client;
	snprintf(c->session, sizeof(c->session), "%016" PRIx64 "%016" PRIx64, id[0], id[1]);
	peer_name(fd, c->actor, sizeof(c->actor));
	if (read_request(c, request, &start, err) < 0) {
		free(c);
		return NULL;
	}
	interface = c->interface;
	start.interfaces = &interface;
	start.n_interfaces = 1;
	start.filter_case = NP_CAPTURE_EXPRESSION;
	start.filter_expression = (char *)(uintptr_t)json_text(request, "filter");
	log_start(c, &start);
	if (ipc->on_capture || ipc_start_capture(ipc, &start) < 0) {
		(void)error_set(err, -EBUSY, "%s", ipc->on_capture ? "another capture is going on; one at a time" : "the connection to the add-on was lost");
		free(c);
		return NULL;
	}
	ipc->on_capture = on_capture;
	ipc->capture_userdata = c;
	return c;
}

void capture_taken(struct capture *c, uint64_t n)
{
	if (c->over || n + CAPTURE_WINDOW < c->credit + CAPTURE_WINDOW / 4)
		return;
	c->credit = n + CAPTURE_WINDOW;
	(void)ipc_capture_credit(c->ipc, c->session, c->credit);
}

void capture_stop(struct capture *c)
{
	if (!c->over)
		(void)ipc_stop_capture(c->ipc, c->session);
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	capture_stop(c);
	if (!c->over) {
		c->ipc->on_capture = NULL;
		log_event(LOG_LEVEL_INFO, "capture ended", "session", c->session, "actor", c->actor, "interface", c->interface, "result",
			  "its client is gone", NULL);
	}
	free(c);
}
