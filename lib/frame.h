/* SPDX-License-Identifier: Apache-2.0 */
/* NetprobeFrame transport: a 4-byte big-endian length, then that many bytes (docs/netprobe-ipc.md). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_HEADER_BYTES 4u
#define FRAME_MAX_PAYLOAD  (4u * 1024 * 1024)

/* Collects one frame from a stream. Memory grows with the bytes that really arrived (at most doubled), never with
 * what a header declares, and is given back after a large frame. Zero-initialised is ready. */
struct frame_reader {
	uint8_t *buf;
	size_t capacity, used;
};

void frame_reader_reset(struct frame_reader *r); /* frees the buffer; ready for a new connection */

/* Reads from a non-blocking descriptor until one frame is whole.
 * Returns 1 and a span inside the reader, valid until the next call; 0 when more bytes are needed (EAGAIN);
 * -EMSGSIZE when the header declares more than FRAME_MAX_PAYLOAD (nothing was allocated for it);
 * -EPIPE at a clean end between frames; -EPROTO at an end inside a frame; another negative errno of read(2). */
int frame_read(struct frame_reader *r, int fd, const uint8_t **payload, size_t *length);

/* Writes the 4-byte header for a payload of `length` bytes. Returns 0, or -EMSGSIZE above FRAME_MAX_PAYLOAD. */
int frame_header(uint8_t out[FRAME_HEADER_BYTES], size_t length);
