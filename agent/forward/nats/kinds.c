/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/forward/forward.h"

const struct destination *const destinations[] = { &nats_destination, NULL };
