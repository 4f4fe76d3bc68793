#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whatever root reads from outside, under ASan and UBSan; make fuzz runs longer.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

@test "the corpus of every fuzzer and two seconds of new inputs: no crash, and every refusal is one printable line" {
	run make -s -C "$TOP" -j2 fuzz FUZZ_SECONDS=2
	echo "$output"
	[ "$status" -eq 0 ]
	local all
	all=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' <<<"$output")
	[ "$all" -gt "$(find "$TOP/tests/fuzz" -name '*.c' | wc -l)" ] # dissect.c is as many as there are dissectors
	[ "$(grep -c '^ok' <<<"$output")" -eq "$all" ]
}
