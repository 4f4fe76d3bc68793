/* SPDX-License-Identifier: Apache-2.0 */
/* How servers name themselves. The first pattern that fits counts, so a longer one comes before its beginning. */
#include "netprobe/fingerprint/banner.h"

const struct banner_pattern banner_patterns[] = {
	/* The software version of the identification string, RFC 4253 section 4.2. */
	{ BANNER_SSH, true, "OpenSSH_for_Windows", "ssh-openssh-windows", "OpenSSH", "windows" },
	{ BANNER_SSH, true, "OpenSSH", "ssh-openssh", "OpenSSH", NULL },
	{ BANNER_SSH, true, "dropbear", "ssh-dropbear", "Dropbear", NULL },
	{ BANNER_SSH, true, "libssh", "ssh-libssh", "libssh", NULL },
	{ BANNER_SSH, true, "paramiko", "ssh-paramiko", "Paramiko", NULL },
	{ BANNER_SSH, true, "AsyncSSH", "ssh-asyncssh", "AsyncSSH", NULL },
	{ BANNER_SSH, true, "APACHE-SSHD", "ssh-mina", "Apache MINA SSHD", NULL },
	{ BANNER_SSH, true, "Go", "ssh-go", "Go SSH", NULL },
	{ BANNER_SSH, true, "Sun_SSH", "ssh-sun", "Sun SSH", "solaris" },
	{ BANNER_SSH, true, "Cisco", "ssh-cisco", "Cisco SSH", "cisco" },
	{ BANNER_SSH, true, "ROSSSH", "ssh-routeros", "RouterOS SSH", "routeros" },
	{ BANNER_SSH, true, "mod_sftp", "ssh-mod-sftp", "ProFTPD mod_sftp", NULL },
	{ BANNER_SSH, true, "RomSShell", "ssh-romsshell", "RomSShell", NULL },
	{ BANNER_SSH, true, "mpSSH", "ssh-ilo", "HPE iLO SSH", NULL },
	{ BANNER_SSH, true, "Comware", "ssh-comware", "Comware SSH", "comware" },
	{ BANNER_SSH, true, "HUAWEI", "ssh-huawei", "Huawei SSH", NULL },
	{ BANNER_SSH, true, "TwistedConch", "ssh-conch", "Twisted Conch", NULL },
	{ BANNER_SSH, true, "SSHD-CORE", "ssh-mina-core", "Apache MINA SSHD", NULL },

	/* The first product of the Server header, RFC 9110 section 10.2.4. */
	{ BANNER_HTTP, true, "Apache-Coyote", "http-coyote", "Apache Tomcat Coyote", NULL },
	{ BANNER_HTTP, true, "Apache", "http-apache", "Apache HTTP Server", NULL },
	{ BANNER_HTTP, true, "nginx", "http-nginx", "nginx", NULL },
	{ BANNER_HTTP, true, "openresty", "http-openresty", "OpenResty", NULL },
	{ BANNER_HTTP, true, "Tengine", "http-tengine", "Tengine", NULL },
	{ BANNER_HTTP, true, "Microsoft-IIS", "http-iis", "Microsoft IIS", "windows" },
	{ BANNER_HTTP, true, "Microsoft-HTTPAPI", "http-httpapi", "Microsoft HTTPAPI", "windows" },
	{ BANNER_HTTP, true, "Kestrel", "http-kestrel", "Kestrel", NULL },
	{ BANNER_HTTP, true, "lighttpd", "http-lighttpd", "lighttpd", NULL },
	{ BANNER_HTTP, true, "Caddy", "http-caddy", "Caddy", NULL },
	{ BANNER_HTTP, true, "LiteSpeed", "http-litespeed", "LiteSpeed", NULL },
	{ BANNER_HTTP, true, "Jetty", "http-jetty", "Jetty", NULL },
	{ BANNER_HTTP, true, "envoy", "http-envoy", "Envoy", NULL },
	{ BANNER_HTTP, true, "h2o", "http-h2o", "H2O", NULL },
	{ BANNER_HTTP, true, "squid", "http-squid", "Squid", NULL },
	{ BANNER_HTTP, true, "CUPS", "http-cups", "CUPS", NULL },
	{ BANNER_HTTP, true, "gunicorn", "http-gunicorn", "Gunicorn", NULL },
	{ BANNER_HTTP, true, "uvicorn", "http-uvicorn", "Uvicorn", NULL },
	{ BANNER_HTTP, true, "Werkzeug", "http-werkzeug", "Werkzeug", NULL },
	{ BANNER_HTTP, true, "SimpleHTTP", "http-python-simple", "Python http.server", NULL },
	{ BANNER_HTTP, true, "BaseHTTP", "http-python-base", "Python http.server", NULL },
	{ BANNER_HTTP, true, "WSGIServer", "http-python-wsgi", "Python wsgiref", NULL },
	{ BANNER_HTTP, true, "TornadoServer", "http-tornado", "Tornado", NULL },
	{ BANNER_HTTP, true, "WEBrick", "http-webrick", "WEBrick", NULL },
	{ BANNER_HTTP, true, "Cowboy", "http-cowboy", "Cowboy", NULL },
	{ BANNER_HTTP, true, "Cherokee", "http-cherokee", "Cherokee", NULL },
	{ BANNER_HTTP, true, "thttpd", "http-thttpd", "thttpd", NULL },
	{ BANNER_HTTP, true, "mini_httpd", "http-mini-httpd", "mini_httpd", NULL },
	{ BANNER_HTTP, true, "micro_httpd", "http-micro-httpd", "micro_httpd", NULL },
	{ BANNER_HTTP, true, "Boa", "http-boa", "Boa", NULL },
	{ BANNER_HTTP, true, "GoAhead-Webs", "http-goahead", "GoAhead", NULL },
	{ BANNER_HTTP, true, "RomPager", "http-rompager", "RomPager", NULL },
	{ BANNER_HTTP, true, "cloudflare", "http-cloudflare", "Cloudflare", NULL },
	{ BANNER_HTTP, true, "AkamaiGHost", "http-akamai", "Akamai GHost", NULL },

	/* The greeting behind the host's name, RFC 5321 section 4.3.1. */
	{ BANNER_SMTP, false, "Postfix", "smtp-postfix", "Postfix", NULL },
	{ BANNER_SMTP, false, "Exim", "smtp-exim", "Exim", NULL },
	{ BANNER_SMTP, false, "Sendmail", "smtp-sendmail", "Sendmail", NULL },
	{ BANNER_SMTP, false, "OpenSMTPD", "smtp-opensmtpd", "OpenSMTPD", NULL },
	{ BANNER_SMTP, false, "Microsoft ESMTP MAIL Service", "smtp-microsoft", "Microsoft ESMTP MAIL Service", "windows" },
	{ BANNER_SMTP, false, "Haraka", "smtp-haraka", "Haraka", NULL },
	{ BANNER_SMTP, false, "MDaemon", "smtp-mdaemon", "MDaemon", "windows" },
	{ BANNER_SMTP, false, "CommuniGate Pro", "smtp-communigate", "CommuniGate Pro", NULL },
	{ BANNER_SMTP, false, "Lotus Domino", "smtp-domino", "HCL Domino", NULL },
	{ BANNER_SMTP, false, "HCL Domino", "smtp-hcl-domino", "HCL Domino", NULL },
	{ BANNER_SMTP, false, "gsmtp", "smtp-google", "Google SMTP", NULL },

	/* The greeting behind its code, RFC 959 section 5.4. */
	{ BANNER_FTP, false, "vsFTPd", "ftp-vsftpd", "vsftpd", NULL },
	{ BANNER_FTP, false, "ProFTPD", "ftp-proftpd", "ProFTPD", NULL },
	{ BANNER_FTP, false, "Pure-FTPd", "ftp-pureftpd", "Pure-FTPd", NULL },
	{ BANNER_FTP, false, "FileZilla Server", "ftp-filezilla", "FileZilla Server", NULL },
	{ BANNER_FTP, false, "Microsoft FTP Service", "ftp-microsoft", "Microsoft FTP Service", "windows" },
	{ BANNER_FTP, false, "Serv-U FTP Server", "ftp-serv-u", "Serv-U", NULL },
	{ BANNER_FTP, false, "pyftpdlib", "ftp-pyftpdlib", "pyftpdlib", NULL },
	{ BANNER_FTP, false, "bftpd", "ftp-bftpd", "bftpd", NULL },
	{ BANNER_FTP, false, "NcFTPd Server", "ftp-ncftpd", "NcFTPd", NULL },
	{ BANNER_FTP, false, "glFTPd", "ftp-glftpd", "glFTPd", NULL },

	/* The native LAN manager and native OS of a session setup (MS-CIFS 2.2.4.53). */
	{ BANNER_SMB, true, "Samba", "smb-samba", "Samba", NULL },
	{ BANNER_SMB, true, "Windows Server", "smb-windows-server", "Windows Server", "windows" },
	{ BANNER_SMB, true, "Windows", "smb-windows", "Windows", "windows" },
};
const size_t banner_pattern_count = sizeof(banner_patterns) / sizeof(banner_patterns[0]);

const struct banner_system banner_systems[] = {
	{ "Ubuntu", "linux" },	   { "Debian", "linux" },     { "Raspbian", "linux" }, { "CentOS", "linux" },
	{ "Red Hat", "linux" },	   { "RedHat", "linux" },     { "Fedora", "linux" },   { "Rocky Linux", "linux" },
	{ "AlmaLinux", "linux" },  { "Amazon Linux", "linux" }, { "SUSE", "linux" },   { "openSUSE", "linux" },
	{ "Alpine", "linux" },	   { "Gentoo", "linux" },     { "Linux", "linux" },    { "FreeBSD", "freebsd" },
	{ "OpenBSD", "openbsd" },  { "NetBSD", "netbsd" },    { "Win32", "windows" },  { "Win64", "windows" },
	{ "Windows", "windows" },  { "Darwin", "macos" },     { "macOS", "macos" },    { "Mac OS X", "macos" },
};
const size_t banner_system_count = sizeof(banner_systems) / sizeof(banner_systems[0]);
