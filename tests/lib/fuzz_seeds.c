/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_seeds DIR: writes the samples of the unit tests as inputs of the fuzzers, DIR/dissect-PROTOCOL/NAME and
 * DIR/classify/NAME. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/quic_build.h"
#include "tests/unit/samples.h"

#define BYTES_MAX 16384u

static void store(const char *directory, const char *fuzzer, const char *name, const uint8_t *bytes, size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, fuzzer);
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		perror(path);
		exit(1);
	}
	snprintf(path, sizeof(path), "%s/%s/%s", directory, fuzzer, name);
	f = fopen(path, "w");
	if (!f || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* As tests/fuzz/dissect.c and classify.c read it. */
static void sample(const char *directory, const char *name, const struct sample *s)
{
	uint8_t one[BYTES_MAX] = { s->tcp ? 7 : 6, 14 }, all[BYTES_MAX] = { 15 };
	char fuzzer[64];
	size_t n = 2, m = 1;

	for (unsigned i = 0; i < SAMPLE_PACKETS && s->packets[i].size; i++) {
		size_t size = s->packets[i].size;

		one[n++] = (uint8_t)(s->packets[i].direction << 7 | size >> 8);
		one[n++] = (uint8_t)size;
		memcpy(one + n, s->packets[i].bytes, size);
		n += size;
		all[m++] = (uint8_t)(s->packets[i].direction << 1);
		all[m++] = s->tcp ? 7 : 0x87;
		all[m++] = 0;
		all[m++] = 0;
		all[m++] = (uint8_t)(size >> 8);
		all[m++] = (uint8_t)size;
		memcpy(all + m, s->packets[i].bytes, size);
		m += size;
	}
	snprintf(fuzzer, sizeof(fuzzer), "dissect-%s", protocol_name(s->protocol));
	store(directory, fuzzer, name, one, n);
	store(directory, "classify", name, all, m);
}

int main(int argc, char **argv)
{
	static const char hello[] = CLIENT_HELLO;
	static const struct quic_build *const versions[] = { &quic_v1, &quic_v2, &quic_draft_29 };
	static const uint8_t segments[] = { 0, 10, 0, 20, 0, 0, 0, 5, 0, 5, 0, 10, 0x10, 0, 1, 0, 0, 0, 0x1f, 0xff };
	char name[64];

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < SAMPLES; i++) {
		snprintf(name, sizeof(name), "%s-%zu", protocol_name(samples[i].protocol), i);
		sample(argv[1], name, &samples[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		uint8_t frames[256], packets[2][1200];
		struct sample s = { .protocol = PROTOCOL_QUIC };

		for (unsigned n = 0; n < 2; n++) {
			quic_build(versions[i], "abcdefgh", "abcdefgh", (uint16_t)n, frames,
				   quic_crypto(frames, n * 50, hello + n * 50, n ? sizeof(hello) - 51 : 50), packets[n],
				   sizeof(packets[n]));
			s.packets[n].bytes = (const char *)packets[n];
			s.packets[n].size = sizeof(packets[n]);
		}
		snprintf(name, sizeof(name), "quic-%u", i);
		sample(argv[1], name, &s);
	}
	store(argv[1], "stream", "order", segments, sizeof(segments));
	return 0;
}
