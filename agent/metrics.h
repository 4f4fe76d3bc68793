/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus metrics over HTTP (prometheus.io, "Text-based format"): the in-agent add-on `metrics`. */
#pragma once

#include "agent/agent.h"

/* Listens on config.listen and config.port; a listener on another address is replaced when the new one stands. */
int metrics_on(struct agent *a, struct json_object *config, struct error *err);
void metrics_off(struct agent *a);

/* The text of a scrape (prometheus.io, "Text-based format"), malloc'd; NULL without memory. */
char *metrics_text(const struct agent *a, size_t *size);
