/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/config.c netprobe/dissect/ proto/netprobe.pb-c.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "netprobe/config.h"

#define CONFIG_INIT  SERVICERADAR__AGENT__NETPROBE__V1__VISIBILITY_AGENT_CONFIG__INIT
#define BINDING_INIT SERVICERADAR__AGENT__NETPROBE__V1__DEVICE_BINDING__INIT

static void refused_with(const VisibilityConfig *config, const char *field, const char *value)
{
	struct error err = { .text = "" };

	assert_int_equal(config_check(config, &err), -EINVAL);
	if (strncmp(err.text, field, strlen(field)) != 0 || !strstr(err.text, value))
		fail_msg("\"%s\" does not say %s and %s", err.text, field, value);
}

static void wildcards_empty_and_unknown_interfaces_are_refused(void **state)
{
	static const char *const bad[] = { "any", "*", "", "sr-not-there", "a-name-that-is-longer-than-an-interface-name-may-be", "lo ", "LO" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		VisibilityConfig config = CONFIG_INIT;
		char *names[] = { (char *)"lo", (char *)(uintptr_t)bad[i] };

		config.capture_interfaces = names;
		config.n_capture_interfaces = 1;
		assert_int_equal(config_check(&config, NULL), 0);
		config.n_capture_interfaces = 2;
		refused_with(&config, "capture_interfaces[1]: ", bad[i]);
	}
}

static void addresses_are_checked(void **state)
{
	static const char *const good[] = { "192.0.2.7", "::1", "2001:db8::7", "::ffff:192.0.2.7" };
	static const char *const bad[] = { "192.0.2", "192.0.2.7/32", "host.example", "fe80::1%lo", " ::1", "" };
	Serviceradar__Agent__Netprobe__V1__DeviceBinding binding = BINDING_INIT, *bindings[] = { &binding };
	VisibilityConfig config = CONFIG_INIT;

	(void)state;
	config.device_bindings = bindings;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		config.n_device_bindings = 1;
		config.collector_ip = binding.ip = (char *)(uintptr_t)good[i];
		assert_int_equal(config_check(&config, NULL), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config.collector_ip = (char *)"";
		config.n_device_bindings = 1;
		binding.ip = (char *)(uintptr_t)bad[i];
		refused_with(&config, "device_bindings[0].ip: ", bad[i]);
		config.n_device_bindings = 0;
		config.collector_ip = (char *)(uintptr_t)bad[i];
		if (*bad[i]) /* an empty one is none */
			refused_with(&config, "collector_ip: ", bad[i]);
	}
}

/* The line goes into a protobuf string, which must be UTF-8, and into a log. */
static void whatever_a_value_holds_the_message_is_one_line_of_ascii(void **state)
{
	static const char *const values[] = { "\xff\xfe", "eth0\nroot", "\xc3", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa4" };
	VisibilityConfig config = CONFIG_INIT;
	Serviceradar__Agent__Netprobe__V1__DeviceBinding binding = BINDING_INIT, *bindings[] = { &binding };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char *value = (char *)(uintptr_t)values[i];

		for (int field = 0; field < 3; field++) {
			struct error err = { .text = "" };

			config.capture_interfaces = &value;
			config.n_capture_interfaces = field == 0;
			config.device_bindings = bindings;
			config.n_device_bindings = field == 1;
			binding.ip = value;
			config.collector_ip = field == 2 ? value : (char *)"";
			assert_int_equal(config_check(&config, &err), -EINVAL);
			for (const char *p = err.text; *p; p++)
				assert_in_range((unsigned char)*p, 0x20, 0x7e);
		}
	}
}

static void the_hash_is_of_the_message(void **state)
{
	VisibilityConfig config = CONFIG_INIT;
	char empty[CONFIG_HASH_BYTES], enabled[CONFIG_HASH_BYTES];

	(void)state;
	assert_int_equal(config_hash(&config, empty), 0);
	/* no bytes at all: FIPS 180-4's value for the empty message */
	assert_string_equal(empty, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	config.enabled = 1;
	assert_int_equal(config_hash(&config, enabled), 0);
	/* printf '\x08\x01' | sha256sum */
	assert_string_equal(enabled, "fb8da7eb5b1b399e7321179dac9e9f65773d7331e1e30554e3911e4325e1ef19");
}

/* Reads `text` as a file; the result is freed, its hash kept. */
static int read_text(const char *text, char hash[CONFIG_HASH_BYTES], struct error *err)
{
	char path[] = "/tmp/sr-config-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	VisibilityConfig *config = NULL;
	int r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	r = config_read(path, &config, err);
	unlink(path);
	if (r < 0) {
		assert_null(config);
		assert_non_null(strstr(err->text, path));
		return r;
	}
	assert_int_equal(config_hash(config, hash), 0);
	protobuf_c_message_free_unpacked(&config->base, NULL);
	return 0;
}

static void a_file_is_read_whatever_the_order_of_its_keys(void **state)
{
	struct error err = { .text = "" };
	char a[CONFIG_HASH_BYTES], b[CONFIG_HASH_BYTES];

	(void)state;
	assert_int_equal(read_text("{\"enabled\":true,\"captureInterfaces\":[\"lo\"],\"collectorIp\":\"::1\"}", a, &err), 0);
	assert_int_equal(read_text("{\"collector_ip\":\"::1\",\"capture_interfaces\":[\"lo\"],\n \"enabled\":true}", b, &err), 0);
	assert_string_equal(a, b);
}

static void a_file_that_is_wrong_is_named_with_its_key(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "" },
		{ "[]", "" },
		{ "{\"enabled\":true", "" },
		{ "{\"nonsense\":1}", "nonsense" },
		{ "{\"enabled\":\"yes\"}", "enabled" },
		{ "{\"flowTableMaxEntries\":-1}", "flow_table_max_entries" },
		{ "{\"captureInterfaces\":[\"any\"]}", "capture_interfaces[0]" },
	};
	VisibilityConfig *config;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char hash[CONFIG_HASH_BYTES];

		err.text[0] = '\0';
		assert_int_equal(read_text(bad[i].text, hash, &err), -EINVAL);
		if (!strstr(err.text, bad[i].says))
			fail_msg("\"%s\" does not name %s", err.text, bad[i].says);
	}
	assert_int_equal(config_read("/nonexistent/config.json", &config, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wildcards_empty_and_unknown_interfaces_are_refused),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(whatever_a_value_holds_the_message_is_one_line_of_ascii),
		cmocka_unit_test(the_hash_is_of_the_message),
		cmocka_unit_test(a_file_is_read_whatever_the_order_of_its_keys),
		cmocka_unit_test(a_file_that_is_wrong_is_named_with_its_key),
	};

	return cmocka_run_group_tests_name("netprobe/config.c", tests, NULL, NULL);
}
