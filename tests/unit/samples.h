/* SPDX-License-Identifier: Apache-2.0 */
/* The first packets of connections, one or more of each protocol: written after the protocol's own documents, or what a client
 * of this system sends. The unit tests, and the fuzzers' first inputs, are made of them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netprobe/dissect/dissect.h"

#define SAMPLE_PACKETS 6

struct sample {
	enum protocol protocol;
	const char *what;
	bool tcp;
	bool port_counts; /* without its port it is not known, or something else */
	uint16_t port;    /* of the server */
	struct {
		const char *bytes;
		size_t size;
		unsigned direction;
	} packets[SAMPLE_PACKETS];
};

#define FROM_CLIENT(s) \
	{ \
		(s), sizeof(s) - 1, 0 \
	}
#define FROM_SERVER(s) \
	{ \
		(s), sizeof(s) - 1, 1 \
	}
#define TCP         true, false
#define UDP         false, false
#define TCP_BY_PORT true, true
#define UDP_BY_PORT false, true
#define ZEROS_4     "\0\0\0\0"
#define ZEROS_16    ZEROS_4 ZEROS_4 ZEROS_4 ZEROS_4
#define ZEROS_64    ZEROS_16 ZEROS_16 ZEROS_16 ZEROS_16
#define X16         "\x5a\xa7\x31\xfe\x82\x90\x11\xc4\x6b\x7d\x08\xe3\x19\xbf\x22\x9c"
#define X64         X16 X16 X16 X16
#define RANDOM_32 \
	"\x3b\x91\xf2\xd8\x07\x6e\xc1\x55\xa4\x9f\x1d\x83\xe0\x62\xb7\x2c\x48\xdb\x70\x95\x16\xfa\xce\x39\x84\x0b\x6d" \
	"\xe7\x53\xa8\x21\x9d"

/* The body of a ClientHello behind the session id: three ciphers, server_name, groups, algorithms, versions. */
#define HELLO_REST \
	"\x00\x06\x13\x01\x13\x02\xc0\x2f\x01\x00" \
	"\x00\x36" \
	"\x00\x00\x00\x10\x00\x0e\x00\x00\x0b" \
	"example.org" \
	"\x00\x0a\x00\x04\x00\x02\x00\x1d" \
	"\x00\x0d\x00\x06\x00\x04\x04\x03\x08\x04" \
	"\x00\x10\x00\x05\x00\x03\x02" \
	"h2" \
	"\x00\x2b\x00\x03\x02\x03\x04"
#define HELLO_BODY       "\x03\x03" RANDOM_32 "\x00" HELLO_REST
#define CLIENT_HELLO     "\x01\x00\x00\x65" HELLO_BODY
#define SERVER_HELLO_TLS "\x16\x03\x03\x00\x2c\x02\x00\x00\x28\x03\x03" RANDOM_32 "\x00\xc0\x2f\x00\x00\x00"

#define KEXINIT_LISTS \
	"\x00\x00\x00\x11" \
	"curve25519-sha256" \
	"\x00\x00\x00\x0b" \
	"ssh-ed25519" \
	"\x00\x00\x00\x0a" \
	"aes128-ctr" \
	"\x00\x00\x00\x0a" \
	"aes128-ctr" \
	"\x00\x00\x00\x0d" \
	"hmac-sha2-256" \
	"\x00\x00\x00\x0d" \
	"hmac-sha2-256" \
	"\x00\x00\x00\x04" \
	"none" \
	"\x00\x00\x00\x04" \
	"none" ZEROS_4 ZEROS_4 "\x00\x00\x00\x00\x00"
/* 1 + 16 + 127 bytes, and 7 of padding. */
#define KEXINIT_PAYLOAD "\x14" X16 KEXINIT_LISTS
#define KEXINIT_SIZE    (sizeof(KEXINIT_PAYLOAD) - 1)
#define KEXINIT         "\x00\x00\x00\x98\x07" KEXINIT_PAYLOAD "\x01\x02\x03\x04\x05\x06\x07"

#define NETBIOS_NAME \
	"\x20" \
	"EFEFEPFCEECACACACACACACACACACAAA" \
	"\x00"
#define DHCP_FIXED \
	"\x01\x01\x06\x00" \
	"\x12\x34\x56\x78" ZEROS_4 ZEROS_16 "\x02\x00\x00\x00\x00\x07" \
	"\0\0" ZEROS_4 ZEROS_4 ZEROS_64 ZEROS_64 ZEROS_64
#define KRB_AS_REQ \
	"\x6a\x42\x30\x40\xa1\x03\x02\x01\x05\xa2\x03\x02\x01\x0a\xa4\x34\x30\x32\xa0\x07\x03\x05\x00\x40\x81\x00\x10" \
	"\xa2\x0d\x1b" \
	"\x0b" \
	"EXAMPLE.ORG" \
	"\xa5\x11\x18" \
	"\x0f" \
	"20371231235959Z" \
	"\xa7\x05\x02\x03\x12\x34\x56"
#define LDAP_BIND "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00"
#define STUN_BINDING \
	"\x00\x01\x00\x08\x21\x12\xa4\x42\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x80\x22\x00\x04" \
	"test"
#define MQTT_CONNECT \
	"\x10\x10\x00\x04" \
	"MQTT" \
	"\x04\x02\x00\x3c\x00\x04" \
	"abcd"
#define DNS_QUERY \
	"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07" \
	"example" \
	"\x03" \
	"org" \
	"\x00\x00\x01\x00\x01"
#define DNS_ANSWER \
	"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07" \
	"example" \
	"\x03" \
	"org" \
	"\x00\x00\x01\x00\x01\xc0\x0c\x00\x01\x00\x01" \
	"\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01"
#define SMB2_NEGOTIATE \
	"\x00\x00\x00\x66\xfe" \
	"SMB" \
	"\x40\x00" ZEROS_4 "\x00\x00" ZEROS_16 ZEROS_16 ZEROS_16 "\x24\x00\x01\x00\x01\x00" ZEROS_16 ZEROS_4 ZEROS_4 \
	"\x02\x02"

static const struct sample samples[] = {
	{ PROTOCOL_HTTP,
	  "GET",
	  TCP,
	  80,
	  { FROM_CLIENT("GET /a?b=c HTTP/1.1\r\nHost: example.org\r\n\r\n"), FROM_SERVER("HTTP/1.1 200 OK\r\n\r\n") } },
	{ PROTOCOL_HTTP, "CONNECT", TCP, 3128, { FROM_CLIENT("CONNECT example.org:443 HTTP/1.1\r\n\r\n") } },
	{ PROTOCOL_HTTP, "PROPFIND", TCP, 8080, { FROM_CLIENT("PROPFIND /dav/ HTTP/1.1\r\nDepth: 1\r\n\r\n") } },
	{ PROTOCOL_HTTP, "an answer alone", TCP, 80, { FROM_SERVER("HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\n") } },
	{ PROTOCOL_HTTP2,
	  "preface",
	  TCP,
	  80,
	  { FROM_CLIENT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00") } },
	{ PROTOCOL_HTTP2,
	  "a server's settings",
	  TCP,
	  50051,
	  { FROM_SERVER(
		  "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64\x00\x00\x04\x08\x00\x00\x00\x00\x00"
		  "\x00\x01\x00\x00") } },
	{ PROTOCOL_TLS,
	  "ClientHello",
	  TCP,
	  443,
	  { FROM_CLIENT("\x16\x03\x01\x00\x69" CLIENT_HELLO), FROM_SERVER(SERVER_HELLO_TLS) } },
	{ PROTOCOL_TLS, "a server alone", TCP, 4433, { FROM_SERVER(SERVER_HELLO_TLS) } },
	{ PROTOCOL_TLS,
	  "hello of SSL 2",
	  TCP,
	  443,
	  { FROM_CLIENT(
		  "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10\x00\x00\x39\x00\x00\x38\x00\x00\x35\x00\x00\x16\x00"
		  "\x00\x13\x00\x00\x0a\x07\x00\xc0" X16) } },
	{ PROTOCOL_TLS,
	  "STARTTLS of IMAP",
	  TCP,
	  143,
	  { FROM_SERVER("* OK IMAP4rev1\r\n"), FROM_CLIENT("a1 STARTTLS\r\n"), FROM_SERVER("a1 OK\r\n"),
	    FROM_CLIENT("\x16\x03\x01\x00\x69" CLIENT_HELLO) } },
	{ PROTOCOL_DTLS,
	  "ClientHello",
	  UDP,
	  4433,
	  { FROM_CLIENT(
		  "\x16\xfe\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x72\x01\x00\x00\x66\x00\x00\x00\x00\x00\x00\x00"
		  "\x66\xfe\xfd" RANDOM_32
		  "\x00\x00" HELLO_REST) } },
	{ PROTOCOL_DNS, "query", UDP, 53, { FROM_CLIENT(DNS_QUERY), FROM_SERVER(DNS_ANSWER) } },
	{ PROTOCOL_DNS, "answer", UDP, 53, { FROM_SERVER(DNS_ANSWER) } },
	{ PROTOCOL_DNS, "over TCP", TCP, 53, { FROM_CLIENT("\x00\x1d" DNS_QUERY), FROM_SERVER("\x00\x2d" DNS_ANSWER) } },
	{ PROTOCOL_MDNS,
	  "query",
	  UDP_BY_PORT,
	  5353,
	  { FROM_CLIENT("\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04"
			"_ipp"
			"\x04"
			"_tcp"
			"\x05"
			"local"
			"\x00\x00\x0c\x80\x01") } },
	{ PROTOCOL_LLMNR,
	  "query",
	  UDP_BY_PORT,
	  5355,
	  { FROM_CLIENT("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x04"
			"host"
			"\x00\x00\x01\x00\x01") } },
	{ PROTOCOL_SSH,
	  "both sides",
	  TCP,
	  22,
	  { FROM_SERVER("SSH-2.0-OpenSSH_9.2\r\n"), FROM_CLIENT("SSH-2.0-OpenSSH_9.6\r\n"), FROM_CLIENT(KEXINIT),
	    FROM_SERVER(KEXINIT) } },
	{ PROTOCOL_SSH, "version 1", TCP, 22, { FROM_SERVER("SSH-1.5-1.2.27\n"), FROM_CLIENT("SSH-1.5-1.2.27\n") } },
	{ PROTOCOL_FTP,
	  "login",
	  TCP,
	  21,
	  { FROM_SERVER("220 ready\r\n"), FROM_CLIENT("USER anonymous\r\n"), FROM_SERVER("331 password\r\n") } },
	{ PROTOCOL_FTP, "greeting", TCP, 21, { FROM_SERVER("220 (vsFTPd 3.0.3)\r\n") } },
	{ PROTOCOL_FTP,
	  "AUTH TLS",
	  TCP,
	  2121,
	  { FROM_SERVER("220-FileZilla Server\r\n220 x\r\n"), FROM_CLIENT("AUTH TLS\r\n"), FROM_SERVER("234 go\r\n"),
	    FROM_CLIENT("\x16\x03\x01\x00\x69" CLIENT_HELLO) } },
	{ PROTOCOL_SMTP,
	  "EHLO",
	  TCP,
	  25,
	  { FROM_SERVER("220 mx.example.org ESMTP\r\n"), FROM_CLIENT("EHLO a\r\n"), FROM_SERVER("250-mx\r\n") } },
	{ PROTOCOL_SMTP, "LMTP", TCP, 24, { FROM_SERVER("220 x ready\r\n"), FROM_CLIENT("LHLO a\r\n") } },
	{ PROTOCOL_MQTT, "3.1.1", TCP, 1883, { FROM_CLIENT(MQTT_CONNECT), FROM_SERVER("\x20\x02\x00\x00") } },
	{ PROTOCOL_MQTT,
	  "3.1",
	  TCP,
	  1884,
	  { FROM_CLIENT("\x10\x10\x00\x06"
			"MQIsdp"
			"\x03\x02\x00\x3c\x00\x02"
			"ab") } },
	{ PROTOCOL_MQTT,
	  "5.0",
	  TCP,
	  1883,
	  { FROM_CLIENT("\x10\x12\x00\x04"
			"MQTT"
			"\x05\x02\x00\x3c\x00\x00\x05"
			"hello") } },
	{ PROTOCOL_BITTORRENT,
	  "handshake",
	  TCP,
	  6881,
	  { FROM_CLIENT("\x13"
			"BitTorrent protocol"
			"\0\0\0\0\0\x10\0\x05" X16 "1234"
			"-TR2940-abcdefghijkl") } },
	{ PROTOCOL_BITTORRENT,
	  "DHT",
	  UDP,
	  6881,
	  { FROM_CLIENT("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
	    FROM_SERVER("d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re") } },
	{ PROTOCOL_BITTORRENT,
	  "uTP",
	  UDP,
	  6881,
	  { FROM_CLIENT("\x41\x00\x10\x01\x00\x00\x30\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00"),
	    FROM_SERVER("\x21\x00\x10\x01\x00\x00\x40\x00\x00\x00\x10\x00\x00\x04\x00\x00\x77\x00\x00\x01") } },
	{ PROTOCOL_BITTORRENT,
	  "uTP, the SYN not seen",
	  UDP,
	  6881,
	  { FROM_CLIENT("\x01\x00\x10\x02\x00\x00\x30\x00\x00\x00\x01\x00\x00\x04\x00\x00\x00\x09\x76\xff"
			"data"),
	    FROM_SERVER("\x21\x00\x10\x01\x00\x00\x40\x00\x00\x00\x10\x00\x00\x04\x00\x00\x77\x00\x00\x09") } },
	{ PROTOCOL_BITTORRENT,
	  "tracker",
	  UDP,
	  6969,
	  { FROM_CLIENT("\x00\x00\x04\x17\x27\x10\x19\x80\x00\x00\x00\x00\x12\x34\x56\x78") } },
	{ PROTOCOL_DHCP,
	  "discover",
	  UDP,
	  67,
	  { FROM_CLIENT(DHCP_FIXED "\x63\x82\x53\x63\x35\x01\x01\x37\x03\x01\x03\x06\xff") } },
	{ PROTOCOL_DHCPV6,
	  "solicit",
	  UDP,
	  547,
	  { FROM_CLIENT("\x01\x12\x34\x56\x00\x01\x00\x0a\x00\x03\x00\x01\x02\x00\x00\x00\x00\x07\x00\x08\x00\x02\x00\x00") } },
	{ PROTOCOL_NTP,
	  "client",
	  UDP_BY_PORT,
	  123,
	  { FROM_CLIENT("\x23\x00\x06\xec" ZEROS_4 ZEROS_16 ZEROS_16 "\xe9\x01\x02\x03\x04\x05\x06\x07") } },
	{ PROTOCOL_NTP,
	  "a server elsewhere",
	  UDP,
	  10123,
	  { FROM_SERVER("\x24\x02\x06\xe8\x00\x00\x01\x00\x00\x00\x02\x00"
			"\xc0\x00\x02\x01"
			"\xe9\x01\x02\x00\0\0\0\0"
			"\xe9\x01\x02\x03\x04\x05\x06\x07"
			"\xe9\x01\x02\x03\x14\x05\x06\x07"
			"\xe9\x01\x02\x03\x14\x15\x06\x07") } },
	{ PROTOCOL_SNMP,
	  "2c",
	  UDP,
	  161,
	  { FROM_CLIENT(
		  "\x30\x26\x02\x01\x01\x04\x06"
		  "public"
		  "\xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01"
		  "\x00\x05\x00") } },
	{ PROTOCOL_SNMP,
	  "3",
	  UDP,
	  161,
	  { FROM_CLIENT(
		  "\x30\x3e\x02\x01\x03\x30\x11\x02\x04\x12\x34\x56\x78\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03"
		  "\x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01"
		  "\x00\x04\x00\x04\x00\x04\x00\x30\x14\x04\x00\x04\x00\xa0\x0e\x02\x04\x01\x02\x03\x04\x02\x01\x00"
		  "\x02\x01\x00\x30\x00") } },
	{ PROTOCOL_SIP,
	  "REGISTER",
	  UDP,
	  5060,
	  { FROM_CLIENT("REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n"),
	    FROM_SERVER("SIP/2.0 401 Unauthorized\r\n\r\n") } },
	{ PROTOCOL_SIP, "OPTIONS over TCP", TCP, 5060, { FROM_CLIENT("OPTIONS sip:a@example.org SIP/2.0\r\n\r\n") } },
	{ PROTOCOL_RDP,
	  "request with a cookie",
	  TCP,
	  3389,
	  { FROM_CLIENT("\x03\x00\x00\x2a\x25\xe0\x00\x00\x00\x00\x00"
			"Cookie: mstshash=abc\r\n"
			"\x01\x00\x08\x00\x03\x00\x00\x00\x00"),
	    FROM_SERVER("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x02\x00\x00\x00") } },
	{ PROTOCOL_RDP,
	  "request",
	  TCP,
	  13389,
	  { FROM_CLIENT("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x0b\x00\x00\x00") } },
	{ PROTOCOL_SMB, "SMB 2", TCP, 445, { FROM_CLIENT(SMB2_NEGOTIATE) } },
	{ PROTOCOL_SMB,
	  "SMB 1",
	  TCP,
	  445,
	  { FROM_CLIENT("\x00\x00\x00\x2f\xff"
			"SMB"
			"\x72\x00\x00\x00\x00\x18\x53\xc8" ZEROS_16 "\x00\x00\x00\x00\x00\x0c\x00\x02NT LM 0.12") } },
	{ PROTOCOL_STUN, "binding", UDP, 3478, { FROM_CLIENT(STUN_BINDING) } },
	{ PROTOCOL_STUN, "RFC 3489", UDP, 3478, { FROM_CLIENT("\x00\x01\x00\x08" X16 "\x00\x03\x00\x04\x00\x00\x00\x06") } },
	{ PROTOCOL_STUN, "over TCP", TCP, 3478, { FROM_CLIENT(STUN_BINDING) } },
	{ PROTOCOL_STUN, "over TCP, framed", TCP, 3478, { FROM_CLIENT("\x00\x1c" STUN_BINDING) } },
	{ PROTOCOL_SSDP,
	  "M-SEARCH",
	  UDP,
	  1900,
	  { FROM_CLIENT(
		  "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nST: ssdp:all\r\n\r\n") } },
	{ PROTOCOL_SSDP,
	  "answer",
	  UDP,
	  1900,
	  { FROM_SERVER("HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=100\r\nST: upnp:rootdevice\r\nUSN: uuid:x\r\n\r\n") } },
	{ PROTOCOL_NETBIOS,
	  "name",
	  UDP_BY_PORT,
	  137,
	  { FROM_CLIENT("\x12\x34\x01\x10\x00\x01\x00\x00\x00\x00\x00\x00" NETBIOS_NAME "\x00\x20\x00\x01") } },
	{ PROTOCOL_NETBIOS,
	  "datagram",
	  UDP_BY_PORT,
	  138,
	  { FROM_CLIENT("\x11\x0e\x12\x34\xc0\x00\x02\x01\x00\x8a\x00\x50\x00\x00" NETBIOS_NAME NETBIOS_NAME "\xff"
			"SMB%") } },
	{ PROTOCOL_NETBIOS,
	  "session",
	  TCP,
	  139,
	  { FROM_CLIENT("\x81\x00\x00\x44" NETBIOS_NAME NETBIOS_NAME), FROM_SERVER("\x82\x00\x00\x00") } },
	{ PROTOCOL_KERBEROS, "AS-REQ", UDP, 88, { FROM_CLIENT(KRB_AS_REQ) } },
	{ PROTOCOL_KERBEROS, "over TCP", TCP, 88, { FROM_CLIENT("\x00\x00\x00\x44" KRB_AS_REQ) } },
	{ PROTOCOL_LDAP,
	  "bind",
	  TCP,
	  389,
	  { FROM_CLIENT(LDAP_BIND), FROM_SERVER("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00") } },
	{ PROTOCOL_LDAP,
	  "search over UDP",
	  UDP,
	  389,
	  { FROM_CLIENT(
		  "\x30\x25\x02\x01\x02\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\x01\x01\x00\x87\x0b"
		  "objectClass"
		  "\x30\x00") } },
	{ PROTOCOL_POSTGRESQL, "startup", TCP, 5432, { FROM_CLIENT("\x00\x00\x00\x14\x00\x03\x00\x00user\0alice\0\0") } },
	{ PROTOCOL_POSTGRESQL,
	  "TLS",
	  TCP,
	  15432,
	  { FROM_CLIENT("\x00\x00\x00\x08\x04\xd2\x16\x2f"), FROM_SERVER("S"),
	    FROM_CLIENT("\x16\x03\x01\x00\x69" CLIENT_HELLO) } },
	{ PROTOCOL_MYSQL,
	  "greeting",
	  TCP,
	  3306,
	  { FROM_SERVER("\x4a\x00\x00\x00\x0a"
			"8.0.36"
			"\x00\x08\x00\x00\x00"
			"abcdefgh"
			"\x00\xff\xff\xff\x02\x00\xff\xdf\x15" ZEROS_4 ZEROS_4 "\x00\x00"
			"ijklmnopqrst"
			"\x00"
			"caching_sha2_password"
			"\x00") } },
	{ PROTOCOL_REDIS, "array", TCP, 6379, { FROM_CLIENT("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"), FROM_SERVER("$-1\r\n") } },
	{ PROTOCOL_REDIS, "in line", TCP_BY_PORT, 6379, { FROM_CLIENT("PING\r\n"), FROM_SERVER("+PONG\r\n") } },
	{ PROTOCOL_MEMCACHED, "set", TCP, 11211, { FROM_CLIENT("set k 0 60 5\r\nhello\r\n"), FROM_SERVER("STORED\r\n") } },
	{ PROTOCOL_MEMCACHED, "get", TCP, 11212, { FROM_CLIENT("get k\r\n"), FROM_SERVER("VALUE k 0 5\r\nhello\r\nEND\r\n") } },
	{ PROTOCOL_MEMCACHED,
	  "binary",
	  TCP,
	  11211,
	  { FROM_CLIENT("\x80\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x05" ZEROS_4 ZEROS_4 ZEROS_4 "Hello"),
	    FROM_SERVER("\x81\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x09" ZEROS_4 ZEROS_4 ZEROS_4 "Not found") } },
	{ PROTOCOL_MEMCACHED,
	  "over UDP",
	  UDP_BY_PORT,
	  11211,
	  { FROM_CLIENT("\x00\x01\x00\x00\x00\x01\x00\x00"
			"stats\r\n") } },
	{ PROTOCOL_WIREGUARD,
	  "initiation",
	  UDP,
	  51820,
	  { FROM_CLIENT("\x01\x00\x00\x00"
			"\x11\x22\x33\x44" X64 X16 X16 X16 "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c" ZEROS_16) } },
	{ PROTOCOL_WIREGUARD,
	  "data",
	  UDP,
	  51820,
	  { FROM_CLIENT("\x04\x00\x00\x00"
			"\x11\x22\x33\x44"
			"\x07\0\0\0\0\0\0\0" X16),
	    FROM_CLIENT("\x04\x00\x00\x00"
			"\x11\x22\x33\x44"
			"\x08\0\0\0\0\0\0\0" X64) } },
	{ PROTOCOL_RTSP,
	  "OPTIONS",
	  TCP,
	  554,
	  { FROM_CLIENT("OPTIONS rtsp://192.0.2.1/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
	    FROM_SERVER("RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n") } },
	{ PROTOCOL_SYSLOG, "RFC 3164", UDP, 514, { FROM_CLIENT("<34>Oct 11 22:14:15 host su: failed") } },
	{ PROTOCOL_SYSLOG, "RFC 5424", UDP, 5514, { FROM_CLIENT("<165>1 2023-10-11T22:14:15.003Z host app - ID47 - text") } },
	{ PROTOCOL_SYSLOG,
	  "over TCP, counted",
	  TCP,
	  601,
	  { FROM_CLIENT("50 <165>1 2023-10-11T22:14:15.003Z host app - ID47 - x") } },
	{ PROTOCOL_TFTP,
	  "read",
	  UDP,
	  69,
	  { FROM_CLIENT("\x00\x01"
			"boot.img"
			"\x00"
			"octet"
			"\x00"
			"blksize"
			"\x00"
			"1428"
			"\x00") } },
	{ PROTOCOL_TFTP,
	  "data",
	  UDP,
	  49152,
	  { FROM_SERVER("\x00\x03\x00\x01"
			"short block"),
	    FROM_CLIENT("\x00\x04\x00\x01") } },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))
