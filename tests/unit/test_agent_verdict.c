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

static void stopped_and_perhaps_disabled_waits_for_the_answer(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	f.asked = true;
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "failed");
	f.explicit_request = true; /* whoever asked is not told of the failure before */
	assert_int_equal(verdict_of(&f).state, STATE_ACTIVATING);
	f.asked = false;
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

static struct addon_facts on_a_timer(void)
{
	struct addon_facts f = healthy();

	f.has_socket = f.connected = f.config_acked = false;
	f.spools = true;
	f.run = (struct unit_facts){ .known = true, .active_state = "inactive" };
	return f;
}

static void dl_4_a_timer_waits_and_its_last_run_counts(void **state)
{
	struct addon_facts f = on_a_timer();

	(void)state;
	assert_int_equal(verdict_of(&f).state, STATE_ACTIVE);
	assert_int_equal(verdict_of(&f).drift, 0);
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	assert_true(verdict_ingests(&f));
	snprintf(f.run.active_state, sizeof(f.run.active_state), "failed");
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_UNIT_FAILED));
	assert_int_equal(verdict_of(&f).state, STATE_DEGRADED);
	assert_int_equal(verdict_action(&f), ACTION_NONE); /* the timer is what was asked for */
	f = on_a_timer();
	f.enabled = false;
	assert_false(verdict_ingests(&f));
	f = on_a_timer();
	f.spools = false;
	assert_false(verdict_ingests(&f));
}

static void dl_6_a_helper_is_there_for_its_consumer(void **state)
{
	struct addon_facts f = on_a_timer();

	(void)state;
	f.helper = true;
	f.unit = f.run = (struct unit_facts){ .known = false };
	assert_int_equal(verdict_of(&f).state, STATE_ACTIVE);
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	f.binary_modified = true;
	assert_int_equal(verdict_of(&f).state, STATE_DEGRADED);
	f.binary_modified = f.activated = false;
	assert_int_equal(verdict_action(&f), ACTION_ACTIVATE);
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_ASSIGNED_NOT_ACTIVE));
	f.call_failed = true;
	assert_int_equal(verdict_of(&f).state, STATE_FAILED);
	f.activated = true;
	f.enabled = false;
	assert_int_equal(verdict_action(&f), ACTION_DEACTIVATE);
}

/* The unit comes up and goes down while the updater tries: the state does not follow it. */
static void np_6_a_retry_is_no_other_state(void **state)
{
	static const char *const states[] = { "inactive", "activating", "active", "deactivating", "failed" };
	struct addon_facts f = healthy();
	struct verdict v;

	(void)state;
	f.connected = false;
	f.call_failed = f.start_failed = true;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "failed");
	v = verdict_of(&f);
	assert_int_equal(v.state, STATE_FAILED);
	assert_true(drift_has(v.drift, DRIFT_UNIT_FAILED));
	f.call_pending = true;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		snprintf(f.unit.active_state, sizeof(f.unit.active_state), "%s", states[i]);
		assert_int_equal(verdict_of(&f).state, v.state);
		assert_int_equal(verdict_of(&f).drift, v.drift);
	}
	/* A version that fails to start while the one before runs on is another matter. */
	f.was_up = f.connected = true;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "active");
	assert_false(drift_has(verdict_of(&f).drift, DRIFT_UNIT_FAILED));
}

static void np_6_no_conclusion_before_systemd_has_answered(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	f.unit = (struct unit_facts){ .known = false };
	f.connected = false;
	f.asked = true;
	assert_int_equal(verdict_of(&f).drift, 0);
	assert_int_equal(verdict_of(&f).state, STATE_ACTIVATING);
	f.asked = false;
	assert_true(drift_has(verdict_of(&f).drift, DRIFT_ASSIGNED_NOT_ACTIVE));
}

/* The link is seen before systemd has read it: nothing is started in between. */
static void np_6_a_mask_counts_from_its_link_on(void **state)
{
	struct addon_facts f = healthy();

	(void)state;
	f.masked = true;
	snprintf(f.unit.active_state, sizeof(f.unit.active_state), "inactive");
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	assert_int_equal(verdict_of(&f).state, STATE_DEGRADED);
	f.masked = false;
	assert_int_equal(verdict_action(&f), ACTION_ACTIVATE);
}

static void np_6_an_edited_unit_is_written_again_when_asked_for(void **state)
{
	struct addon_facts f = healthy();
	char text[64];

	(void)state;
	f.unit_modified = f.binary_modified = true;
	assert_string_equal(drift_list(verdict_of(&f).drift, text, sizeof(text)), "binary_modified,unit_modified");
	assert_int_equal(verdict_action(&f), ACTION_NONE);
	f.explicit_request = true;
	assert_int_equal(verdict_action(&f), ACTION_ACTIVATE);
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
		cmocka_unit_test(stopped_and_perhaps_disabled_waits_for_the_answer),
		cmocka_unit_test(dl_6_unsupported_is_never_applied),
		cmocka_unit_test(dl_4_a_timer_waits_and_its_last_run_counts),
		cmocka_unit_test(dl_6_a_helper_is_there_for_its_consumer),
		cmocka_unit_test(np_6_a_retry_is_no_other_state),
		cmocka_unit_test(np_6_no_conclusion_before_systemd_has_answered),
		cmocka_unit_test(np_6_a_mask_counts_from_its_link_on),
		cmocka_unit_test(np_6_an_edited_unit_is_written_again_when_asked_for),
		cmocka_unit_test(backoff_doubles_to_its_limit),
	};

	return cmocka_run_group_tests_name("agent/verdict.c", tests, NULL, NULL);
}
