/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous calls to agent-updater over the system bus (docs/addon.md, "The updater"). */
#pragma once

#include <systemd/sd-bus.h>

enum updater_result { UPDATER_OK, UPDATER_REFUSED, UPDATER_FAILED, UPDATER_BUSY, UPDATER_UNAVAILABLE };

/* Maps the name of a bus error to what it means for the next attempt. */
enum updater_result updater_classify(const char *error_name);

/* Activate(id, version or "packaged") or Deactivate(id); `done` gets the reply or error, at latest after twelve minutes. */
int updater_activate(sd_bus *bus, const char *id, const char *label, sd_bus_slot **slot, sd_bus_message_handler_t done, void *userdata);
int updater_deactivate(sd_bus *bus, const char *id, sd_bus_slot **slot, sd_bus_message_handler_t done, void *userdata);

/* Stage(bundle, signature): the descriptor is duplicated. */
int updater_stage(sd_bus *bus, int bundle, const char *signature, sd_bus_slot **slot, sd_bus_message_handler_t done, void *userdata);
