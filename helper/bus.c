/* SPDX-License-Identifier: Apache-2.0 */
/* The same verbs as D-Bus methods, for the agent. Who may call is the bus policy's word first and ours again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "helper/updater.h"
#include "lib/fs.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

#define IDLE_USEC (30u * 1000000)

struct service {
	struct updater *u;
	sd_bus *bus;
	sd_event *event;
	sd_event_source *idle;
	uid_t service_uid;
	bool has_service_user;
};

static const char *error_name(enum result r)
{
	switch (r) {
	case RESULT_USAGE:
		return SD_BUS_ERROR_INVALID_ARGS;
	case RESULT_REFUSED:
		return SR_BUS_ERROR ".Refused";
	case RESULT_FAILED:
		return SR_BUS_ERROR ".Failed";
	case RESULT_BUSY:
		return SR_BUS_ERROR ".Busy";
	case RESULT_UNAVAILABLE:
		return SR_BUS_ERROR ".Unavailable";
	case RESULT_BROKEN:
	case RESULT_DONE:
		break;
	}
	return SR_BUS_ERROR ".Broken";
}

static void stay(struct service *s)
{
	(void)sd_event_source_set_time_relative(s->idle, IDLE_USEC);
	(void)sd_event_source_set_enabled(s->idle, SD_EVENT_ONESHOT);
}

static bool caller_allowed(struct service *s, sd_bus_message *m, bool root_only)
{
	sd_bus_creds *creds = NULL;
	uid_t uid = (uid_t)-1;
	int r = sd_bus_query_sender_creds(m, SD_BUS_CREDS_EUID, &creds);

	if (r >= 0)
		r = sd_bus_creds_get_euid(creds, &uid);
	sd_bus_creds_unref(creds);
	return r >= 0 && (uid == 0 || (!root_only && s->has_service_user && uid == s->service_uid));
}

static const struct verb *find_method(const char *member)
{
	for (const struct verb *v = verbs; v->name; v++)
		if (v->bus_method && strcmp(v->bus_method, member) == 0)
			return v;
	return NULL;
}

static void emit_progress(void *arg, const char *id, const char *step, unsigned percent)
{
	struct service *s = arg;

	(void)sd_bus_emit_signal(s->bus, SR_BUS_PATH, SR_BUS_NAME, "Progress", "ssu", id, step, percent);
	(void)sd_bus_flush(s->bus);
}

/* A bundle's descriptor and the text of its signature. The descriptor stays the message's. */
static int read_bundle(struct service *s, sd_bus_message *m)
{
	const char *signature;
	int fd, r = sd_bus_message_read(m, "hs", &fd, &signature);

	if (r < 0)
		return r;
	updater_close_bundle(s->u);
	s->u->input.name = "bundle";
	s->u->input.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	s->u->input.signature = strdup(signature);
	s->u->input.signature_size = strlen(signature);
	return s->u->input.fd < 0 || !s->u->input.signature ? -ENOMEM : 0;
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
	struct service *s = userdata;
	const struct verb *v = find_method(sd_bus_message_get_member(m));
	_cleanup_json_ struct json_object *reply = NULL;
	const char *id = NULL, *arg = NULL;
	enum result result;
	int r = 0;

	stay(s);
	if (!v)
		return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_METHOD, "no such method");
	if (!caller_allowed(s, m, v->root_only))
		return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "only root and the user " SR_USER " may ask for this");
	if (v->id == ID_BUNDLE)
		r = read_bundle(s, m);
	else if (v->id != ID_NONE)
		r = sd_bus_message_read_basic(m, 's', &id);
	if (r >= 0 && sd_bus_message_has_signature(m, "ss"))
		r = sd_bus_message_read_basic(m, 's', &arg);
	if (r < 0)
		return r;
	if (v->id == ID_REQUIRED && (!id || !*id))
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "the add-on's id is missing");
	s->u->on_progress = emit_progress;
	s->u->progress_arg = s;
	result = verb_run(s->u, v, id, arg, &reply);
	s->u->on_progress = NULL;
	updater_close_bundle(s->u);
	log_event(result == RESULT_DONE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, v->name, "id", id ? id : "", "error", s->u->err.text,
		  NULL);
	stay(s);
	if (result == RESULT_REFUSED && *s->u->reason) {
		char name[128];

		(void)snprintf(name, sizeof(name), SR_BUS_ERROR ".Refused.%s", s->u->reason);
		return sd_bus_error_set(error, name, s->u->err.text);
	}
	if (result != RESULT_DONE)
		return sd_bus_error_set(error, error_name(result), s->u->err.text);
	return sd_bus_reply_method_return(m, "s", json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN));
}

/* docs/updater-bus.xml describes these. */
static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD_WITH_ARGS("Verify", SD_BUS_ARGS("h", bundle, "s", signature), SD_BUS_RESULT("s", result), on_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Stage", SD_BUS_ARGS("h", bundle, "s", signature), SD_BUS_RESULT("s", result), on_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Rollback", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", result), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_SIGNAL_WITH_ARGS("Progress", SD_BUS_ARGS("s", id, "s", step, "u", percent), 0),
	SD_BUS_METHOD_WITH_ARGS("Grant", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", result), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Revoke", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", result), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Activate", SD_BUS_ARGS("s", id, "s", version), SD_BUS_RESULT("s", result), on_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Deactivate", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", result), on_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Reconcile", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", result), on_call,
				SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Recover", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", result), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Status", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", result), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD_WITH_ARGS("Remove", SD_BUS_ARGS("s", id), SD_BUS_RESULT("s", result), on_call, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
	(void)usec;
	(void)userdata;
	(void)sd_notify(0, "STOPPING=1");
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

enum result bus_serve(struct updater *u)
{
	struct service s = { .u = u };
	sd_bus *bus = NULL;
	int r = sd_bus_open_system(&bus);

	if (r < 0) {
		(void)error_set(&u->err, r, "cannot reach the system bus: %s", strerror(-r));
		return RESULT_UNAVAILABLE;
	}
	s.bus = bus;
	s.has_service_user = fs_lookup_user("/", SR_USER, &s.service_uid, NULL) == 0;
	r = sd_event_default(&s.event);
	if (r >= 0)
		r = sd_event_add_time_relative(s.event, &s.idle, CLOCK_MONOTONIC, IDLE_USEC, 1000000, on_idle, NULL);
	if (r >= 0)
		r = sd_bus_add_object_vtable(bus, NULL, SR_BUS_PATH, SR_BUS_NAME, vtable, &s);
	if (r >= 0)
		r = sd_bus_attach_event(bus, s.event, 0);
	if (r >= 0)
		r = sd_bus_request_name(bus, SR_BUS_NAME, 0);
	if (r >= 0) {
		(void)sd_notify(0, "READY=1");
		r = sd_event_loop(s.event);
	}
	if (r < 0)
		(void)error_set(&u->err, r, "cannot serve " SR_BUS_NAME ": %s", strerror(-r));
	sd_event_source_disable_unref(s.idle);
	sd_bus_flush_close_unref(bus);
	sd_event_unref(s.event);
	return r < 0 ? RESULT_UNAVAILABLE : RESULT_DONE;
}
