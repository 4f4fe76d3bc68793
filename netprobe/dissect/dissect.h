/* SPDX-License-Identifier: Apache-2.0 */
/* Dissectors: pure functions that say whether bytes are of a protocol. Structure decides; a port only adds weight. What
 * they hand out is a verdict and the inputs of fingerprints, never a string of the payload. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "netprobe/packet.h"

/* Stable ids; the names are those of DpiEvent.protocol (protocol_name). */
enum protocol {
	PROTOCOL_UNKNOWN,
	PROTOCOL_HTTP,
	PROTOCOL_HTTP2,
	PROTOCOL_TLS,
	PROTOCOL_DTLS,
	PROTOCOL_DNS,
	PROTOCOL_MDNS,
	PROTOCOL_LLMNR,
	PROTOCOL_SSH,
	PROTOCOL_FTP,
	PROTOCOL_SMTP,
	PROTOCOL_QUIC,
	PROTOCOL_MQTT,
	PROTOCOL_BITTORRENT,
	PROTOCOL_DHCP,
	PROTOCOL_DHCPV6,
	PROTOCOL_NTP,
	PROTOCOL_SNMP,
	PROTOCOL_SIP,
	PROTOCOL_RDP,
	PROTOCOL_SMB,
	PROTOCOL_STUN,
	PROTOCOL_SSDP,
	PROTOCOL_NETBIOS,
	PROTOCOL_KERBEROS,
	PROTOCOL_LDAP,
	PROTOCOL_POSTGRESQL,
	PROTOCOL_MYSQL,
	PROTOCOL_REDIS,
	PROTOCOL_MEMCACHED,
	PROTOCOL_WIREGUARD,
	PROTOCOL_RTSP,
	PROTOCOL_SYSLOG,
	PROTOCOL_TFTP,
	PROTOCOLS
};

/* "http", "http2", "tls", …; "unknown" for PROTOCOL_UNKNOWN. */
const char *protocol_name(enum protocol p);
/* PROTOCOL_UNKNOWN when there is none of that name. */
enum protocol protocol_from_name(const char *name);

/* What a fingerprint is made of; the bytes are valid during the call only. */
enum handout {
	HANDOUT_CLIENT_HELLO_TLS,  /* the body of a ClientHello, behind its handshake header (RFC 8446 section 4.1.2) */
	HANDOUT_CLIENT_HELLO_DTLS, /* the same, with DTLS's cookie (RFC 6347 section 4.2.1) */
	HANDOUT_CLIENT_HELLO_QUIC, /* the same as of TLS, out of CRYPTO frames */
	HANDOUT_KEXINIT_CLIENT,    /* payload of SSH_MSG_KEXINIT, from the message number on (RFC 4253 section 7.1) */
	HANDOUT_KEXINIT_SERVER,
};
typedef void handout_fn(void *userdata, enum handout kind, struct span bytes);

enum dissect_answer {
	DISSECT_NO,    /* is not, and more bytes do not change it */
	DISSECT_MORE,  /* can be; more bytes will tell */
	DISSECT_YES,   /* is, with the confidence set */
};

/* A datagram that came before the one at hand. */
struct dissect_earlier {
	struct span bytes;
	unsigned direction;
};

#define DISSECT_EARLIER_MAX 15u

/* What a dissector sees of a flow. TCP: of each direction the stream from its start as far as it came without a gap (either
 * may be empty). UDP: the datagram at hand in stream[direction], and those before it as far as they were kept: none was kept
 * before a dissector asked for more. Direction 0 is from who began the flow; when its beginning was not seen, it may be
 * either. */
struct dissect_input {
	struct span stream[2];
	unsigned direction;     /* of the packet at hand, which has a payload */
	size_t offset;          /* TCP: where the packet at hand begins in stream[direction] */
	bool tcp;               /* else UDP */
	bool whole[2];          /* TCP: the SYN was seen: the stream begins where the connection began */
	size_t missing;         /* UDP: bytes of the datagram at hand that were not captured, or are in later fragments */
	bool last;              /* nothing more will be shown: an answer of DISSECT_MORE is one of DISSECT_NO */
	uint16_t port[2];       /* of the two ends: [0] of who began */
	unsigned packets;       /* with payload, seen so far, this one included */
	const struct dissect_earlier *earlier;
	unsigned earlier_count;
	uint32_t *handed;       /* bits 1 << enum handout of what was handed out; never NULL */
	handout_fn *handout;    /* may be NULL */
	void *userdata;
};

struct dissect_verdict {
	float confidence; /* 0–1; under 0.6 weak, from 0.85 a strong structural match */
	bool more;        /* with DISSECT_YES: go on, there may be something to hand out */
};

typedef enum dissect_answer dissect_fn(const struct dissect_input *in, struct dissect_verdict *v);

/* The bytes that a stream or datagram can begin with, so that most dissectors are never called. */
struct dissect_range {
	uint8_t first, count;
};
#define DISSECT_RANGES 10u

struct dissector {
	enum protocol protocol;
	dissect_fn *tcp, *udp; /* NULL: not over this transport */
	/* Over TCP the first byte from the client and from the server, over UDP of a datagram. No range: any. */
	struct dissect_range client[DISSECT_RANGES], server[DISSECT_RANGES], datagram[DISSECT_RANGES];
	uint64_t then; /* protocols that may follow in the same flow, and then are reported in its place: bits 1 << protocol */
};

/* All of them, one a protocol at most. */
const struct dissector *dissectors(unsigned *count);

/* Protocols as a set. */
#define PROTOCOL_BIT(p) (UINT64_C(1) << (p))
_Static_assert(PROTOCOLS <= 64, "a set of protocols is 64 bits");

/* Hands out, once for each kind and flow. */
void dissect_handout(const struct dissect_input *in, enum handout kind, struct span bytes);

/* True when one of the flow's ports is `port`. */
static inline bool dissect_port(const struct dissect_input *in, uint16_t port)
{
	return in->port[0] == port || in->port[1] == port;
}

static inline enum dissect_answer dissect_yes(struct dissect_verdict *v, float confidence)
{
	v->confidence = confidence;
	return DISSECT_YES;
}
