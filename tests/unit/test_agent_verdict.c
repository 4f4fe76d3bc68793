/* SPDX-License-Identifier: Apache-2.0 */
/* objs: agent/verdict.c agent/backoff.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "agent/backoff.h"
#include "agent/verdict.h"

static struct addon_facts healthy(void)
{
	return (struct addon_facts){
		.assigned = true, .enabled = true, .installed = true, .activated = true, .wanted_current = true,
		.has_socket = true,
		.connected = true, .config_acked = true, .version = "1.4.0",
		.unit = { .known = true, .active_state = "active", .file_state = "enabled", .main_pid = 7 },
	};
}

static void np_3_disabled_only_when_nothing_is_left(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	f.enabled = f.connected = false;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "deactivating");
	assert_int_equal(verdict_of(&f).state, STATE_ACTIVE);
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	f.call_pending = true;
	assert_int_equal(verdict_of(&f).state, STATE_ACTIVE);
	f.call_pending = false;
	assert_int_equal(verdict_of(&f).state, STATE_DISABLED);
	assert_int_equal(verdict_of(&f).drift, 0);
}

static void np_6_each_cause_has_its_reason_and_clears(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	assert_int_equal(verdict_of(&f).state, STATE_ACTIVE);
	assert_int_equal(verdict_of(&f).drift, 0);
	f.connected = false;
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_IPC_DISCONNECTED));
	assert_int_equal(verdict_of(&f).state, STATE_DEGRADED);
	f = healthy();
	f.connected = false;
	f.call_failed = f.start_failed = true;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_UNIT_FAILED));
	assert_int_equal(verdict_of(&f).state, STATE_FAILED);
	f = healthy();
	f.config_invalid = true;
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_CONFIG_REJECTED));
	f = healthy();
	f.capability_missing = true;
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_CAPABILITY_MISSING));
	f = healthy();
	snprintf(f.want_version, sizeof(f.want_version), "9.0.0");
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_VERSION_MISMATCH));
	f = healthy();
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "failed");
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_UNIT_FAILED));
	assert_int_equal(verdict_of(&f).state, STATE_FAILED);
	f = healthy();
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_ASSIGNED_NOT_ACTIVE));
	f = healthy();
	f.installed = false;
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_ASSIGNED_NOT_INSTALLED));
	assert_int_equal(verdict_of(&f).state, STATE_NOT_INSTALLED);
	f = healthy();
	f.assigned = false;
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_UNASSIGNED_BUT_ACTIVE));
}

static void np_3_disabled_is_deactivated(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	f.enabled = false;
	assert_int_equal(verdict_action(&f), ACTION_DEACTIVATE);
	assert_false(verdict_attach(&f));
	f.activated = false;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	assert_int_equal(verdict_of(&f).state, STATE_DISABLED);
	f.assigned = false;
	assert_int_equal(verdict_of(&f).state, STATE_INSTALLED);
}

static void dormant_until_assigned_then_activated(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	f.activated = f.connected = false;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	assert_int_equal(verdict_action(&f), ACTION_ACTIVATE);
	f.call_blocked = true;
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	f.call_blocked = false;
	snprintf(f.unit.file_state, sizeof(f.unit.file_state), "masked");
	assert_int_equal(verdict_action(&f), ACTION_NONE);
}

static void disabled_by_hand_is_left_until_assigned_again(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	snprintf(f.unit.file_state, sizeof(f.unit.file_state), "disabled");
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	f.explicit_request = true;
	assert_int_equal(verdict_action(&f), ACTION_ACTIVATE);
}

static void dl_6_unsupported_is_never_applied(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	f.activated = false;
	f.unsupported = UNSUPPORTED_ARCH;
	assert_int_equal(verdict_of(&f).state, STATE_UNSUPPORTED);
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_ARCH_UNSUPPORTED));
	assert_int_equal(verdict_action(&f), ACTION_NONE);
}

static void backoff_doubles_to_its_limit(void **state)
{
	struct backoff b = { .min_us = 50000, .max_us = 2000000 };
	uint64_t last = 0;

	(void)state;
	assert_in_range(backoff_next(&b), 40000, 50000);
	for (int i = 0; i < 10; i++)
		last = backoff_next(&b);
	assert_in_range(last, 1600000, 2000000);
	backoff_reset(&b);
	assert_in_range(backoff_next(&b), 40000, 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(np_3_disabled_only_when_nothing_is_left),
		cmocka_unit_test(np_6_each_cause_has_its_reason_and_clears),
		cmocka_unit_test(np_3_disabled_is_deactivated),
		cmocka_unit_test(dormant_until_assigned_then_activated),
		cmocka_unit_test(disabled_by_hand_is_left_until_assigned_again),
		cmocka_unit_test(dl_6_unsupported_is_never_applied),
		cmocka_unit_test(backoff_doubles_to_its_limit),
	};

	return cmocka_run_group_tests_name("agent/verdict.c", tests, NULL, NULL);
}
