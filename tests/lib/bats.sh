#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bats.sh RESULTS FILE...: runs bats files one after the other, shows them, and keeps their TAP in RESULTS.
set -u
results=$1
shift
mkdir -p "$results"
failed=0
for file in "$@"; do
	tap=$results/bats-$(echo "$file" | tr / -).tap
	{ bats --tap "$file" || echo "not ok - $file ended with status $?"; } >"$tap" 2>&1 3>&1
	cat "$tap"
	! grep -q '^not ok' "$tap" || failed=1
done
exit "$failed"
