/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP_BYTES   (256u * 1024) /* of the buffer, when all of it is sent: a batch of events takes half */
#define DECODE_BYTES (4u * FRAME_MAX_PAYLOAD)
#define BLOCK_COST   32u /* what an allocation costs beside its bytes */

uint8_t *client_reserve(struct client *c, size_t size)
{
	size_t need = c->out_used + FRAME_HEADER_BYTES + size;
	uint8_t header[FRAME_HEADER_BYTES], *payload;

	if (frame_header(header, size) < 0)
		return NULL;
	if (need > c->out_size) {
		uint8_t *more = realloc(c->out, need * 2);

		if (!more)
			return NULL;
		c->out = more;
		c->out_size = need * 2;
	}
	memcpy(c->out + c->out_used, header, sizeof(header));
	payload = c->out + c->out_used + sizeof(header);
	c->out_used = need;
	return payload;
}

int client_append(struct client *c, const NetprobeFrame *frame)
{
	size_t size = protobuf_c_message_get_packed_size(&frame->base);
	uint8_t *payload = size <= FRAME_MAX_PAYLOAD ? client_reserve(c, size) : NULL;

	if (!payload)
		return size > FRAME_MAX_PAYLOAD ? -EMSGSIZE : -ENOMEM;
	protobuf_c_message_pack(&frame->base, payload);
	return 0;
}

int client_flush(struct client *c, size_t *done)
{
	*done = 0;
	while (c->out_sent < c->out_used) {
		ssize_t n = send(c->fd, c->out + c->out_sent, c->out_used - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->out_sent += (size_t)n;
	}
	*done = c->out_events;
	c->out_events = 0;
	c->out_used = c->out_sent = 0;
	if (c->out_size > KEEP_BYTES) {
		free(c->out);
		c->out = NULL;
		c->out_size = 0;
	}
	return 0;
}

/* protobuf-c makes an object for every element, and two bytes are enough for an element: without a limit a frame of 4 MiB
 * would become a hundred. */
struct budget {
	size_t left;
};

static void *budget_alloc(void *data, size_t size)
{
	struct budget *b = data;

	if (size + BLOCK_COST > b->left)
		return NULL;
	b->left -= size + BLOCK_COST;
	return malloc(size ? size : 1);
}

static void budget_free(void *data, void *p)
{
	(void)data;
	free(p);
}

NetprobeFrame *client_decode(const uint8_t *payload, size_t length)
{
	struct budget budget = { .left = DECODE_BYTES };
	ProtobufCAllocator allocator = { .alloc = budget_alloc, .free = budget_free, .allocator_data = &budget };

	return serviceradar__agent__netprobe__v1__netprobe_frame__unpack(&allocator, length, payload);
}

void client_free_frame(NetprobeFrame *frame)
{
	serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked(frame, NULL);
}

void client_close(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	frame_reader_reset(&c->in);
	free(c->out);
	*c = (struct client){ .fd = -1 };
}
