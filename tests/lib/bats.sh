#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bats.sh RESULTS FILE...: runs bats files one after the other, shows them, and keeps their TAP in RESULTS.
set -u
results=$1
shift
mkdir -p "$results"
failed=0
for file in "$@"; do
	tap=$results/bats-${FAMILY:-any}-$(echo "$file" | tr / -).tap
	bats --tap "$file" >"$tap" 2>&1 3>&1 || failed=1
	sed "s/^ok [0-9]*/&${FAMILY:+ $FAMILY:}/; s/^not ok [0-9]*/&${FAMILY:+ $FAMILY:}/" "$tap"
done
exit "$failed"
