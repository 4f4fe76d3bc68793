/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/dissect */
/* One dissector: the program's name says which (dissect-tls, …). Two bytes choose transport, ports and what was seen; then come
 * pieces, each behind a direction and a length: segments of two streams, or datagrams. Every span is memory of exactly its
 * size. */
#include "netprobe/dissect/dissect.h"
#include "tests/fuzz/fuzz.h"

#define PIECES 16u

static const struct dissector *chosen;

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *name = strrchr((*argv)[0], '-');
	unsigned count;
	const struct dissector *d = dissectors(&count);

	(void)argc;
	for (unsigned i = 0; i < count && name; i++)
		if (d[i].protocol == protocol_from_name(name + 1))
			chosen = &d[i];
	if (!chosen) {
		fprintf(stderr, "%s: the name does not end with -PROTOCOL\n", (*argv)[0]);
		exit(1);
	}
	return 0;
}

static void handout(void *userdata, enum handout kind, struct span bytes)
{
	uint32_t *seen = userdata;

	/* Once each, and readable to the end. */
	if (*seen & 1u << kind || kind > HANDOUT_KEXINIT_SERVER)
		abort();
	*seen |= 1u << kind;
	for (size_t i = 0; i < bytes.size; i++)
		*(volatile const uint8_t *)(bytes.data + i);
}

static void ask(dissect_fn *fn, const struct dissect_input *in)
{
	struct dissect_verdict v = { 0 };

	switch (fn(in, &v)) {
	case DISSECT_YES:
		if (!(v.confidence > 0) || v.confidence > 1)
			abort();
		break;
	case DISSECT_NO:
	case DISSECT_MORE:
		break;
	default:
		abort();
	}
}

static uint8_t *copy_of(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t ports[] = { 40001, 21,   22,   25,   53,   67,   69,   80,   123,  137,  138,
					  139,   161,  389,  443,  445,  514,  546,  554,  853,  1883, 1900,
					  3306,  3389, 3478, 5060, 5353, 5355, 5432, 6379, 6881, 11211 };
	struct dissect_earlier earlier[PIECES];
	uint8_t *stream[2] = { NULL, NULL };
	size_t used[2] = { 0, 0 };
	uint32_t handed = 0, seen = 0;
	struct dissect_input in = { .handed = &handed, .handout = handout, .userdata = &seen, .earlier = earlier };
	bool tcp;

	if (size < 2)
		return 0;
	tcp = chosen->tcp && (!chosen->udp || data[0] & 1);
	in.tcp = tcp;
	in.whole[0] = data[0] & 2;
	in.whole[1] = data[0] & 4;
	in.missing = !tcp && data[0] & 8 ? 100 : 0;
	in.port[0] = 40000;
	in.port[1] = ports[data[1] % (sizeof(ports) / sizeof(ports[0]))];
	data += 2;
	size -= 2;
	for (unsigned n = 0; n < PIECES && size >= 2; n++) {
		unsigned d = data[0] >> 7;
		size_t piece = (size_t)(data[0] & 0x7f) << 8 | data[1];
		uint8_t *bytes;

		data += 2;
		size -= 2;
		if (piece > size)
			piece = size;
		if (!piece)
			continue;
		in.direction = d;
		in.packets++;
		in.last = in.packets == PIECES || size == piece;
		if (tcp) {
			uint8_t *longer = malloc(used[d] + piece);

			if (!longer)
				abort();
			if (used[d])
				memcpy(longer, stream[d], used[d]);
			memcpy(longer + used[d], data, piece);
			free(stream[d]);
			stream[d] = longer;
			in.offset = used[d];
			used[d] += piece;
			in.stream[d] = (struct span){ longer, used[d] };
			ask(chosen->tcp, &in);
		} else {
			bytes = copy_of(data, piece);
			in.stream[d] = (struct span){ bytes, piece };
			in.stream[!d] = (struct span){ NULL, 0 };
			ask(chosen->udp, &in);
			earlier[in.earlier_count].bytes = in.stream[d];
			earlier[in.earlier_count].direction = d;
			if (in.earlier_count < DISSECT_EARLIER_MAX)
				in.earlier_count++;
			else
				free(bytes);
		}
		data += piece;
		size -= piece;
	}
	free(stream[0]);
	free(stream[1]);
	for (unsigned i = 0; !tcp && i < in.earlier_count; i++)
		free((uint8_t *)(uintptr_t)earlier[i].bytes.data);
	return 0;
}
