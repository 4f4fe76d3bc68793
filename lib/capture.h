/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of a remote capture (docs/netprobe-ipc.md, "Capture"). */
#pragma once

#define CAPTURE_SNAPLEN_MAX  262144u
#define CAPTURE_DURATION_MAX 600u        /* s */
#define CAPTURE_BYTES_MAX    (1u << 30)
