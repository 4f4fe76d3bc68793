/* SPDX-License-Identifier: Apache-2.0 */
/* The dissectors, one file each. */
#pragma once

#include "netprobe/dissect/dissect.h"

dissect_fn dissect_http, dissect_http2, dissect_tls, dissect_dtls, dissect_dns, dissect_dns_tcp, dissect_mdns, dissect_llmnr,
	dissect_ssh, dissect_ftp, dissect_smtp, dissect_quic, dissect_mqtt, dissect_bittorrent, dissect_bittorrent_udp,
	dissect_dhcp, dissect_dhcpv6, dissect_ntp, dissect_snmp, dissect_sip, dissect_sip_udp, dissect_rdp, dissect_rdp_udp,
	dissect_smb, dissect_stun, dissect_stun_tcp, dissect_ssdp, dissect_netbios_tcp, dissect_netbios, dissect_kerberos,
	dissect_kerberos_tcp, dissect_ldap, dissect_ldap_udp, dissect_postgresql, dissect_mysql, dissect_redis,
	dissect_memcached, dissect_memcached_udp, dissect_wireguard, dissect_rtsp, dissect_syslog, dissect_syslog_tcp,
	dissect_tftp;
