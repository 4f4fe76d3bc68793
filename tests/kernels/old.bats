#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What netprobe says on a kernel that it is not for. Run in the virtual machine by `matrix`.
# shellcheck disable=SC2154 # bats sets output

load ../live/common

teardown() {
	stop_netprobe
	cat "$BATS_TEST_TMPDIR/log" 2>/dev/null || :
}

@test "HV-10 a kernel that is too old: served all the same, with the reason" {
	start_netprobe "$ALL"
	run "$CLIENT" "$SOCKET" ping apply "$CONFIG" ping
	echo "$output"
	[ "$status" -eq 0 ]
	has '"pingAck" in o and not o["pingAck"]["continuousCaptureAvailable"] and "'"$(uname -r)"' is older than 5.12" in o["pingAck"]["unavailableReason"]'
	run "$NETPROBE" --check
	[ "$status" -eq 3 ]
	grep -q '^FAIL kernel .* is older than 5.12' <<<"$output"
	[ "$(grep -c '^FAIL' <<<"$output")" -eq 1 ]
}
