/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/forward/forward.h"

const struct destination *const destinations[] = { &journal_destination, &ipfix_destination, &syslog_destination, &otlp_destination, NULL };
