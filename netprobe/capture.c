/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "netprobe/link.h"
#include "netprobe/pcapng.h"
#include "netprobe/privilege.h"

#define PB(name)   Serviceradar__Agent__Netprobe__V1__##name
#define DIRECTION(d) SERVICERADAR__AGENT__NETPROBE__V1__CAPTURE_DIRECTION__CAPTURE_DIRECTION_##d

/* The ring: TPACKET_V3, Documentation/networking/packet_mmap.rst. */
#define RING_BLOCK_BYTES (1u << 20) /* holds the longest packet */
#define RING_BLOCKS      16u
#define RING_RETIRE_MS   40u        /* a block that is not full is handed over after this long */
#define DRAIN_USEC       120000u    /* after a stop: the block that was open is handed over by then */
#define DRAIN_MAX_USEC   800000u    /* what a slow reader has not taken by then is dropped */

struct capture {
	sd_event *event;
	sd_event_source *ring_source, *timer;
	struct capture_host host;
	char *session, *actor;
	char interface[IF_NAMESIZE];
	int fd, link_type;
	uint32_t snaplen;
	uint64_t byte_cap, window;      /* window 0: none; else how many bytes may be sent in all */
	uint64_t sequence;
	bool comments, begun, drained, finished;
	uint8_t *ring;
	unsigned block;                 /* the next one to be read */
	uint32_t left;                  /* packets in it that were not taken */
	const struct tpacket3_hdr *next; /* the first of them */
	CaptureReason reason;
	uint64_t ended_usec;
	uint64_t packets, dropped, bytes;
	uint8_t *out;                   /* one frame's bytes */
	size_t out_used;
};

/* Room for a frame, and for the packet that goes beyond it. */
#define OUT_BYTES (CAPTURE_FRAME_BYTES + PCAPNG_PACKET_OVERHEAD + CAPTURE_COMMENT_MAX + CAPTURE_SNAPLEN_MAX + 8)
_Static_assert(OUT_BYTES + 1024 < FRAME_MAX_PAYLOAD && PCAPNG_HEADER_MAX < CAPTURE_FRAME_BYTES, "a block fits its frame");

static uint64_t now_usec(const struct capture *c)
{
	uint64_t now = 0;

	(void)sd_event_now(c->event, CLOCK_MONOTONIC, &now);
	return now;
}

/* ---- what is asked ---- */

static int refuse(const char **code, const char *which, struct error *err, const char *why)
{
	*code = which;
	return error_set(err, -EINVAL, "%s", why);
}

bool capture_allowed(const VisibilityConfig *config, const char *interface)
{
	for (size_t i = 0; config && config->enabled && i < config->n_capture_interfaces; i++)
		if (strcmp(config->capture_interfaces[i], interface) == 0)
			return true;
	return false;
}

static int check(const CaptureRequest *r, const VisibilityConfig *config, const char **code, struct error *err)
{
	if (!*r->session_id || !*r->actor || strlen(r->session_id) > 128 || strlen(r->actor) > 256)
		return refuse(code, "capture_unattributed", err, "session_id and actor must be set, to at most 128 and 256 bytes");
	if (r->n_interfaces != 1)
		return refuse(code, "capture_interface_count", err, "exactly one interface is captured at a time");
	if (!capture_allowed(config, r->interfaces[0]))
		return refuse(code, "capture_interface_denied", err, "the interface is not in capture_interfaces of the config in force");
	if (r->snaplen > CAPTURE_SNAPLEN_MAX)
		return refuse(code, "capture_snaplen_invalid", err, "snaplen: more than 262144");
	return 0;
}

/* ARPHRD_* to LINKTYPE_*: Ethernet and what looks like it; IP packets without a link layer. -1 for others. */
static int link_type_of(unsigned hardware)
{
	switch (hardware) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return LINKTYPE_ETHERNET;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
		return LINKTYPE_RAW;
	default:
		return -1;
	}
}

static int look_at(struct capture *c, bool *loopback, int *ifindex, const char **code, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = { .ifr_flags = 0 };

	memcpy(r.ifr_name, c->interface, sizeof(r.ifr_name));
	*code = "capture_ring_failed";
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &r) < 0)
		return error_set(err, -errno, "%s: %s", c->interface, strerror(errno));
	*loopback = r.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	c->link_type = link_type_of(r.ifr_hwaddr.sa_family);
	if (c->link_type < 0)
		return error_set(err, -EAFNOSUPPORT, "%s: packets of its kind (ARPHRD %u) are not captured", c->interface, r.ifr_hwaddr.sa_family);
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return error_set(err, -errno, "%s: %s", c->interface, strerror(errno));
	if (!(r.ifr_flags & IFF_UP))
		return error_set(err, -ENETDOWN, "%s: the interface is down", c->interface);
	if (ioctl(fd, SIOCGIFINDEX, &r) < 0)
		return error_set(err, -errno, "%s: %s", c->interface, strerror(errno));
	*ifindex = r.ifr_ifindex;
	return 0;
}

/* Of loopback each packet is seen going and coming: once is enough, as in tcpdump. */
static enum capture_pass pass_of(PB(CaptureDirection) d, bool loopback)
{
	if (d == DIRECTION(EGRESS))
		return CAPTURE_PASS_OUTGOING;
	return d == DIRECTION(INGRESS) || loopback ? CAPTURE_PASS_INCOMING : CAPTURE_PASS_ALL;
}

/* ---- the packet socket ---- */

/* The capability is needed for the call alone. */
static int packet_socket(struct error *err)
{
	int fd, r = privilege_raise(err);

	if (r < 0)
		return r;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* protocol 0: nothing comes before it is bound */
	r = fd < 0 ? error_set(err, -errno, "a packet socket: %s", strerror(errno)) : fd;
	privilege_lower();
	return r;
}

static int open_ring(struct capture *c, const struct sock_fprog *filter, int ifindex, bool promiscuous, struct error *err)
{
	const struct tpacket_req3 ring = { .tp_block_size = RING_BLOCK_BYTES, .tp_block_nr = RING_BLOCKS,
					   .tp_frame_size = RING_BLOCK_BYTES, .tp_frame_nr = RING_BLOCKS, .tp_retire_blk_tov = RING_RETIRE_MS };
	const struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex };
	const struct packet_mreq all = { .mr_ifindex = ifindex, .mr_type = PACKET_MR_PROMISC };
	const int version = TPACKET_V3;
	void *map;

	c->fd = packet_socket(err);
	if (c->fd < 0)
		return c->fd;
	if (setsockopt(c->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(c->fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0)
		return error_set(err, -errno, "the packet ring: %s", strerror(errno));
	map = mmap(NULL, (size_t)RING_BLOCK_BYTES * RING_BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (map == MAP_FAILED)
		return error_set(err, -errno, "the packet ring: %s", strerror(errno));
	c->ring = map;
	if (setsockopt(c->fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof(*filter)) < 0)
		return error_set(err, -errno, "the filter: %s", strerror(errno));
	if (bind(c->fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
	    (promiscuous && setsockopt(c->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0))
		return error_set(err, -errno, "%s: %s", c->interface, strerror(errno));
	return 0;
}

/* The kernel forgets its counts with each look. */
static void count_drops(struct capture *c)
{
	struct tpacket_stats_v3 s = { .tp_drops = 0 };
	socklen_t size = sizeof(s);

	if (getsockopt(c->fd, SOL_PACKET, PACKET_STATISTICS, &s, &size) == 0)
		c->dropped += s.tp_drops;
}

static void close_ring(struct capture *c)
{
	c->ring_source = sd_event_source_disable_unref(c->ring_source);
	if (c->ring)
		(void)munmap(c->ring, (size_t)RING_BLOCK_BYTES * RING_BLOCKS);
	c->ring = NULL;
	c->left = 0;
	if (c->fd >= 0) {
		count_drops(c);
		close(c->fd);
	}
	c->fd = -1;
}

static struct tpacket_block_desc *block_at(const struct capture *c)
{
	return (struct tpacket_block_desc *)(void *)(c->ring + (size_t)c->block * RING_BLOCK_BYTES);
}

/* The next packet that waits, or NULL. */
static const struct tpacket3_hdr *peek(struct capture *c)
{
	while (c->ring && !c->left) {
		struct tpacket_block_desc *b = block_at(c);

		if (!(b->hdr.bh1.block_status & TP_STATUS_USER))
			return NULL;
		atomic_thread_fence(memory_order_acquire);
		c->left = b->hdr.bh1.num_pkts;
		c->next = (const struct tpacket3_hdr *)(const void *)((const uint8_t *)b + b->hdr.bh1.offset_to_first_pkt);
		if (!c->left) { /* empty, and handed over all the same */
			b->hdr.bh1.block_status = TP_STATUS_KERNEL;
			c->block = (c->block + 1) % RING_BLOCKS;
		}
	}
	return c->ring ? c->next : NULL;
}

static void advance(struct capture *c)
{
	c->next = (const struct tpacket3_hdr *)(const void *)((const uint8_t *)c->next + c->next->tp_next_offset);
	if (--c->left)
		return;
	atomic_thread_fence(memory_order_release);
	block_at(c)->hdr.bh1.block_status = TP_STATUS_KERNEL;
	c->block = (c->block + 1) % RING_BLOCKS;
}

/* ---- packets ---- */

static uint32_t flags_of(const struct sockaddr_ll *from)
{
	switch (from->sll_pkttype) {
	case PACKET_OUTGOING:
		return PCAPNG_OUTBOUND;
	case PACKET_BROADCAST:
		return PCAPNG_INBOUND | PCAPNG_BROADCAST;
	case PACKET_MULTICAST:
		return PCAPNG_INBOUND | PCAPNG_MULTICAST;
	case PACKET_OTHERHOST:
		return PCAPNG_INBOUND | PCAPNG_PROMISCUOUS;
	default:
		return PCAPNG_INBOUND | PCAPNG_UNICAST;
	}
}

#define LL_AT     ((sizeof(struct tpacket3_hdr) + TPACKET_ALIGNMENT - 1) / TPACKET_ALIGNMENT * TPACKET_ALIGNMENT)
#define TAG_AT    (2 * ETH_ALEN)
#define TAG_BYTES 4u

/* The packet as it was on the wire: a VLAN tag that the device took out is put back. `tag` is memory for it. */
static void describe(const struct capture *c, const struct tpacket3_hdr *h, uint8_t tag[TAG_BYTES], struct pcapng_packet *out)
{
	const uint8_t *frame = (const uint8_t *)h + h->tp_mac;
	size_t size = h->tp_snaplen;
	bool tagged = c->link_type == LINKTYPE_ETHERNET && (h->tp_status & TP_STATUS_VLAN_VALID) && size >= TAG_AT;
	uint16_t type = h->tp_status & TP_STATUS_VLAN_TPID_VALID ? h->hv1.tp_vlan_tpid : ETH_P_8021Q, tci = (uint16_t)h->hv1.tp_vlan_tci;
	size_t first;

	if (size + (tagged ? TAG_BYTES : 0) > c->snaplen)
		size = c->snaplen - (tagged && c->snaplen >= TAG_AT + TAG_BYTES ? TAG_BYTES : 0);
	tagged = tagged && c->snaplen >= TAG_AT + TAG_BYTES;
	first = tagged ? TAG_AT : size;
	tag[0] = (uint8_t)(type >> 8);
	tag[1] = (uint8_t)type;
	tag[2] = (uint8_t)(tci >> 8);
	tag[3] = (uint8_t)tci;
	*out = (struct pcapng_packet){
		.time_ns = (int64_t)h->tp_sec * 1000000000 + h->tp_nsec,
		.wire_bytes = h->tp_len + (tagged ? TAG_BYTES : 0),
		.flags = flags_of((const struct sockaddr_ll *)(const void *)((const uint8_t *)h + LL_AT)),
		.parts = { { frame, first }, { tag, tagged ? TAG_BYTES : 0 }, { frame + first, size - first } },
	};
}

static void comment_on(const struct capture *c, const struct tpacket3_hdr *h, char text[CAPTURE_COMMENT_MAX])
{
	const struct span frame = { (const uint8_t *)h + h->tp_mac, h->tp_snaplen };
	struct packet p = { .time_ns = 0 };

	*text = '\0';
	(void)packet_parse(&p, c->link_type, frame, h->tp_len);
	if (p.family && !p.fragment_offset)
		c->host.comment(c->host.userdata, &p, text);
}

/* Packets into one frame, as long as caps and window allow. */
static void take_packets(struct capture *c)
{
	const struct tpacket3_hdr *h;

	while (c->out_used < CAPTURE_FRAME_BYTES && (h = peek(c))) {
		char comment[CAPTURE_COMMENT_MAX] = "";
		uint8_t tag[TAG_BYTES];
		struct pcapng_packet p;
		uint64_t after;

		describe(c, h, tag, &p);
		if (c->comments)
			comment_on(c, h, comment);
		p.comment = comment;
		after = c->bytes + c->out_used + pcapng_packet_size(&p);
		if (after > c->byte_cap) {
			if (!c->reason)
				c->reason = CAPTURE_REASON(BYTE_CAP);
			c->drained = true;
			return;
		}
		if (c->window && after > c->window)
			return;
		c->out_used += pcapng_packet_write(c->out + c->out_used, &p);
		c->packets++;
		advance(c);
	}
}

static int append(struct capture *c, struct client *to, bool final)
{
	PB(PcapngBlock) block = SERVICERADAR__AGENT__NETPROBE__V1__PCAPNG_BLOCK__INIT;
	NetprobeFrame frame = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT;
	int r;

	c->bytes += c->out_used;
	block.session_id = c->session;
	block.bytes = (ProtobufCBinaryData){ c->out_used, c->out };
	block.final = final;
	block.termination_reason = final ? c->reason : CAPTURE_REASON(UNSPECIFIED);
	block.packets_captured = c->packets;
	block.packets_dropped = c->dropped;
	block.bytes_streamed = c->bytes;
	frame.sequence = c->sequence;
	frame.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_PCAPNG_BLOCK;
	frame.pcapng_block = &block;
	r = client_append(to, &frame);
	c->sequence = 0;
	c->out_used = 0;
	return r < 0 ? r : 1;
}

/* Packets that nobody will take. */
static void drop_rest(struct capture *c)
{
	if (c->reason == CAPTURE_REASON(BYTE_CAP)) /* asked for no more of them */
		return;
	for (; peek(c); advance(c))
		c->dropped++;
}

static int finish(struct capture *c, struct client *to)
{
	drop_rest(c);
	close_ring(c);
	c->finished = true;
	return append(c, to, true);
}

int capture_send(struct capture *c, struct client *to)
{
	uint64_t since = c->reason ? now_usec(c) - c->ended_usec : 0;

	if (c->finished)
		return 0;
	if (c->ring_source)
		(void)sd_event_source_set_enabled(c->ring_source, SD_EVENT_ON);
	if (!c->begun) { /* out_used is the header's already */
		c->begun = true;
		return append(c, to, false);
	}
	take_packets(c);
	if (c->reason && !c->out_used && (c->drained || since >= DRAIN_USEC) && (c->drained || !peek(c) || since >= DRAIN_MAX_USEC))
		return finish(c, to);
	if (!c->out_used) {
		/* With packets that may not be sent yet it would not let go of the loop. */
		if (c->ring_source && c->left)
			(void)sd_event_source_set_enabled(c->ring_source, SD_EVENT_OFF);
		return 0;
	}
	return append(c, to, false);
}

/* ---- events ---- */

void capture_stop(struct capture *c, CaptureReason reason)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog filter = { .len = 1, .filter = &nothing };

	if (c->reason)
		return;
	c->reason = reason;
	c->ended_usec = now_usec(c);
	(void)setsockopt(c->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
	(void)sd_event_source_set_time(c->timer, c->ended_usec + DRAIN_USEC);
	(void)sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata)
{
	struct capture *c = userdata;

	(void)usec;
	if (!c->reason) {
		capture_stop(c, CAPTURE_REASON(DURATION_CAP));
	} else { /* until it is closed: a reader that is slow is asked again */
		(void)sd_event_source_set_time(s, now_usec(c) + DRAIN_USEC);
		(void)sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	}
	c->host.ready(c->host.userdata);
	return 0;
}

static int on_ring(sd_event_source *s, int fd, uint32_t events, void *userdata)
{
	struct capture *c = userdata;
	int error = 0;
	socklen_t size = sizeof(error);

	/* What is appended is not taken twice; capture_send turns it on again. */
	(void)sd_event_source_set_enabled(s, SD_EVENT_OFF);
	if ((events & (EPOLLERR | EPOLLHUP)) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error)
		capture_stop(c, CAPTURE_REASON(INTERFACE_DOWN));
	c->host.ready(c->host.userdata);
	return 0;
}

static int prepare(struct capture *c, const CaptureRequest *r, const char **code, struct error *err)
{
	struct sock_fprog program = { .filter = NULL };
	bool loopback = false;
	int ifindex = 0;
	int e = look_at(c, &loopback, &ifindex, code, err);

	if (e == 0)
		e = capture_filter(r, c->link_type, c->snaplen, pass_of(r->direction, loopback), &program, code, err);
	if (e == 0) {
		*code = "capture_ring_failed";
		e = open_ring(c, &program, ifindex, r->promiscuous, err);
	}
	free(program.filter);
	return e;
}

static int start(struct capture *c, const CaptureRequest *r, struct error *err)
{
	uint32_t seconds = r->duration_s ? r->duration_s : CAPTURE_DURATION;
	const char *expression = capture_expression(r);
	int e;

	c->out = malloc(OUT_BYTES);
	if (!c->out)
		return -ENOMEM;
	c->out_used = pcapng_header(c->out, c->link_type, c->snaplen, c->interface, expression ? expression : "");
	if (seconds > CAPTURE_DURATION_MAX)
		seconds = CAPTURE_DURATION_MAX;
	e = sd_event_add_io(c->event, &c->ring_source, c->fd, EPOLLIN, on_ring, c);
	if (e >= 0)
		e = sd_event_add_time_relative(c->event, &c->timer, CLOCK_MONOTONIC, seconds * UINT64_C(1000000), 1000, on_timer, c);
	return e < 0 ? error_set(err, e, "the event loop: %s", strerror(-e)) : 0;
}

int capture_open(struct capture **out, sd_event *event, const CaptureRequest *r, uint64_t sequence, const VisibilityConfig *config,
		 const struct capture_host *host, const char **code, struct error *err)
{
	struct capture *c;
	int e = check(r, config, code, err);

	*out = NULL;
	if (e < 0)
		return e;
	*code = "capture_ring_failed";
	c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, -ENOMEM, "out of memory");
	c->fd = -1;
	c->event = event;
	c->host = *host;
	c->sequence = sequence;
	c->session = strdup(r->session_id);
	c->actor = strdup(r->actor);
	c->snaplen = r->snaplen ? r->snaplen : CAPTURE_SNAPLEN_MAX;
	c->byte_cap = r->byte_cap && r->byte_cap < CAPTURE_BYTES_MAX ? r->byte_cap : (r->byte_cap ? CAPTURE_BYTES_MAX : CAPTURE_BYTES);
	c->window = r->window;
	c->comments = r->process_comments;
	(void)snprintf(c->interface, sizeof(c->interface), "%s", r->interfaces[0]);
	if (!c->session || !c->actor)
		e = error_set(err, -ENOMEM, "out of memory");
	if (e == 0)
		e = prepare(c, r, code, err);
	if (e == 0)
		e = start(c, r, err);
	if (e < 0) {
		capture_close(c);
		return e;
	}
	log_event(LOG_LEVEL_INFO, "capture started", "session", c->session, "actor", c->actor, "interface", c->interface, NULL);
	*out = c;
	return 0;
}

bool capture_finished(const struct capture *c)
{
	return c->finished;
}

void capture_credit(struct capture *c, uint64_t bytes)
{
	if (c->window && bytes > c->window)
		c->window = bytes;
}

const char *capture_session(const struct capture *c)
{
	return c->session;
}

const char *capture_interface(const struct capture *c)
{
	return c->interface;
}

static const char *reason_name(CaptureReason r)
{
	static const char *const names[] = { "unspecified", "duration cap", "byte cap", "client cancel", "agent disconnect", "filter error",
					     "interface down" };

	return names[(unsigned)r < sizeof(names) / sizeof(names[0]) ? r : 0];
}

static void log_result(const struct capture *c)
{
	char packets[24], dropped[24], bytes[24];

	(void)snprintf(packets, sizeof(packets), "%" PRIu64, c->packets);
	(void)snprintf(dropped, sizeof(dropped), "%" PRIu64, c->dropped);
	(void)snprintf(bytes, sizeof(bytes), "%" PRIu64, c->bytes);
	log_event(LOG_LEVEL_INFO, "capture ended", "session", c->session, "actor", c->actor, "interface", c->interface, "reason",
		  reason_name(c->reason), "packets", packets, "dropped", dropped, "bytes", bytes, NULL);
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	close_ring(c);
	if (c->timer) /* else it never began */
		log_result(c);
	sd_event_source_disable_unref(c->timer);
	free(c->session);
	free(c->actor);
	free(c->out);
	free(c);
}
