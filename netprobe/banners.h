/* SPDX-License-Identifier: Apache-2.0 */
/* BannerBatch: banners that the agent collected, named by the built-in table. */
#pragma once

#include "netprobe/client.h"

/* More observations than this, and the reply might not fit a frame. */
#define BANNERS_MAX 16384u

/* Appends the BannerMatchBatch, one match for each observation and in their order; or, above BANNERS_MAX, an ErrorFrame
 * "banner_batch_too_large". 0, or an error of client_append. */
int banners_answer(struct client *c, const NetprobeFrame *request);
