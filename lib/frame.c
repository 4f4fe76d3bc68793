/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAPACITY 4096u
#define KEEP_CAPACITY  (64u * 1024)

void frame_reader_reset(struct frame_reader *r)
{
	free(r->buf);
	*r = (struct frame_reader){ 0 };
}

static size_t declared_length(const struct frame_reader *r)
{
	return ((size_t)r->buf[0] << 24) | ((size_t)r->buf[1] << 16) | ((size_t)r->buf[2] << 8) | r->buf[3];
}

/* Doubles the buffer, never past what the frame needs. */
static int grow(struct frame_reader *r, size_t need)
{
	size_t capacity = r->capacity ? r->capacity * 2 : FIRST_CAPACITY;
	uint8_t *buf;

	if (r->used < r->capacity)
		return 0;
	if (capacity > need && need > r->used)
		capacity = need;
	buf = realloc(r->buf, capacity);
	if (!buf)
		return -ENOMEM;
	r->buf = buf;
	r->capacity = capacity;
	return 0;
}

int frame_read(struct frame_reader *r, int fd, const uint8_t **payload, size_t *length)
{
	/* The frame of the call before is still at the front when it was whole. */
	if (r->used >= FRAME_HEADER_BYTES && r->used == FRAME_HEADER_BYTES + declared_length(r)) {
		r->used = 0;
		if (r->capacity > KEEP_CAPACITY)
			frame_reader_reset(r);
	}
	for (;;) {
		size_t want = FRAME_HEADER_BYTES;
		ssize_t n;
		int err;

		if (r->used >= FRAME_HEADER_BYTES) {
			size_t declared = declared_length(r);

			if (declared > FRAME_MAX_PAYLOAD)
				return -EMSGSIZE;
			want += declared;
			if (r->used == want) {
				*payload = r->buf + FRAME_HEADER_BYTES;
				*length = declared;
				return 1;
			}
		}
		err = grow(r, want);
		if (err)
			return err;
		/* Never past this frame: the next one's bytes stay in the socket. */
		n = read(fd, r->buf + r->used, (want < r->capacity ? want : r->capacity) - r->used);
		if (n > 0) {
			r->used += (size_t)n;
			continue;
		}
		if (n == 0)
			return r->used ? -EPROTO : -EPIPE;
		if (errno == EINTR)
			continue;
		return errno == EAGAIN ? 0 : -errno;
	}
}

int frame_header(uint8_t out[FRAME_HEADER_BYTES], size_t length)
{
	if (length > FRAME_MAX_PAYLOAD)
		return -EMSGSIZE;
	out[0] = (uint8_t)(length >> 24);
	out[1] = (uint8_t)(length >> 16);
	out[2] = (uint8_t)(length >> 8);
	out[3] = (uint8_t)length;
	return 0;
}
