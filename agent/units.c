/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "agent/addon.h"
#include "lib/log.h"

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
	struct addon *d = userdata;

	(void)e;
	if (sd_bus_message_is_method_error(m, NULL)) {
		d->facts.unit.known = false;
	} else {
		parse(m, &d->facts.unit);
		d->facts.unit.known = d->facts.unit.active_state[0];
	}
	addon_settle(d);
	return 0;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *e)
{
	struct addon *d = userdata;

	(void)e;
	if (sd_bus_message_skip(m, "s") >= 0)
		parse(m, &d->facts.unit);
	addon_settle(d);
	return 0;
}

static void get_all(struct addon *d, const char *interface, sd_bus_slot **slot)
{
	sd_bus_message *m = NULL;

	*slot = sd_bus_slot_unref(*slot);
	if (sd_bus_message_new_method_call(d->agent->bus, &m, SYSTEMD, d->unit_path, "org.freedesktop.DBus.Properties",
					   "GetAll") >= 0 &&
	    sd_bus_message_append(m, "s", interface) >= 0)
		sd_bus_call_async(d->agent->bus, slot, m, on_reply, d, 20000000);
	sd_bus_message_unref(m);
}

void units_refresh(struct addon *d)
{
	if (!d->agent->bus) {
		d->facts.unit = (struct unit_facts){ 0 };
		return;
	}
	get_all(d, SYSTEMD ".Unit", &d->unit_slot);
	get_all(d, SYSTEMD ".Service", &d->service_slot);
}

void units_watch(struct addon *d)
{
	if (!d->agent->bus || d->match_slot)
		return;
	if (!d->unit_path && sd_bus_path_encode("/org/freedesktop/systemd1/unit", d->unit, &d->unit_path) < 0)
		return;
	if (sd_bus_match_signal_async(d->agent->bus, &d->match_slot, SYSTEMD, d->unit_path,
				      "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed, NULL, d) < 0)
		log_warning("%s: cannot watch the unit; it is read once a minute", d->unit);
}
