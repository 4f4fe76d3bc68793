/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/recent.c lib/protojson.c lib/protojson_print.c lib/json.c lib/error.c lib/utf8.c lib/fs.c proto/netprobe.pb-c.c */
/* pkgs: json-c libprotobuf-c */
#include "agent/recent.h"
#include "tests/unit/unit.h"

struct seen {
	unsigned n;
	char first[64], last[64];
};

static void see(struct json_object *line, void *userdata)
{
	struct seen *s = userdata;
	struct json_object *v = NULL;

	if (json_object_object_get_ex(line, "ip", &v) || json_object_object_get_ex(line, "local_port", &v)) {
		snprintf(s->last, sizeof(s->last), "%s", json_object_get_string(v));
		if (!s->n)
			memcpy(s->first, s->last, sizeof(s->first));
	}
	s->n++;
}

static void hear(struct recent *r, unsigned n)
{
	NpFingerprintEvent e = SERVICERADAR__AGENT__NETPROBE__V1__FINGERPRINT_EVENT__INIT;
	char ip[46];

	snprintf(ip, sizeof(ip), "10.0.%u.%u", n / 256, n % 256);
	e.ip = ip;
	recent_message(r, "fingerprint_event", &e.base);
}

static void one_fingerprint_of_each_address_and_the_oldest_makes_room(void **state)
{
	struct recent *r = recent_new();
	struct seen s = { 0 };

	(void)state;
	for (unsigned i = 0; i < RECENT_FINGERPRINTS; i++)
		hear(r, i);
	hear(r, 0); /* heard again: not the oldest any more */
	hear(r, RECENT_FINGERPRINTS);
	recent_fingerprints(r, see, &s);
	assert_int_equal(s.n, RECENT_FINGERPRINTS);
	assert_string_equal(s.first, "10.0.0.2"); /* 10.0.0.1 made room */
	assert_string_equal(s.last, "10.0.4.0");
	recent_free(r);
}

static void the_last_snapshot_counts(void **state)
{
	NpProcessSnapshotEntry entries[2] = { SERVICERADAR__AGENT__NETPROBE__V1__PROCESS_SNAPSHOT_ENTRY__INIT,
					      SERVICERADAR__AGENT__NETPROBE__V1__PROCESS_SNAPSHOT_ENTRY__INIT };
	NpProcessSnapshotEntry *pointers[] = { &entries[0], &entries[1] };
	NpProcessSnapshot snapshot = SERVICERADAR__AGENT__NETPROBE__V1__PROCESS_SNAPSHOT__INIT;
	struct recent *r = recent_new();
	struct seen s = { 0 };

	(void)state;
	recent_listeners(r, see, &s);
	assert_int_equal(s.n, 0);
	entries[0].local_port = 22;
	entries[1].local_port = 80;
	snapshot.entries = pointers;
	snapshot.n_entries = 2;
	recent_message(r, "process_snapshot", &snapshot.base);
	snapshot.n_entries = 1;
	recent_message(r, "process_snapshot", &snapshot.base);
	recent_message(r, "dpi_event", &snapshot.base); /* not kept, not looked at */
	recent_listeners(r, see, &s);
	assert_int_equal(s.n, 1);
	assert_string_equal(s.last, "22");
	recent_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_fingerprint_of_each_address_and_the_oldest_makes_room),
		cmocka_unit_test(the_last_snapshot_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
