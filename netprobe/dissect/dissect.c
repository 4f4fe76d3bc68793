/* SPDX-License-Identifier: Apache-2.0 */
/* The table of dissectors: which bytes a stream or datagram of a protocol can begin with, and who looks closer. */
#include "netprobe/dissect/dissect.h"

#include <string.h>

#include "netprobe/dissect/dissectors.h"

/* One byte, and the bytes from a to b. */
#define B(b)    { (b), 1 }
#define R(a, b) { (a), (b) - (a) + 1 }
#define UPPER   R('A', 'Z')
#define REPLY   R('1', '5')
#define ANY     { 0, 0 }

static const struct dissector table[] = {
	{ PROTOCOL_HTTP, dissect_http, NULL, { UPPER, B('\r') }, { B('H'), B('\r') }, { ANY }, 0 },
	{ PROTOCOL_HTTP2, dissect_http2, NULL, { B('P'), B(0) }, { B(0) }, { ANY }, 0 },
	/* Text: STARTTLS may follow; 4 and 5: SOCKS. */
	{ PROTOCOL_TLS, dissect_tls, NULL,
	  { R(0x14, 0x18), R(0x20, 0xff), R(4, 5) }, { R(0x14, 0x18), R(0x20, 0x7e), B(0), B(5) }, { ANY }, 0 },
	{ PROTOCOL_DTLS, NULL, dissect_dtls, { ANY }, { ANY }, { R(0x14, 0x19) }, 0 },
	{ PROTOCOL_DNS, dissect_dns_tcp, dissect_dns, { R(0, 0x3f) }, { ANY }, { ANY }, 0 },
	{ PROTOCOL_MDNS, NULL, dissect_mdns, { ANY }, { ANY }, { ANY }, 0 },
	{ PROTOCOL_LLMNR, NULL, dissect_llmnr, { ANY }, { ANY }, { ANY }, 0 },
	{ PROTOCOL_SSH, dissect_ssh, NULL, { B('S') }, { B('S') }, { ANY }, 0 },
	{ PROTOCOL_FTP, dissect_ftp, NULL, { R('A', 'X'), R('a', 'x') }, { REPLY }, { ANY }, 0 },
	{ PROTOCOL_SMTP, dissect_smtp, NULL,
	  { B('E'), B('H'), B('L'), B('Q'), B('e'), B('h'), B('l'), B('q') }, { REPLY }, { ANY }, 0 },
	{ PROTOCOL_QUIC, NULL, dissect_quic, { ANY }, { ANY }, { R(0x80, 0xff), R(0x09, 0x0f), R(0x18, 0x3f) }, 0 },
	{ PROTOCOL_MQTT, dissect_mqtt, NULL, { R(0x10, 0xef) }, { R(0x20, 0xef) }, { ANY }, 0 },
	{ PROTOCOL_BITTORRENT, dissect_bittorrent, dissect_bittorrent_udp, { B(0x13) }, { B(0x13) },
	  { B('d'), B('B'), B(0), B(0x01), B(0x11), B(0x21), B(0x31), B(0x41), B(0x13) }, 0 },
	{ PROTOCOL_DHCP, NULL, dissect_dhcp, { ANY }, { ANY }, { R(1, 2) }, 0 },
	{ PROTOCOL_DHCPV6, NULL, dissect_dhcpv6, { ANY }, { ANY }, { R(1, 36) }, 0 },
	{ PROTOCOL_NTP, NULL, dissect_ntp,
	  { ANY }, { ANY }, { R(0x08, 0x27), R(0x48, 0x67), R(0x88, 0xa7), R(0xc8, 0xe7) }, 0 },
	{ PROTOCOL_SNMP, NULL, dissect_snmp, { ANY }, { ANY }, { B(0x30) }, 0 },
	{ PROTOCOL_SIP, dissect_sip, dissect_sip_udp, { UPPER, B('\r') }, { UPPER, B('\r') }, { UPPER, B('\r') }, 0 },
	{ PROTOCOL_RDP, dissect_rdp, dissect_rdp_udp, { B(3) }, { B(3) }, { B(0xff) }, 0 },
	{ PROTOCOL_SMB, dissect_smb, NULL, { B(0), B(0x81) }, { B(0), B(0x82) }, { ANY }, 0 },
	{ PROTOCOL_STUN, dissect_stun_tcp, dissect_stun,
	  { R(0, 0x3f) }, { R(0, 0x3f) }, { R(0, 0x3f), R(0x80, 0xbf) }, PROTOCOL_BIT(PROTOCOL_DTLS) },
	{ PROTOCOL_SSDP, NULL, dissect_ssdp, { ANY }, { ANY }, { B('M'), B('N'), B('H') }, 0 },
	{ PROTOCOL_NETBIOS, dissect_netbios_tcp, dissect_netbios,
	  { B(0x81) }, { R(0x82, 0x84) }, { ANY }, PROTOCOL_BIT(PROTOCOL_SMB) },
	{ PROTOCOL_KERBEROS, dissect_kerberos_tcp, dissect_kerberos, { B(0) }, { B(0) }, { R(0x6a, 0x7e) }, 0 },
	{ PROTOCOL_LDAP, dissect_ldap, dissect_ldap_udp, { B(0x30) }, { B(0x30) }, { B(0x30) }, 0 },
	{ PROTOCOL_POSTGRESQL, dissect_postgresql, NULL, { B(0) }, { B('R'), B('S'), B('N'), B('E') }, { ANY }, 0 },
	{ PROTOCOL_MYSQL, dissect_mysql, NULL, { ANY }, { ANY }, { ANY }, 0 },
	{ PROTOCOL_REDIS, dissect_redis, NULL, { B('*'), UPPER, R('a', 'z') }, { R('#', '~') }, { ANY }, 0 },
	{ PROTOCOL_MEMCACHED, dissect_memcached, dissect_memcached_udp,
	  { R('a', 'z'), R(0x80, 0x81) }, { UPPER, R(0x80, 0x81) }, { ANY }, 0 },
	{ PROTOCOL_WIREGUARD, NULL, dissect_wireguard, { ANY }, { ANY }, { R(1, 4) }, 0 },
	{ PROTOCOL_RTSP, dissect_rtsp, NULL, { UPPER }, { UPPER }, { ANY }, 0 },
	{ PROTOCOL_SYSLOG, dissect_syslog_tcp, dissect_syslog,
	  { B('<'), R('0', '9') }, { B('<'), R('0', '9') }, { B('<') }, 0 },
	{ PROTOCOL_TFTP, NULL, dissect_tftp, { ANY }, { ANY }, { B(0) }, 0 },
};

static const char *const names[PROTOCOLS] = {
	"unknown", "http", "http2", "tls", "dtls", "dns", "mdns", "llmnr", "ssh", "ftp", "smtp", "quic",
	"mqtt", "bittorrent", "dhcp", "dhcpv6", "ntp", "snmp", "sip", "rdp", "smb", "stun", "ssdp", "netbios",
	"kerberos", "ldap", "postgresql", "mysql", "redis", "memcached", "wireguard", "rtsp", "syslog", "tftp",
};

const struct dissector *dissectors(unsigned *count)
{
	*count = sizeof(table) / sizeof(table[0]);
	return table;
}

const char *protocol_name(enum protocol p)
{
	return (unsigned)p < PROTOCOLS ? names[p] : names[PROTOCOL_UNKNOWN];
}

enum protocol protocol_from_name(const char *name)
{
	for (unsigned p = PROTOCOL_UNKNOWN + 1; p < PROTOCOLS; p++)
		if (strcmp(names[p], name) == 0)
			return (enum protocol)p;
	return PROTOCOL_UNKNOWN;
}

void dissect_handout(const struct dissect_input *in, enum handout kind, struct span bytes)
{
	if (*in->handed & 1u << kind)
		return;
	*in->handed |= 1u << kind;
	if (in->handout)
		in->handout(in->userdata, kind, bytes);
}
