/* SPDX-License-Identifier: Apache-2.0 */
/* VisibilityAgentConfig: checked before it takes effect. */
#pragma once

#include "lib/error.h"
#include "proto/netprobe.pb-c.h"

#define CONFIG_HASH_BYTES 65

typedef Serviceradar__Agent__Netprobe__V1__VisibilityAgentConfig VisibilityConfig;

/* -EINVAL and a line that names the field and the value: `any`, `*`, an empty or unknown interface name in
 * capture_interfaces, an address that is none. */
int config_check(const VisibilityConfig *config, struct error *err);

/* SHA-256 of the message's canonical bytes, as hex. */
int config_hash(const VisibilityConfig *config, char hex[CONFIG_HASH_BYTES]);

/* Reads a JSON file of the shape of an assignment's config. Free with protobuf_c_message_free_unpacked. */
int config_read(const char *path, VisibilityConfig **out, struct error *err);
