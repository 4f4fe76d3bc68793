/* SPDX-License-Identifier: Apache-2.0 */
/* The raw signature of a packet, as p0f 3 prints it. */
#include "netprobe/fingerprint/p0f.h"

/* The MSS that p0f's own prober sends: a stack that answers with it echoes what it gets. */
#define PROBE_MSS 1331

/* Text that is written: printf would take nine times as long, for each SYN. */
struct text {
	char *at, *end; /* where a NUL fits */
};

static void put(struct text *t, const char *s)
{
	while (*s && t->at < t->end)
		*t->at++ = *s++;
}

static void put_number(struct text *t, unsigned n)
{
	char digits[12], *p = digits + sizeof(digits);

	*--p = '\0';
	do {
		*--p = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	put(t, p);
}

static void put_head(struct text *t, const struct p0f_packet *p)
{
	uint8_t distance = p0f_guess_distance(p->ttl);

	put_number(t, p->ip_version);
	put(t, ":");
	put_number(t, p->ttl);
	put(t, "+");
	if (distance > P0F_DISTANCE_MAX)
		put(t, "?");
	else
		put_number(t, distance);
	put(t, ":");
	put_number(t, p->ip_options);
	put(t, ":");
	if (p->answer && p->mss == PROBE_MSS)
		put(t, "*");
	else
		put_number(t, p->mss);
}

static void put_window(struct text *t, const struct p0f_packet *p, uint16_t syn_mss)
{
	struct p0f_multiple multiple = p0f_window_multiple(p, syn_mss);

	if (multiple.of != MULTIPLE_NONE)
		put(t, multiple.of == MULTIPLE_MTU ? "mtu*" : "mss*");
	put_number(t, multiple.of == MULTIPLE_NONE ? p->window : multiple.times);
	put(t, ",");
	put_number(t, p->scale);
}

static void put_layout(struct text *t, const struct p0f_layout *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		const char *name = p0f_option_name(l->kinds[i]);

		put(t, i ? "," : "");
		if (name) {
			put(t, name);
			continue;
		}
		put(t, l->kinds[i] == OPTION_EOL ? "eol+" : "?");
		put_number(t, l->kinds[i] == OPTION_EOL ? l->eol_padding : l->kinds[i]);
	}
}

static void put_quirks(struct text *t, uint32_t quirks)
{
	const char *comma = "";

	for (unsigned i = 0; i < QUIRKS; i++)
		if (quirks & QUIRK(i)) {
			put(t, comma);
			put(t, p0f_quirk_names[i]);
			comma = ",";
		}
}

int p0f_signature(const struct packet *packet, uint16_t syn_mss, char out[P0F_BYTES])
{
	struct text t = { .at = out, .end = out + P0F_BYTES - 1 };
	struct p0f_packet p;
	int r = p0f_read_packet(packet, &p);

	if (r == 0) {
		put_head(&t, &p);
		put(&t, ":");
		put_window(&t, &p, syn_mss);
		put(&t, ":");
		put_layout(&t, &p.layout);
		put(&t, ":");
		put_quirks(&t, p.quirks);
		put(&t, p.payload ? ":+" : ":0");
	}
	*t.at = '\0';
	return r;
}
