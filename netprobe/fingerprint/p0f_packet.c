/* SPDX-License-Identifier: Apache-2.0 */
/* What a SYN or SYN+ACK shows of the stack that sent it, as p0f 3 looks at it. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "netprobe/bytes.h"
#include "netprobe/fingerprint/p0f.h"

const char *const p0f_quirk_names[QUIRKS] = {
	[QUIRK_DF] = "df",
	[QUIRK_ID_NZ] = "id+",
	[QUIRK_ID_ZERO] = "id-",
	[QUIRK_ECN] = "ecn",
	[QUIRK_MBZ] = "0+",
	[QUIRK_FLOW] = "flow",
	[QUIRK_SEQ_ZERO] = "seq-",
	[QUIRK_ACK_NZ] = "ack+",
	[QUIRK_ACK_ZERO] = "ack-",
	[QUIRK_URGENT_NZ] = "uptr+",
	[QUIRK_URGENT] = "urgf+",
	[QUIRK_PUSH] = "pushf+",
	[QUIRK_TS1_ZERO] = "ts1-",
	[QUIRK_TS2_NZ] = "ts2+",
	[QUIRK_EOL_NZ] = "opt+",
	[QUIRK_SCALE] = "exws",
	[QUIRK_BAD] = "bad",
};

const char *p0f_option_name(uint8_t kind)
{
	static const char *const names[] = {
		[OPTION_NOP] = "nop", [OPTION_MSS] = "mss", [OPTION_WS] = "ws",
		[OPTION_SOK] = "sok", [OPTION_SACK] = "sack", [OPTION_TS] = "ts",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : NULL;
}

static void add_if(struct p0f_packet *out, bool seen, enum p0f_quirk q)
{
	if (seen)
		out->quirks |= QUIRK(q);
}

static int read_ipv4(const struct packet *p, struct p0f_packet *out)
{
	const uint8_t *h = p->ip.data;
	size_t header;
	bool fragmentable, id;

	if (p->ip.size < 20)
		return -EBADMSG;
	header = (h[0] & 0x0f) * 4u;
	if (header < 20 || p->transport.data != h + header)
		return -EBADMSG;
	fragmentable = !(h[6] & 0x40);
	id = get_be16(h + 4) != 0;
	out->ip_version = 4;
	out->ip_options = (uint8_t)(header - 20);
	out->headers = (uint16_t)header;
	add_if(out, !fragmentable, QUIRK_DF);
	add_if(out, !fragmentable && id, QUIRK_ID_NZ);
	add_if(out, fragmentable && !id, QUIRK_ID_ZERO);
	add_if(out, h[1] & 0x03, QUIRK_ECN);
	add_if(out, h[6] & 0x80, QUIRK_MBZ);
	return 0;
}

static int read_ipv6(const struct packet *p, struct p0f_packet *out)
{
	const uint8_t *h = p->ip.data;

	if (p->ip.size < 40 || p->transport.data != h + 40)
		return -EBADMSG;
	out->ip_version = 6;
	out->headers = 40;
	add_if(out, h[1] & 0x30, QUIRK_ECN);
	add_if(out, get_be32(h) & 0x000fffff, QUIRK_FLOW);
	return 0;
}

/* The end of the options: what is left is padding, which ought to be zeros. p0f does not look at its last byte. */
static void read_eol(struct span left, struct p0f_packet *out)
{
	out->layout.eol_padding = (uint8_t)left.size;
	for (size_t i = 0; i + 1 < left.size; i++)
		add_if(out, left.data[i], QUIRK_EOL_NZ);
}

/* An option with a length; `o` begins with its kind. Returns how many bytes it takes, or 0 when it cannot be read on. A length
 * other than that of its kind is bad, but the option is read as if it were right. */
static size_t read_option(struct span o, struct p0f_packet *out)
{
	static const uint8_t sizes[] = { [OPTION_MSS] = 4, [OPTION_WS] = 3, [OPTION_SOK] = 2, [OPTION_TS] = 10 };
	uint8_t kind = o.data[0];
	size_t size = kind < sizeof(sizes) ? sizes[kind] : 0;

	if (o.size < 2 || o.size < size)
		return 0;
	if (size == 0) {
		bool sack = kind == OPTION_SACK;

		size = o.data[1];
		return size < (sack ? 10 : 2) || size > (sack ? 34 : 40) || size > o.size ? 0 : size;
	}
	add_if(out, o.data[1] != size, QUIRK_BAD);
	switch (kind) {
	case OPTION_MSS:
		out->mss = get_be16(o.data + 2);
		break;
	case OPTION_WS:
		out->scale = o.data[2];
		add_if(out, out->scale > 14, QUIRK_SCALE);
		break;
	case OPTION_TS:
		out->timestamp = get_be32(o.data + 2) != 0;
		add_if(out, !out->timestamp, QUIRK_TS1_ZERO);
		add_if(out, !out->answer && get_be32(o.data + 6), QUIRK_TS2_NZ);
		break;
	default:
		break;
	}
	return size;
}

static void read_options(struct span left, struct p0f_packet *out)
{
	while (left.size > 0 && out->layout.count < P0F_OPTIONS_MAX) {
		uint8_t kind = left.data[0];
		size_t size = 1;

		out->layout.kinds[out->layout.count++] = kind;
		if (kind == OPTION_EOL) {
			read_eol((struct span){ left.data + 1, left.size - 1 }, out);
			return;
		}
		if (kind != OPTION_NOP)
			size = read_option(left, out);
		if (size == 0)
			break;
		left.data += size;
		left.size -= size;
	}
	add_if(out, left.size > 0, QUIRK_BAD);
}

int p0f_read_packet(const struct packet *p, struct p0f_packet *out)
{
	const uint8_t *t = p->transport.data;
	size_t header;
	unsigned flags;
	int r;

	*out = (struct p0f_packet){ .ttl = p->ttl, .payload = p->payload_bytes > 0 };
	if (p->protocol != IPPROTO_TCP || p->fragment || p->transport.size < 20)
		return -EBADMSG;
	header = (size_t)(t[12] >> 4) * 4;
	flags = t[13];
	if (header < 20 || header > p->transport.size ||
	    (flags & (PACKET_SYN | PACKET_FIN | PACKET_RST)) != PACKET_SYN)
		return -EBADMSG;
	r = p->family == AF_INET ? read_ipv4(p, out) : read_ipv6(p, out);
	if (r < 0)
		return r;
	out->answer = flags & PACKET_ACK;
	out->headers = (uint16_t)(out->headers + header);
	out->window = get_be16(t + 14);
	add_if(out, (flags & (PACKET_ECE | PACKET_CWR)) || (t[12] & 0x01), QUIRK_ECN); /* 0x01: NS, RFC 3540 */
	add_if(out, get_be32(t + 4) == 0, QUIRK_SEQ_ZERO);
	/* p0f looks at this one bit of the number only (on x86 and ARM): as its signatures were taken so, we do the same. */
	add_if(out, !out->answer && (t[8] & 0x01), QUIRK_ACK_NZ);
	add_if(out, out->answer && get_be32(t + 8) == 0, QUIRK_ACK_ZERO);
	add_if(out, !(flags & PACKET_URG) && get_be16(t + 18) != 0, QUIRK_URGENT_NZ);
	add_if(out, flags & PACKET_URG, QUIRK_URGENT);
	add_if(out, flags & PACKET_PSH, QUIRK_PUSH);
	read_options((struct span){ t + 20, header - 20 }, out);
	return 0;
}

uint16_t p0f_mss(const struct packet *p)
{
	struct p0f_packet shown;

	return p0f_read_packet(p, &shown) == 0 ? shown.mss : 0;
}

uint8_t p0f_guess_distance(uint8_t ttl)
{
	return (uint8_t)((ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl);
}

/* Stacks choose a window that is a multiple of what fits a packet: the MSS, sometimes less a timestamp's 12 bytes, sometimes
 * that of another interface (1,500 bytes), of the packet's own size, or of the other end. The first that divides it counts.
 */
struct p0f_multiple p0f_window_multiple(const struct p0f_packet *p, uint16_t syn_mss)
{
	const int ipv6 = p->ip_version == 6, mss = p->mss;
	const struct {
		int divisor, of;
	} tries[] = {
		{ mss, MULTIPLE_MSS },
		{ p->timestamp ? mss - 12 : 0, MULTIPLE_MSS },
		{ 1460, MULTIPLE_MSS },
		{ 1448, MULTIPLE_MSS },
		{ ipv6 ? 1440 : 0, MULTIPLE_MSS },
		{ ipv6 ? 1428 : 0, MULTIPLE_MSS },
		{ mss + 40, MULTIPLE_MTU },
		{ mss + p->headers, MULTIPLE_MTU },
		{ ipv6 ? mss + 60 : 0, MULTIPLE_MTU },
		{ 1500, MULTIPLE_MTU },
		{ syn_mss, MULTIPLE_MSS },
		{ syn_mss ? syn_mss - 12 : 0, MULTIPLE_MSS },
	};

	if (p->window == 0 || mss < 100)
		return (struct p0f_multiple){ .of = MULTIPLE_NONE };
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		if (tries[i].divisor > 0 && p->window % tries[i].divisor == 0)
			return (struct p0f_multiple){ (unsigned)tries[i].of, (uint16_t)(p->window / tries[i].divisor) };
	return (struct p0f_multiple){ .of = MULTIPLE_NONE };
}
