#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The updater disturbed at a sample of its system calls; make check-crash takes all of them.

load common

# crash MODE SAMPLE: the seed is shown, so that a finding can be had again.
crash() {
	seed=$(date +%j)
	run "$TOP/tests/crash/crash" --build "$BUILT" --mode "$1" --sample "$2" --seed "$seed" --keep "$BATS_TEST_TMPDIR/kept"
	echo "seed $seed"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} =~ ^crash:\ [1-9][0-9]*\ points,\ 0\ failed$ ]]
}

@test "DL-2 killed at a system call of stage, activate, rollback, deactivate, remove: recover ends with the old or the new state, whole" {
	crash kill 40
}

@test "DL-2 a system call fails once, by a full disk, a broken one, a signal, a quota: done, or an error line and the old state" {
	crash fail 80
}
