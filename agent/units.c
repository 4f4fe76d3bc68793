/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "agent/addon.h"
#include "lib/log.h"
#include "lib/paths.h"

#define SYSTEMD "org.freedesktop.systemd1"

static void take(sd_bus_message *m, const char *type, char *out, size_t size, uint32_t *number)
{
	const char *s = NULL;

	if (sd_bus_message_enter_container(m, 'v', type) < 0)
		return;
	if (*type == 's' && sd_bus_message_read_basic(m, 's', &s) > 0)
		snprintf(out, size, "%s", s);
	else if (*type == 'u')
		sd_bus_message_read_basic(m, 'u', number);
	sd_bus_message_exit_container(m);
}

/* Reads a{sv}: what GetAll returns and what PropertiesChanged carries. */
static void parse(sd_bus_message *m, struct unit_facts *u)
{
	const char *key;

	if (sd_bus_message_enter_container(m, 'a', "{sv}") < 0)
		return;
	while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
		if (sd_bus_message_read_basic(m, 's', &key) < 0)
			return;
		if (!strcmp(key, "ActiveState"))
			take(m, "s", u->active_state, sizeof(u->active_state), NULL);
		else if (!strcmp(key, "SubState"))
			take(m, "s", u->sub_state, sizeof(u->sub_state), NULL);
		else if (!strcmp(key, "UnitFileState"))
			take(m, "s", u->file_state, sizeof(u->file_state), NULL);
		else if (!strcmp(key, "MainPID"))
			take(m, "u", NULL, 0, &u->main_pid);
		else if (!strcmp(key, "NRestarts"))
			take(m, "u", NULL, 0, &u->n_restarts);
		else
			sd_bus_message_skip(m, "v");
		sd_bus_message_exit_container(m);
	}
	sd_bus_message_exit_container(m);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct unit *u = userdata;

	(void)e;
	u->addon->facts.asked = u->addon->facts.asked && u != &u->addon->unit;
	if (sd_bus_message_is_method_error(m, NULL)) {
		u->facts->known = false;
	} else {
		parse(m, u->facts);
		u->facts->known = u->facts->active_state[0];
	}
	addon_settle(u->addon);
	return 0;
}

static void get_all(struct unit *u, const char *interface, sd_bus_slot **slot)
{
	sd_bus *bus = u->addon->agent->bus;
	sd_bus_message *m = NULL;

	*slot = sd_bus_slot_unref(*slot);
	if (sd_bus_message_new_method_call(bus, &m, SYSTEMD, u->path, "org.freedesktop.DBus.Properties", "GetAll") >= 0 &&
	    sd_bus_message_append(m, "s", interface) >= 0)
		sd_bus_call_async(bus, slot, m, on_reply, u, 20000000);
	sd_bus_message_unref(m);
}

static void refresh(struct unit *u)
{
	if (!u->path)
		return;
	get_all(u, SYSTEMD ".Unit", &u->unit_slot);
	if (strcmp(strrchr(u->name, '.'), ".service") == 0)
		get_all(u, SYSTEMD ".Service", &u->type_slot);
}

/* Stopped: whether it was disabled by hand before that no signal says, so that is asked before anything is concluded. */
static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct unit *u = userdata;
	struct addon *d = u->addon;
	char before[sizeof(u->facts->active_state)];

	(void)e;
	memcpy(before, u->facts->active_state, sizeof(before));
	if (sd_bus_message_skip(m, "s") >= 0)
		parse(m, u->facts);
	if (u == &d->unit && strcmp(before, u->facts->active_state) != 0 && strcmp(u->facts->active_state, "inactive") == 0) {
		refresh(u);
		d->facts.asked = u->unit_slot != NULL;
	}
	addon_settle(d);
	return 0;
}

static void release(struct unit *u)
{
	u->match_slot = sd_bus_slot_unref(u->match_slot);
	u->unit_slot = sd_bus_slot_unref(u->unit_slot);
	u->type_slot = sd_bus_slot_unref(u->type_slot);
}

/* Another name, or none: what was known of the one before is forgotten. */
static void rename_unit(struct addon *d, struct unit *u, struct unit_facts *facts, const char *suffix)
{
	char name[sizeof(u->name)] = "";

	u->addon = d;
	u->facts = facts;
	if (*suffix)
		snprintf(name, sizeof(name), SR_UNIT_PREFIX "%s.%s", d->id, suffix);
	if (strcmp(name, u->name) == 0)
		return;
	release(u);
	free(u->path);
	u->path = NULL;
	*facts = (struct unit_facts){ 0 };
	snprintf(u->name, sizeof(u->name), "%s", name);
}

static void watch(struct unit *u)
{
	if (!*u->name || u->match_slot)
		return;
	if (!u->path && sd_bus_path_encode("/org/freedesktop/systemd1/unit", u->name, &u->path) < 0)
		return;
	if (sd_bus_match_signal_async(u->addon->agent->bus, &u->match_slot, SYSTEMD, u->path, "org.freedesktop.DBus.Properties",
				      "PropertiesChanged", on_changed, NULL, u) < 0)
		log_warning("%s: cannot watch the unit; it is read once a minute", u->name);
}

void units_follow(struct addon *d)
{
	bool timer = d->manifest.supervision == SUPERVISION_SYSTEMD_TIMER;

	if (d->facts.installed) { /* a payload that cannot be read says nothing: what is known of its units stays */
		rename_unit(d, &d->unit, &d->facts.unit, d->facts.helper ? "" : timer ? "timer" : "service");
		rename_unit(d, &d->run, &d->facts.run, timer ? "service" : "");
	} else if (!*d->unit.name) {
		rename_unit(d, &d->unit, &d->facts.unit, "service");
		rename_unit(d, &d->run, &d->facts.run, "");
	}
	if (!d->agent->bus) {
		d->facts.unit = d->facts.run = (struct unit_facts){ 0 };
		d->facts.asked = false;
		return;
	}
	watch(&d->unit);
	watch(&d->run);
	refresh(&d->unit);
	refresh(&d->run);
	d->facts.asked = d->unit.unit_slot != NULL;
}

void units_release(struct addon *d)
{
	release(&d->unit);
	release(&d->run);
	d->facts.asked = false;
}
