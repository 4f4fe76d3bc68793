/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/updater.h"

#include <string.h>

#include "lib/paths.h"

#define CALL_TIMEOUT_US 720000000u /* longer than the updater waits for a unit */

enum updater_result updater_classify(const char *name)
{
	if (!strncmp(name, SR_BUS_ERROR ".Refused", strlen(SR_BUS_ERROR ".Refused")) || !strcmp(name, "org.freedesktop.DBus.Error.InvalidArgs") ||
	    !strcmp(name, "org.freedesktop.DBus.Error.AccessDenied"))
		return UPDATER_REFUSED;
	if (!strcmp(name, SR_BUS_ERROR ".Failed") || !strcmp(name, SR_BUS_ERROR ".Broken"))
		return UPDATER_FAILED;
	return strcmp(name, SR_BUS_ERROR ".Busy") == 0 ? UPDATER_BUSY : UPDATER_UNAVAILABLE;
}

static int call(sd_bus *bus, const char *method, const char *id, const char *what, sd_bus_slot **slot,
		sd_bus_message_handler_t done, void *userdata)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, SR_BUS_NAME, SR_BUS_PATH, SR_BUS_NAME, method);

	if (r >= 0)
		r = what ? sd_bus_message_append(m, "ss", id, what) : sd_bus_message_append(m, "s", id);
	if (r >= 0)
		r = sd_bus_call_async(bus, slot, m, done, userdata, CALL_TIMEOUT_US);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}

int updater_activate(sd_bus *bus, const char *id, const char *label, sd_bus_slot **slot, sd_bus_message_handler_t done, void *userdata)
{
	return call(bus, "Activate", id, label, slot, done, userdata);
}

int updater_deactivate(sd_bus *bus, const char *id, sd_bus_slot **slot, sd_bus_message_handler_t done, void *userdata)
{
	return call(bus, "Deactivate", id, NULL, slot, done, userdata);
}

int updater_stage(sd_bus *bus, int bundle, const char *signature, sd_bus_slot **slot, sd_bus_message_handler_t done, void *userdata)
{
	sd_bus_message *m = NULL;
	int r = sd_bus_message_new_method_call(bus, &m, SR_BUS_NAME, SR_BUS_PATH, SR_BUS_NAME, "Stage");

	if (r >= 0)
		r = sd_bus_message_append(m, "hs", bundle, signature);
	if (r >= 0)
		r = sd_bus_call_async(bus, slot, m, done, userdata, CALL_TIMEOUT_US);
	sd_bus_message_unref(m);
	return r < 0 ? r : 0;
}
