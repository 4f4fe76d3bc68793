/* SPDX-License-Identifier: Apache-2.0 */
/* One event of a class and device in an interval. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct sampler;

int sampler_new(struct sampler **out);
void sampler_free(struct sampler *s);

/* Whether an event of the device at `address` may be sent at `now_ns`, when one of `class` may be sent every `interval_ns`;
 * if so, that is noted. Bounded: of more than 16,384 pairs of device and class at once the oldest are forgotten, and then an
 * event more is sent. */
bool sampler_take(struct sampler *s, const uint8_t address[16], uint8_t family, uint32_t class, int64_t interval_ns, int64_t now_ns);
