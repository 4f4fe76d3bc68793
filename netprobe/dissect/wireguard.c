/* SPDX-License-Identifier: Apache-2.0 */
/* WireGuard: message types, their sizes and reserved bytes ("WireGuard: Next Generation Kernel Network Tunnel", section 5.4).
 * Data is known by two packets of the same session with growing counters. */
#include "netprobe/dissect/cursor.h"
#include "netprobe/dissect/dissectors.h"

#define INITIATION_BYTES 148u
#define RESPONSE_BYTES   92u
#define COOKIE_BYTES     64u
#define DATA_MIN         32u
#define COUNTER_MAX      (UINT64_C(1) << 48)
#define COUNTER_STEP     (1u << 16)

enum { INITIATION = 1, RESPONSE, COOKIE, DATA };

struct data {
	uint32_t receiver;
	uint64_t counter;
};

static bool data_read(struct span s, struct data *d)
{
	struct cursor c = cursor_of(s);

	if (cursor_le32(&c) != DATA)
		return false;
	d->receiver = cursor_le32(&c);
	d->counter = cursor_le(&c, 8);
	return !c.failed && s.size >= DATA_MIN && s.size % 16 == 0 && d->receiver && d->counter < COUNTER_MAX;
}

/* mac2 is zero unless the peer is under load. */
static bool no_cookie(struct span s)
{
	static const uint8_t zero[16] = { 0 };

	return memcmp(s.data + s.size - sizeof(zero), zero, sizeof(zero)) == 0;
}

enum dissect_answer dissect_wireguard(const struct dissect_input *in, struct dissect_verdict *v)
{
	struct span s = in->stream[in->direction];
	struct data now, before;

	if (in->missing || s.size < DATA_MIN || s.data[1] || s.data[2] || s.data[3])
		return DISSECT_NO;
	switch (s.data[0]) {
	case INITIATION:
		return s.size == INITIATION_BYTES ? dissect_yes(v, no_cookie(s) ? 0.97F : 0.85F) : DISSECT_NO;
	case RESPONSE:
		return s.size == RESPONSE_BYTES ? dissect_yes(v, no_cookie(s) ? 0.95F : 0.8F) : DISSECT_NO;
	case COOKIE:
		return s.size == COOKIE_BYTES ? DISSECT_MORE : DISSECT_NO;
	case DATA:
		break;
	default:
		return DISSECT_NO;
	}
	if (!data_read(s, &now))
		return DISSECT_NO;
	for (unsigned i = 0; i < in->earlier_count; i++)
		if (in->earlier[i].direction == in->direction && data_read(in->earlier[i].bytes, &before) &&
		    before.receiver == now.receiver && now.counter > before.counter &&
		    now.counter - before.counter < COUNTER_STEP)
			return dissect_yes(v, 0.9F);
	return DISSECT_MORE;
}
