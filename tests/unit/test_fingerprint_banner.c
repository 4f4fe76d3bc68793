/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/fingerprint/banner.c netprobe/fingerprint/banner_table.c netprobe/banners.c netprobe/client.c netprobe/requests.c proto/netprobe.pb-c.c */
#include "lib/cleanup.h"
#include "netprobe/banners.h"
#include "netprobe/fingerprint/banner.h"
#include "netprobe/requests.h"
#include "tests/unit/unit.h"

static struct banner_match match(const char *protocol, const char *text)
{
	size_t size = strlen(text);
	_cleanup_free_ uint8_t *exact = malloc(size ? size : 1); /* a sanitizer sees a read beyond it */
	struct banner_match m;

	assert_non_null(exact);
	memcpy(exact, text, size);
	banner_match(protocol, (struct span){ exact, size }, &m);
	return m;
}

static void known_banners(void **state)
{
	static const struct {
		const char *protocol, *banner, *product, *version, *os_family;
	} cases[] = {
		{ "ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "OpenSSH", "9.2p1", "linux" },
		{ "ssh", "SSH-2.0-OpenSSH_9.6\r\n", "OpenSSH", "9.6", "unknown" },
		{ "ssh", "OpenSSH_8.9p1 Ubuntu-3ubuntu0.10", "OpenSSH", "8.9p1", "linux" },
		{ "ssh", "SSH-2.0-OpenSSH_9.3 FreeBSD-20230719\r\n", "OpenSSH", "9.3", "freebsd" },
		{ "ssh", "SSH-2.0-OpenSSH_for_Windows_8.1\r\n", "OpenSSH", "8.1", "windows" },
		{ "ssh", "a line before it\r\nSSH-2.0-dropbear_2022.83\r\n", "Dropbear", "2022.83", "unknown" },
		{ "ssh", "SSH-1.99-Cisco-1.25\n", "Cisco SSH", "1.25", "cisco" },
		{ "ssh", "SSH-2.0-Go\r\n", "Go SSH", "", "unknown" },
		{ "SSH", "SSH-2.0-libssh_0.10.6\r\n", "libssh", "0.10.6", "unknown" },
		{ "http", "HTTP/1.1 200 OK\r\nDate: x\r\nServer: Apache/2.4.58 (Ubuntu)\r\n\r\n", "Apache HTTP Server", "2.4.58", "linux" },
		{ "http", "HTTP/1.0 404 Not Found\nserver:nginx\n\n", "nginx", "", "unknown" },
		{ "http", "Apache/2.4.57 (Win64) OpenSSL/3.1.1", "Apache HTTP Server", "2.4.57", "windows" },
		{ "http", "Server: Microsoft-IIS/10.0", "Microsoft IIS", "10.0", "windows" },
		{ "http", "nginx/1.22.1", "nginx", "1.22.1", "unknown" },
		{ "http", "SimpleHTTP/0.6 Python/3.11.2", "Python http.server", "0.6", "unknown" },
		{ "http", "Jetty(9.4.48.v20220622)", "Jetty", "9.4.48.v20220622", "unknown" },
		{ "http", "Apache-Coyote/1.1", "Apache Tomcat Coyote", "1.1", "unknown" },
		{ "smtp", "220 mail.example.org ESMTP Postfix (Debian/GNU)\r\n", "Postfix", "", "linux" },
		{ "smtp", "220 mail.example.org ESMTP Exim 4.96 Tue, 01 Jan 2030 00:00:00 +0000\r\n", "Exim", "4.96", "unknown" },
		{ "smtp", "220 mx ESMTP Sendmail 8.15.2/8.15.2; now\r\n", "Sendmail", "8.15.2", "unknown" },
		{ "smtp", "220 mx.example.org Microsoft ESMTP MAIL Service ready\r\n", "Microsoft ESMTP MAIL Service", "", "windows" },
		{ "smtp", "mx ESMTP Postfix 2.7.1", "Postfix", "2.7.1", "unknown" },
		{ "ftp", "220 (vsFTPd 3.0.3)\r\n", "vsftpd", "3.0.3", "unknown" },
		{ "ftp", "220 ProFTPD 1.3.8 Server (Debian) [::ffff:192.0.2.1]\r\n", "ProFTPD", "1.3.8", "linux" },
		{ "ftp", "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220-You are user 1\r\n", "Pure-FTPd", "",
		  "unknown" },
		{ "ftp", "220-FileZilla Server 1.7.0\r\n220 Hello\r\n", "FileZilla Server", "1.7.0", "unknown" },
		{ "ftp", "foo Microsoft FTP Service (Version 5.0).", "Microsoft FTP Service", "5.0", "windows" },
		{ "smb", "Samba 4.17.12-Debian", "Samba", "4.17.12-Debian", "linux" },
		{ "smb", "Windows Server 2016 Standard 14393", "Windows Server", "2016", "windows" },
		{ "smb", "Windows 6.1", "Windows", "6.1", "windows" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct banner_match m = match(cases[i].protocol, cases[i].banner);

		if (strcmp(m.product, cases[i].product) != 0 || strcmp(m.version, cases[i].version) != 0 ||
		    strcmp(m.os_family, cases[i].os_family) != 0)
			fail_msg("%s: %s \"%s\" %s", cases[i].banner, m.product, m.version, m.os_family);
		assert_true(m.confidence > 0.5 && m.confidence < 1);
		assert_true(*m.pattern);
		assert_int_equal(strncmp(m.corpus_label, "serviceradar:", 13), 0);
	}
}

/* What looks like a product and is not, and what says nothing. */
static void what_is_unknown_stays_unknown(void **state)
{
	static const struct {
		const char *protocol, *banner;
	} cases[] = {
		{ "ssh", "" },
		{ "ssh", "SSH-2.0-" },
		{ "ssh", "SSH-2.0-MyServer_1.0\r\n" },
		{ "ssh", "SSH-2.0-NotOpenSSH_1.0\r\n" },
		{ "ssh", "SSH-2.0-Google_1.0\r\n" },
		{ "http", "HTTP/1.1 200 OK\r\nX-Powered-By: nginx\r\n\r\nServer: nginx\r\n" }, /* the body */
		{ "http", "HTTP/1.1 200 OK\r\n\r\n" },
		{ "http", "HTTP/1.1 200 OK\r\nServer: \r\n\r\n" },
		{ "http", "myproxy/1.0 nginx/1.22" }, /* the first product counts */
		{ "http", "nginxtra/1.0" },
		{ "smtp", "220 postfix.example.org ESMTP ready\r\n" }, /* a host's name */
		{ "smtp", "220 mx.example.org ESMTP\r\n" },
		{ "smtp", "220 postfix\r\n" },
		{ "smtp", "220 mx relay of postfix.example.org\r\n" },
		{ "smtp", "220 mx relay of postfix-1.example.org\r\n" },
		{ "ftp", "220 proftpd.example.org FTP server ready\r\n" },
		{ "ftp", "220 Welcome to the Debian mirror\r\n" },
		{ "smb", "\xffSMB" },
		{ "telnet", "OpenSSH_9.2" },
		{ "", "OpenSSH_9.2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct banner_match m = match(cases[i].protocol, cases[i].banner);

		if (strcmp(m.corpus_label, "unknown") != 0)
			fail_msg("%s: %s", cases[i].banner, m.pattern);
		assert_string_equal(m.product, "unknown");
		assert_string_equal(m.os_family, "unknown");
		assert_string_equal(m.version, "");
		assert_true(m.confidence == 0);
	}
}

static void a_mirror_s_greeting_names_no_system(void **state)
{
	struct banner_match m = match("ftp", "220 ProFTPD Server, welcome to the Debian mirror\r\n");

	(void)state;
	assert_string_equal(m.product, "ProFTPD");
	assert_string_equal(m.os_family, "unknown");
}

static void no_two_patterns_are_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < banner_pattern_count; i++)
		for (size_t k = i + 1; k < banner_pattern_count; k++) {
			assert_string_not_equal(banner_patterns[i].id, banner_patterns[k].id);
			if (banner_patterns[i].protocol == banner_patterns[k].protocol)
				assert_int_not_equal(strcmp(banner_patterns[i].text, banner_patterns[k].text), 0);
		}
}

/* ---- the request ---- */

typedef Serviceradar__Agent__Netprobe__V1__BannerObservation Observation;

static NetprobeFrame *answer(Observation **observations, size_t n)
{
	Serviceradar__Agent__Netprobe__V1__BannerBatch batch = SERVICERADAR__AGENT__NETPROBE__V1__BANNER_BATCH__INIT;
	NetprobeFrame request = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT, *reply;
	struct client c = { .fd = -1 };

	batch.n_observations = n;
	batch.observations = observations;
	request.sequence = 9;
	request.payload_case = SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_BANNER_BATCH;
	request.banner_batch = &batch;
	assert_int_equal(banners_answer(&c, &request), 0);
	reply = client_decode(c.out + FRAME_HEADER_BYTES, c.out_used - FRAME_HEADER_BYTES);
	assert_non_null(reply);
	assert_int_equal(reply->sequence, 9);
	client_close(&c);
	return reply;
}

static Observation observation(uint64_t id, const char *protocol, const char *text)
{
	Observation o = SERVICERADAR__AGENT__NETPROBE__V1__BANNER_OBSERVATION__INIT;

	o.observation_id = id;
	o.protocol = (char *)(uintptr_t)protocol;
	o.banner_bytes.data = (uint8_t *)(uintptr_t)text;
	o.banner_bytes.len = strlen(text);
	return o;
}

static void a_batch_is_answered_in_its_order(void **state)
{
	Observation first = observation(70, "ssh", "SSH-2.0-OpenSSH_9.2p1\r\n"), second = observation(60, "ftp", "220 hello\r\n");
	Observation *both[] = { &first, &second };
	NetprobeFrame *reply = answer(both, 2);
	Serviceradar__Agent__Netprobe__V1__BannerMatch **m = reply->banner_match_batch->matches;

	(void)state;
	assert_int_equal(reply->banner_match_batch->n_matches, 2);
	assert_int_equal(m[0]->observation_id, 70);
	assert_string_equal(m[0]->corpus_label, "serviceradar:ssh");
	assert_string_equal(m[0]->product, "OpenSSH");
	assert_string_equal(m[0]->version, "9.2p1");
	assert_string_equal(m[0]->raw_pattern_id, "ssh-openssh");
	assert_int_equal(m[1]->observation_id, 60);
	assert_string_equal(m[1]->corpus_label, "unknown");
	assert_true(m[1]->confidence == 0);
	client_free_frame(reply);
	reply = answer(NULL, 0);
	assert_int_equal(reply->payload_case, SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_BANNER_MATCH_BATCH);
	client_free_frame(reply);
}

/* The largest batch that is answered fits a frame; one more is refused. */
static void the_largest_batch(void **state)
{
	Observation o = observation(UINT64_MAX, "ftp", "foo Microsoft FTP Service (Version 5.01234567890123456789012345678901234567890).");
	Observation **many = malloc((BANNERS_MAX + 1) * sizeof(*many));
	NetprobeFrame *reply;

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i <= BANNERS_MAX; i++)
		many[i] = &o;
	reply = answer(many, BANNERS_MAX);
	assert_int_equal(reply->banner_match_batch->n_matches, BANNERS_MAX);
	client_free_frame(reply);
	reply = answer(many, BANNERS_MAX + 1);
	assert_int_equal(reply->payload_case, SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_ERROR);
	assert_string_equal(reply->error->code, "banner_batch_too_large");
	client_free_frame(reply);
	free(many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_banners),
		cmocka_unit_test(what_is_unknown_stays_unknown),
		cmocka_unit_test(a_mirror_s_greeting_names_no_system),
		cmocka_unit_test(no_two_patterns_are_the_same),
		cmocka_unit_test(a_batch_is_answered_in_its_order),
		cmocka_unit_test(the_largest_batch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
