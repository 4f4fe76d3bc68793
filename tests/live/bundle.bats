#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bundles and their signatures, on roots of their own: no systemd.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
UPDATER=$TOP/build/helper/agent-updater

@test "NP-2 each case of the tamper matrix is refused for what it is, and the tree is byte for byte what it was" {
	run "$TOP/tests/bundle/tamper" "$UPDATER"
	grep -A1 '^not ok' <<<"$output" || :
	echo "${lines[-1]}"
	[ "$status" -eq 0 ]
}

@test "what make bundle and make sign make, stock minisign verifies, and the same tree gives the same bytes" {
	local bundle
	bundle=$(echo "$TOP"/build/bundle/netprobe_*_linux_*.tar.gz)
	minisign -G -W -f -p "$BATS_TEST_TMPDIR/k.pub" -s "$BATS_TEST_TMPDIR/k.key" >/dev/null
	make -s -C "$TOP" sign KEY="$BATS_TEST_TMPDIR/k.key"
	bundle=$(echo "$TOP"/build/bundle/netprobe_*_linux_*.tar.gz)
	minisign -V -p "$BATS_TEST_TMPDIR/k.pub" -m "$bundle" -x "$bundle.minisig"
	cp "$bundle" "$BATS_TEST_TMPDIR/first"
	touch "$TOP/addons/netprobe/config.schema.json"
	make -s -C "$TOP" bundle
	cmp "$bundle" "$BATS_TEST_TMPDIR/first"
	tar tvzf "$bundle"
}

@test "the packages hold no key that a test made" {
	run sh -c "dpkg-deb -c '$TOP'/build/deb/serviceradar-agent_*.deb | grep -E '\.(pub|key)$'"
	[ "$output" = "" ]
}
