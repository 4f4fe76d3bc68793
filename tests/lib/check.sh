#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# check.sh BUILD: every test, and at the end one line that adds them up.
set -u
build=$1
results=$build/check
failed=0
rm -rf "$results"
mkdir -p "$results"
make --no-print-directory WERROR=1 check-unit || failed=1
tests/lib/bats.sh "$results" tests/package/*.bats || failed=1
cat "$results"/*.tap | awk '
	/^ok .*# [Ss][Kk][Ii][Pp]/ { skipped++; next }
	/^ok /     { passed++ }
	/^not ok / { failed++ }
	END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit failed > 0 || passed == 0 }' || failed=1
exit "$failed"
