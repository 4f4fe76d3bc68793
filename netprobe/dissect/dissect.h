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

/* What a dissector sees of a flow: for TCP the stream of either direction from its start as far as it came without a gap
 * (the other may be empty); for UDP the datagram at hand in [direction]. Direction 0 is from who began the flow. */
struct dissect_input {
	struct span stream[2];
	unsigned direction;     /* of the packet at hand */
	bool tcp;               /* else UDP */
	bool whole;             /* no packet before the first one seen: the streams begin where the connection began */
	uint16_t port[2];       /* of the two ends: [0] of who began */
	unsigned packets;       /* with payload, seen so far, this one included */
	handout_fn *handout;    /* may be NULL */
	void *userdata;
};

struct dissect_verdict {
	float confidence; /* 0–1; under 0.6 weak, from 0.85 a strong structural match */
};
