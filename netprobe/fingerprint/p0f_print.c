/* SPDX-License-Identifier: Apache-2.0 */
/* The raw signature of a packet, as p0f 3 prints it. */
#include <stdarg.h>
#include <stdio.h>

#include "netprobe/fingerprint/p0f.h"

/* The MSS that p0f's own prober sends: a stack that answers with it echoes what it gets. */
#define PROBE_MSS 1331

struct text {
	char *at;
	size_t left;
};

static void __attribute__((format(printf, 2, 3))) print(struct text *t, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(t->at, t->left, format, arguments);
	va_end(arguments);
	if (n > 0 && (size_t)n < t->left) {
		t->at += n;
		t->left -= (size_t)n;
	}
}

static void print_head(struct text *t, const struct p0f_packet *p)
{
	uint8_t distance = p0f_guess_distance(p->ttl);

	if (distance > P0F_DISTANCE_MAX)
		print(t, "%u:%u+?:%u:", p->ip_version, p->ttl, p->ip_options);
	else
		print(t, "%u:%u+%u:%u:", p->ip_version, p->ttl, distance, p->ip_options);
	if (p->answer && p->mss == PROBE_MSS)
		print(t, "*:");
	else
		print(t, "%u:", p->mss);
}

static void print_layout(struct text *t, const struct p0f_layout *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		const char *comma = i ? "," : "", *name = p0f_option_name(l->kinds[i]);

		if (l->kinds[i] == OPTION_EOL)
			print(t, "%seol+%u", comma, l->eol_padding);
		else if (name)
			print(t, "%s%s", comma, name);
		else
			print(t, "%s?%u", comma, l->kinds[i]);
	}
}

static void print_quirks(struct text *t, uint32_t quirks)
{
	const char *comma = "";

	for (unsigned i = 0; i < QUIRKS; i++)
		if (quirks & QUIRK(i)) {
			print(t, "%s%s", comma, p0f_quirk_names[i]);
			comma = ",";
		}
}

int p0f_signature(const struct packet *packet, uint16_t syn_mss, char out[P0F_BYTES])
{
	struct text t = { .at = out, .left = P0F_BYTES };
	struct p0f_multiple multiple;
	struct p0f_packet p;
	int r = p0f_read_packet(packet, &p);

	out[0] = '\0';
	if (r < 0)
		return r;
	multiple = p0f_window_multiple(&p, syn_mss);
	print_head(&t, &p);
	if (multiple.of == MULTIPLE_NONE)
		print(&t, "%u", p.window);
	else
		print(&t, "%s*%u", multiple.of == MULTIPLE_MTU ? "mtu" : "mss", multiple.times);
	print(&t, ",%u:", p.scale);
	print_layout(&t, &p.layout);
	print(&t, ":");
	print_quirks(&t, p.quirks);
	print(&t, p.payload ? ":+" : ":0");
	return 0;
}
