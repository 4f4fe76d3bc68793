#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# unit.sh RESULTS PROGRAM...: runs cmocka programs, keeps their TAP in RESULTS, shows what failed, and adds up.
# RUN is what runs them when this machine cannot: an emulator with its options.
set -u
results=$1
shift
[ -z "${RUN:-}" ] || export EMULATED=1
mkdir -p "$results"
rm -f "$results"/unit-*.tap
for program in "$@"; do
	name=$(basename "$program")
	tap=$results/unit-$name.tap
	# shellcheck disable=SC2086 # a command and its options
	CMOCKA_MESSAGE_OUTPUT=TAP ${RUN:-} "$program" >"$tap" 2>"$results/unit-$name.log"
	status=$?
	# A program that ends without saying that a test failed has crashed.
	sed -i 's/^not ok \(.*# SKIP\)/ok \1/' "$tap" # as some versions of cmocka write it
	if [ "$status" -ne 0 ] && ! grep -q '^not ok' "$tap"; then
		echo "not ok - $name ended with status $status" >>"$tap"
	fi
	if grep -q '^not ok' "$tap"; then
		echo "$name:"
		grep -A 8 '^not ok' "$tap"
		tail -n 40 "$results/unit-$name.log"
	fi
done
cat "$results"/unit-*.tap | awk '
	/^ok .*# SKIP/ { skipped++; next }
	/^ok /         { passed++ }
	/^not ok /     { failed++ }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed == 0 }'
