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

@test "DL-2 killed at a system call of any verb: recover ends with the old or the new state, whole, and may be repeated" {
	crash kill 50
}

@test "DL-2 a system call fails once, full disk, I/O error, signal, quota: done, or one error line and the old state" {
	crash fail 90
}
