#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check.sh BUILD: every test, and at the end one line that adds them up. What needs no other's machine runs side by side.
set -uo pipefail
build=$1
results=$build/check
failed=0
rm -rf "$results"
mkdir -p "$results"
export BUILD=$build

tests/coverage || failed=1
make --no-print-directory WERROR=1 check-unit || failed=1
# The root file systems are made one after the other, not by the first tests.
for family in deb rpm arm64 selinux; do tests/lib/rootfs "$family" >/dev/null || failed=1; done

# at_once NAME=FAMILY:FILE...: bats files side by side; each one's output is shown whole when it has ended.
at_once() {
	local pids=() logs=() i
	for i in "$@"; do
		logs+=("$results/$(tr / - <<<"${i//:/-}").log")
		FAMILY=${i%%:*} tests/lib/bats.sh "$results" "${i#*:}" >"${logs[-1]}" 2>&1 &
		pids+=($!)
	done
	for i in "${!pids[@]}"; do
		wait "${pids[$i]}" || failed=1
		cat "${logs[$i]}"
	done
}
at_once any:tests/package/arm64.bats any:tests/package/policy.bats any:tests/package/schema.bats any:tests/package/srctl.bats deb:tests/package/confined.bats
at_once deb:tests/package/docs.bats rpm:tests/package/docs.bats
at_once deb:tests/package/life.bats rpm:tests/package/life.bats
at_once deb:tests/package/bundle.bats rpm:tests/package/bundle.bats
at_once deb:tests/package/timer.bats rpm:tests/package/timer.bats deb:tests/package/soak.bats
at_once deb:tests/package/drift.bats rpm:tests/package/drift.bats
at_once deb:tests/package/capture.bats rpm:tests/package/capture.bats
at_once deb:tests/package/sinks.bats rpm:tests/package/sinks.bats
at_once deb:tests/package/offline.bats rpm:tests/package/offline.bats
tests/package/matrix "$build" sample || failed=1
ln -sfn matrix/legacy "$build/check/legacy"
at_once deb:tests/package/split.bats rpm:tests/package/split.bats
at_once deb:tests/package/deb.bats any:tests/package/lint.bats deb:tests/package/external.bats
at_once deb:tests/package/repo.bats rpm:tests/package/repo.bats
at_once deb:tests/package/verify.bats rpm:tests/package/verify.bats
at_once deb:tests/package/image.bats rpm:tests/package/image.bats any:tests/package/proof.bats
at_once any:tests/package/publish.bats
tests/kernels/matrix "$build" --sample || failed=1
for file in tests/live/*.bats; do tests/lib/bats.sh "$results" "$file" || failed=1; done

tests/lib/summary "$results"/*.tap || failed=1
exit "$failed"
