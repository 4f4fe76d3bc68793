/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/fingerprint/fuse.c netprobe/fingerprint/clients.c netprobe/fingerprint/message.c netprobe/fingerprint/device.c proto/netprobe.pb-c.c */
#include <sys/socket.h>

#include "netprobe/fingerprint/device.h"
#include "netprobe/fingerprint/message.h"
#include "tests/unit/unit.h"

#define SIGNATURE     "4:64+0:0:1460:mss*44,7:mss,sok,ts,nop,ws:df,id+:0"
#define WGET          "t13d291300_723694b0fccc_899037bd0b8c" /* linux */
#define CURL          "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6" /* unix */
#define GO            "t13d1910h2_9dc949149365_97f8aa674fd9" /* anywhere */
#define DROPBEAR      "16574631849ea8d13c926c9905839928"     /* linux */
#define DROPBEAR_HOST "e1a0b5f8d334ec70fe937b2d5ff8d0b6"     /* linux */
#define OPENSSH       "472b5de333ad665af5cbf10ff892c4df"     /* unix */

static const struct p0f_match linux_match = { .found = true, .label = "s:unix:Linux:5.x", .name = "Linux", .flavor = "5.x",
					      .os_family = "linux" };
static const struct p0f_match windows_match = { .found = true, .label = "s:win:Windows:10", .name = "Windows", .flavor = "10",
						.os_family = "windows" };

static struct fuse_result fused(struct fuse_input in)
{
	struct fuse_result r;

	fuse_look_up(&in);
	fuse(&in, &r);
	return r;
}

static void hv_16_agreement_raises_count_and_confidence(void **state)
{
	struct fuse_result one = fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &linux_match });
	struct fuse_result two = fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &linux_match, .ja4 = WGET });
	struct fuse_result three =
		fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &linux_match, .ja4 = WGET, .hassh = DROPBEAR });
	struct fuse_result four = fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &linux_match, .ja4 = WGET,
							     .hassh = DROPBEAR, .hassh_server = DROPBEAR_HOST });

	(void)state;
	assert_int_equal(one.agreement_count, 1);
	assert_int_equal(two.agreement_count, 2);
	assert_int_equal(three.agreement_count, 3);
	assert_int_equal(four.agreement_count, 4);
	assert_true(one.confidence > 0.5f && one.confidence < two.confidence && two.confidence < three.confidence &&
		    three.confidence < four.confidence && four.confidence < 1);
	assert_int_equal(three.disagreements, 0);
	assert_string_equal(three.os_family, "linux");
	assert_string_equal(three.name, "Linux");
	assert_string_equal(three.version_range, "5.x");
}

static void hv_16_disagreement_is_listed_and_lowers_confidence(void **state)
{
	struct fuse_result alone = fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &windows_match });
	struct fuse_result one = fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &windows_match, .ja4 = WGET });
	struct fuse_result unix_one = fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &windows_match, .hassh = OPENSSH });

	(void)state;
	assert_string_equal(one.os_family, "windows");
	assert_int_equal(one.agreement_count, 1);
	assert_int_equal(one.disagreements, 1);
	assert_string_equal(one.disagreement[0].signal, "ja4");
	assert_string_equal(one.disagreement[0].signature, WGET);
	assert_string_equal(one.disagreement[0].family, "linux");
	assert_string_equal(one.disagreement[0].name, "GNU Wget (GnuTLS)");
	assert_string_equal(one.disagreement[0].version_range, "1.21 to 1.25");
	assert_true(one.confidence < alone.confidence);
	assert_int_equal(unix_one.disagreements, 1);
	assert_string_equal(unix_one.disagreement[0].family, "unix");
}

static void hv_16_many_outweigh_a_weak_p0f_match(void **state)
{
	struct p0f_match weak = windows_match;
	struct fuse_result r;

	(void)state;
	weak.generic = weak.fuzzy = true;
	r = fused((struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &weak, .ja4 = WGET, .hassh = DROPBEAR });
	assert_string_equal(r.os_family, "linux");
	assert_string_equal(r.name, "linux"); /* a client names no version of a system */
	assert_string_equal(r.version_range, "");
	assert_int_equal(r.agreement_count, 2);
	assert_int_equal(r.disagreements, 1);
	assert_string_equal(r.disagreement[0].signal, "p0f");
	assert_string_equal(r.disagreement[0].signature, SIGNATURE);
	assert_string_equal(r.disagreement[0].name, "Windows");
}

static void weaker_matches_weigh_less(void **state)
{
	struct p0f_match m = linux_match;
	float specific, fuzzy, generic;

	(void)state;
	specific = fused((struct fuse_input){ .p0f = &m }).confidence;
	m.fuzzy = true;
	fuzzy = fused((struct fuse_input){ .p0f = &m }).confidence;
	m.generic = true;
	m.fuzzy = false;
	generic = fused((struct fuse_input){ .p0f = &m }).confidence;
	assert_true(specific > fuzzy && fuzzy > generic && generic > 0);
}

static void unix_speaks_for_any_of_its_kind(void **state)
{
	struct p0f_match mac = { .found = true, .name = "Mac OS X", .os_family = "macos" };
	struct fuse_result r = fused((struct fuse_input){ .p0f = &mac, .ja4 = CURL, .hassh = OPENSSH });

	(void)state;
	assert_string_equal(r.os_family, "macos");
	assert_int_equal(r.agreement_count, 3);
	r = fused((struct fuse_input){ .ja4 = CURL, .hassh = OPENSSH });
	assert_string_equal(r.os_family, "unix"); /* nothing says which */
	assert_int_equal(r.agreement_count, 2);
	r = fused((struct fuse_input){ .ja4 = CURL, .hassh = DROPBEAR });
	assert_string_equal(r.os_family, "linux");
	assert_int_equal(r.agreement_count, 2);
}

static void what_runs_everywhere_has_no_vote(void **state)
{
	struct fuse_input in = { .ja4 = GO, .hassh = "00000000000000000000000000000000" };
	struct fuse_result r = fused(in);

	(void)state;
	assert_non_null(client_hint_ja4(GO));
	assert_int_equal(r.agreement_count, 0);
	assert_string_equal(r.os_family, "");
	assert_true(r.confidence == 0);
}

static void a_tool_has_no_vote(void **state)
{
	struct p0f_match tool = { .found = true, .tool = true, .name = "Scanner" };
	struct fuse_result r = fused((struct fuse_input){ .p0f = &tool, .p0f_signature = SIGNATURE });

	(void)state;
	assert_string_equal(r.os_family, "");
	assert_int_equal(r.agreement_count, 0);
}

static void only_the_hashes_of_a_ja4_count(void **state)
{
	(void)state;
	assert_ptr_equal(client_hint_ja4("t13i311100_e8f1e7e78f70_b26ce05bbdd6"), client_hint_ja4(CURL));
	assert_null(client_hint_ja4("t13d3112h2_e8f1e7e78f70_000000000000"));
	assert_null(client_hint_ja4(""));
	assert_null(client_hint_hassh(""));
	assert_null(client_hint_hassh_server(OPENSSH));
}

static void hv_16_the_message(void **state)
{
	struct fuse_input in = { .p0f_signature = SIGNATURE, .p0f = &windows_match, .ja4 = WGET, .hassh_server = DROPBEAR_HOST };
	struct fingerprint_message m;
	uint8_t bytes[1024];
	Serviceradar__Agent__Netprobe__V1__LicenseCleanFingerprint *back;
	size_t size;

	(void)state;
	fingerprint_message(&in, &m);
	size = serviceradar__agent__netprobe__v1__license_clean_fingerprint__get_packed_size(&m.message);
	assert_true(size < sizeof(bytes));
	assert_int_equal(serviceradar__agent__netprobe__v1__license_clean_fingerprint__pack(&m.message, bytes), size);
	back = serviceradar__agent__netprobe__v1__license_clean_fingerprint__unpack(NULL, size, bytes);
	assert_non_null(back);
	assert_string_equal(back->p0f_signature, SIGNATURE);
	assert_string_equal(back->p0f_match->label, "s:win:Windows:10");
	assert_string_equal(back->p0f_match->version_flavor, "10");
	assert_string_equal(back->ja4, WGET);
	assert_string_equal(back->ja4_match->os_family, "linux");
	assert_string_equal(back->hassh, "");
	assert_string_equal(back->hassh_match->name, "Dropbear server");
	assert_true(back->tcp_observed && back->ja4_observed && back->hassh_observed && back->ssh_observed);
	assert_int_equal(back->agreement_count, 1);
	assert_string_equal(back->os_match->os_family, "windows");
	assert_int_equal(back->os_match->n_disagreements, 2);
	assert_string_equal(back->os_match->disagreements[1]->signal, "hassh_server");
	serviceradar__agent__netprobe__v1__license_clean_fingerprint__free_unpacked(back, NULL);
}

/* ---- what the connections of a device showed together ---- */

#define SECOND INT64_C(1000000000)

static const uint8_t host[16] = { [15] = 7 };

static struct fuse_result remembered(struct device_memory *m, const uint8_t *address, int64_t seconds, struct fuse_input seen)
{
	struct fuse_input all;
	struct fuse_result r;

	device_memory_complete(m, address, AF_INET, seconds * SECOND, &seen, &all);
	fuse(&all, &r);
	return r;
}

static void hv_16_p0f_ja4_and_hassh_of_three_connections(void **state)
{
	const uint8_t other[16] = { [15] = 8 };
	char signature[] = SIGNATURE, ja4[] = WGET;
	struct p0f_match match = linux_match;
	struct device_memory *m;
	struct fuse_result r;

	(void)state;
	assert_int_equal(device_memory_new(&m), 0);
	r = remembered(m, host, 1, (struct fuse_input){ .p0f_signature = signature, .p0f = &match });
	assert_int_equal(r.agreement_count, 1);
	r = remembered(m, host, 2, (struct fuse_input){ .ja4 = ja4 });
	assert_int_equal(r.agreement_count, 2);
	memset(signature, 'x', sizeof(signature) - 1); /* nothing of the callers is kept by reference */
	memset(ja4, 'x', sizeof(ja4) - 1);
	memset(&match, 0, sizeof(match));
	r = remembered(m, host, 3, (struct fuse_input){ .hassh = DROPBEAR });
	assert_int_equal(r.agreement_count, 3);
	assert_string_equal(r.name, "Linux");
	assert_true(r.confidence > 0.9f);
	r = remembered(m, other, 4, (struct fuse_input){ .hassh = OPENSSH }); /* another's are another's */
	assert_int_equal(r.agreement_count, 1);
	r = remembered(NULL, host, 5, (struct fuse_input){ .hassh = OPENSSH });
	assert_int_equal(r.agreement_count, 1);
	/* What says nothing does not take the place of what did. */
	r = remembered(m, host, 6, (struct fuse_input){ .ja4 = GO, .p0f_signature = "4:1+31:0:0:1,0:::0", .p0f = &(struct p0f_match){ 0 } });
	assert_int_equal(r.agreement_count, 3);
	device_memory_free(m);
}

static void hv_16_connections_that_disagree(void **state)
{
	struct device_memory *m;
	struct fuse_result r;

	(void)state;
	assert_int_equal(device_memory_new(&m), 0);
	(void)remembered(m, host, 1, (struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &windows_match });
	r = remembered(m, host, 2, (struct fuse_input){ .hassh_server = DROPBEAR_HOST });
	assert_string_equal(r.os_family, "windows");
	assert_int_equal(r.disagreements, 1);
	assert_string_equal(r.disagreement[0].signature, DROPBEAR_HOST);
	device_memory_free(m);
}

static void what_is_old_is_forgotten(void **state)
{
	struct device_memory *m;

	(void)state;
	assert_int_equal(device_memory_new(&m), 0);
	(void)remembered(m, host, 0, (struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &linux_match, .ja4 = WGET });
	assert_int_equal(remembered(m, host, 600, (struct fuse_input){ .hassh = DROPBEAR }).agreement_count, 3);
	assert_int_equal(remembered(m, host, 601, (struct fuse_input){ .hassh = DROPBEAR }).agreement_count, 1);
	device_memory_free(m);
}

static void the_silent_longest_gives_way(void **state)
{
	struct device_memory *m;
	unsigned kept = 0;

	(void)state;
	assert_int_equal(device_memory_new(&m), 0);
	for (unsigned i = 0; i < 4 * DEVICES_MAX; i++) {
		uint8_t address[16] = { [13] = 1, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i };

		(void)remembered(m, address, 1, (struct fuse_input){ .ja4 = WGET });
		(void)remembered(m, host, 2, (struct fuse_input){ .ja4 = WGET }); /* never silent */
	}
	assert_int_equal(remembered(m, host, 3, (struct fuse_input){ .hassh = DROPBEAR }).agreement_count, 2);
	for (unsigned i = 0; i < 4 * DEVICES_MAX; i++) {
		uint8_t address[16] = { [13] = 1, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i };

		kept += remembered(m, address, 4, (struct fuse_input){ .hassh = DROPBEAR }).agreement_count == 2;
	}
	assert_true(kept < DEVICES_MAX);
	/* Who says nothing takes no place. */
	(void)remembered(m, host, 5, (struct fuse_input){ .ja4 = WGET });
	for (unsigned i = 0; i < 4 * DEVICES_MAX; i++) {
		uint8_t address[16] = { [13] = 2, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i };

		(void)remembered(m, address, 6, (struct fuse_input){ .ja4 = GO });
	}
	assert_int_equal(remembered(m, host, 7, (struct fuse_input){ .hassh = DROPBEAR }).agreement_count, 2);
	device_memory_free(m);
}

static void hv_16_the_message_of_a_device(void **state)
{
	struct fuse_input seen = { .hassh = DROPBEAR }, all;
	struct device_memory *m;
	struct fingerprint_message out;

	(void)state;
	assert_int_equal(device_memory_new(&m), 0);
	(void)remembered(m, host, 1, (struct fuse_input){ .p0f_signature = SIGNATURE, .p0f = &linux_match });
	device_memory_complete(m, host, AF_INET, 2 * SECOND, &seen, &all);
	fingerprint_device_message(&seen, &all, &out);
	assert_string_equal(out.message.hassh, DROPBEAR);
	assert_string_equal(out.message.p0f_signature, ""); /* of another connection */
	assert_false(out.message.tcp_observed);
	assert_null(out.message.p0f_match);
	assert_int_equal(out.message.agreement_count, 2);
	assert_string_equal(out.message.os_match->name, "Linux");
	device_memory_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hv_16_agreement_raises_count_and_confidence),
		cmocka_unit_test(hv_16_disagreement_is_listed_and_lowers_confidence),
		cmocka_unit_test(hv_16_many_outweigh_a_weak_p0f_match),
		cmocka_unit_test(weaker_matches_weigh_less),
		cmocka_unit_test(unix_speaks_for_any_of_its_kind),
		cmocka_unit_test(what_runs_everywhere_has_no_vote),
		cmocka_unit_test(a_tool_has_no_vote),
		cmocka_unit_test(only_the_hashes_of_a_ja4_count),
		cmocka_unit_test(hv_16_the_message),
		cmocka_unit_test(hv_16_p0f_ja4_and_hassh_of_three_connections),
		cmocka_unit_test(hv_16_connections_that_disagree),
		cmocka_unit_test(what_is_old_is_forgotten),
		cmocka_unit_test(the_silent_longest_gives_way),
		cmocka_unit_test(hv_16_the_message_of_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
