/* SPDX-License-Identifier: Apache-2.0 */
/* objs: proto/netprobe.pb-c.c */
#include <errno.h>

#include "lib/json.h"
#include "lib/protojson.h"
#include "proto/netprobe.pb-c.h"
#include "tests/unit/unit.h"

#define CONFIG serviceradar__agent__netprobe__v1__visibility_agent_config__descriptor

static int to_config(const char *text, ProtobufCMessage **m, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL;

	if (json_parse(text, strlen(text), "test", &o, err) < 0)
		fail_msg("%s", err->text);
	return protojson_to_message(o, &CONFIG, m, err);
}

static void there_and_back(void **state)
{
	static const char text[] = "{\"enabled\":true,\"captureInterfaces\":[\"eth0\",\"eth1\"],"
				   "\"deviceBindings\":[{\"ip\":\"192.0.2.1\",\"fingerprint\":{\"tcp\":true}}],"
				   "\"default_sample_interval_ms\":4294967295,\"collectorIp\":\"2001:db8::1\"}";
	_cleanup_json_ struct json_object *back = NULL;
	Serviceradar__Agent__Netprobe__V1__VisibilityAgentConfig *c;
	ProtobufCMessage *m = NULL, *again = NULL;
	struct json_object *v;
	struct error err;

	(void)state;
	if (to_config(text, &m, &err) < 0)
		fail_msg("%s", err.text);
	c = (void *)m;
	assert_true(c->enabled);
	assert_int_equal(c->n_capture_interfaces, 2);
	assert_string_equal(c->capture_interfaces[1], "eth1");
	assert_true(c->device_bindings[0]->fingerprint->tcp);
	assert_int_equal(c->default_sample_interval_ms, 4294967295u);
	back = protojson_from_message(m);
	assert_true(json_object_object_get_ex(back, "defaultSampleIntervalMs", &v)); /* lowerCamelCase */
	assert_int_equal(protojson_to_message(back, &CONFIG, &again, &err), 0);
	assert_int_equal(protobuf_c_message_get_packed_size(m), protobuf_c_message_get_packed_size(again));
	protobuf_c_message_free_unpacked(m, NULL);
	protobuf_c_message_free_unpacked(again, NULL);
}

static void numbers_of_64_bits_are_strings(void **state)
{
	Serviceradar__Agent__Netprobe__V1__FlowAttributionEvent e =
		SERVICERADAR__AGENT__NETPROBE__V1__FLOW_ATTRIBUTION_EVENT__INIT;
	_cleanup_json_ struct json_object *o = NULL;
	struct json_object *v;

	(void)state;
	e.socket_address = UINT64_MAX;
	e.observed_at_unix_nano = INT64_MIN;
	o = protojson_from_message(&e.base);
	assert_true(json_object_object_get_ex(o, "socketAddress", &v));
	assert_string_equal(json_object_get_string(v), "18446744073709551615");
	assert_true(json_object_is_type(v, json_type_string));
	assert_true(json_object_object_get_ex(o, "observedAtUnixNano", &v));
	assert_string_equal(json_object_get_string(v), "-9223372036854775808");
	assert_true(json_object_object_get_ex(o, "pid", &v)); /* numbers are always there */
	assert_false(json_object_object_get_ex(o, "comm", &v));
}

static void what_does_not_fit_names_key_and_value(void **state)
{
	static const struct {
		const char *text, *key, *value;
	} rows[] = {
		{ "{\"enabeld\":true}", "enabeld", "" },
		{ "{\"enabled\":\"yes\"}", "enabled", "yes" },
		{ "{\"defaultSampleIntervalMs\":4294967296}", "efault", "4294967296" },
		{ "{\"defaultSampleIntervalMs\":-1}", "efault", "-1" },
		{ "{\"defaultSampleIntervalMs\":1.5}", "efault", "1.5" },
		{ "{\"captureInterfaces\":\"eth0\"}", "apture", "eth0" },
		{ "{\"captureInterfaces\":[1]}", "apture", "1" },
		{ "{\"dpi\":[]}", "dpi", "" },
		{ "{\"deviceBindings\":[{\"ip\":{}}]}", "ip", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ProtobufCMessage *m = NULL;
		struct error err = { .text = "" };

		if (to_config(rows[i].text, &m, &err) != -EINVAL)
			fail_msg("accepted: %s", rows[i].text);
		assert_null(m);
		assert_says(err.text, rows[i].key);
		assert_says(err.text, rows[i].value);
	}
}

/* The two ways of writing are one: whatever a string holds, and whatever is not there. */
static void printed_as_the_object_is(void **state)
{
	Serviceradar__Agent__Netprobe__V1__FlowRecord r = SERVICERADAR__AGENT__NETPROBE__V1__FLOW_RECORD__INIT;
	Serviceradar__Agent__Netprobe__V1__DpiEvent d = SERVICERADAR__AGENT__NETPROBE__V1__DPI_EVENT__INIT;
	Serviceradar__Agent__Netprobe__V1__OsMatch os = SERVICERADAR__AGENT__NETPROBE__V1__OS_MATCH__INIT;
	Serviceradar__Agent__Netprobe__V1__FingerprintDisagreement g[2] = { SERVICERADAR__AGENT__NETPROBE__V1__FINGERPRINT_DISAGREEMENT__INIT,
									    SERVICERADAR__AGENT__NETPROBE__V1__FINGERPRINT_DISAGREEMENT__INIT };
	Serviceradar__Agent__Netprobe__V1__FingerprintDisagreement *list[] = { &g[0], &g[1] };
	Serviceradar__Agent__Netprobe__V1__LicenseCleanFingerprint l = SERVICERADAR__AGENT__NETPROBE__V1__LICENSE_CLEAN_FINGERPRINT__INIT;
	Serviceradar__Agent__Netprobe__V1__FingerprintEvent e;
	const ProtobufCMessage *messages[] = { &r.base, &d.base, &e.base };
	char line[4096];

	(void)state;
	serviceradar__agent__netprobe__v1__fingerprint_event__init(&e);
	r.source_ip = (char *)"quote \" back \\ slash / tab \t new \n \b\f\r \x01\x1f\x7f \xc3\xa9";
	r.bytes_forward = UINT64_MAX;
	r.first_seen_unix_nano = INT64_MIN;
	r.uid = UINT32_MAX;
	d.confidence = 0.97f;
	d.observed_at_unix_nano = -1;
	g[0].signal = (char *)"p0f";
	g[1].observed_family = (char *)"linux";
	os.n_disagreements = 2;
	os.disagreements = list;
	os.confidence = 1e-9f;
	l.os_match = &os;
	l.tcp_observed = 1;
	e.ip = (char *)"::1";
	e.evidence_case = SERVICERADAR__AGENT__NETPROBE__V1__FINGERPRINT_EVENT__EVIDENCE_LICENSE_CLEAN;
	e.license_clean = &l;
	for (size_t i = 0; i < 3; i++) {
		_cleanup_json_ struct json_object *o = protojson_from_message(messages[i]);
		const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
		int n = protojson_print(messages[i], NULL, line, sizeof(line));

		assert_string_equal(line, text);
		assert_int_equal(n, strlen(text));
		json_object_object_add(o, "type", json_object_new_string("x"));
		assert_true(protojson_print(messages[i], "x", line, sizeof(line)) > 0);
		assert_string_equal(line, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		/* Too small by any number of bytes: told, and nothing written beyond. */
		for (size_t size = 1; size <= (size_t)n; size++) {
			line[size] = '!';
			assert_int_equal(protojson_print(messages[i], NULL, line, size), -EMSGSIZE);
			assert_int_equal(line[size], '!');
		}
		assert_int_equal(protojson_print(messages[i], NULL, line, (size_t)n + 1), n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(printed_as_the_object_is),
		cmocka_unit_test(numbers_of_64_bits_are_strings),
		cmocka_unit_test(what_does_not_fit_names_key_and_value),
	};

	return cmocka_run_group_tests_name("lib/protojson.c", tests, NULL, NULL);
}
