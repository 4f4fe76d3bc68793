#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the package managers say of the installed files (FAMILY), after all that an administrator does with netprobe.

load common
NAME=sr-verify-$FAMILY

setup_file() {
	boot serviceradar-agent serviceradar-netprobe
}

teardown_file() {
	"$CT" down "$NAME"
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || in_ct cat /run/serviceradar/addons/netprobe.json || :
	[ -n "${BATS_TEST_COMPLETED:-}" ] || in_ct journalctl --no-pager -q -o short-precise -n 60 || :
}

# clean: nothing is missing, changed, or without a digest.
clean() {
	if [ "$FAMILY" = deb ]; then
		[ "$(in_ct dpkg --verify serviceradar-agent serviceradar-netprobe)" = "" ] || return 1
		[ "$(in_ct dpkg --audit)" = "" ] || return 1
		debsums --root="$("$CT" root "$NAME")" --all --silent serviceradar-agent serviceradar-netprobe &&
			[ "$(debsums --root="$("$CT" root "$NAME")" --list-missing)" = "" ]
	else
		[ "$(in_ct rpm -V serviceradar-agent serviceradar-netprobe)" = "" ]
	fi
}

@test "PK-7 after install" {
	clean
}

@test "PK-7 after activation, with connections made and shown" {
	in_ct srctl addon enable netprobe
	status_is state active
	sh_ct 'systemd-run -q --unit=web python3 -m http.server 8080 --bind 127.0.0.1'
	until_ok 10 sh_ct 'curl -s -o /dev/null http://127.0.0.1:8080/ && srctl flows --json | grep -q "\"comm\":\"curl\""'
	clean
}

@test "PK-7 after a restart, a reboot, disable, enable, recover" {
	in_ct systemctl restart serviceradar-netprobe serviceradar-agent
	until_ok 60 status_is state active
	clean
	"$CT" reboot "$NAME"
	until_ok 60 status_is state active
	clean
	in_ct srctl addon disable netprobe
	in_ct "$UPDATER" recover
	in_ct srctl addon enable netprobe
	until_ok 60 status_is state active
	clean
}

@test "PK-7 after a reinstall of both" {
	pkg reinstall serviceradar-agent serviceradar-netprobe
	until_ok 60 status_is state active
	clean
}

@test "PK-7 and what was changed is found" {
	local root file
	root=$("$CT" root "$NAME")
	for file in usr/lib/serviceradar/addons/netprobe/addon.yaml usr/share/dbus-1/system.d/cloud.serviceradar.AgentUpdater1.conf; do
		cp -p "$root/$file" "$BATS_TEST_TMPDIR/keep"
		echo '# changed' >>"$root/$file"
		run clean
		[ "$status" -ne 0 ]
		cp -p "$BATS_TEST_TMPDIR/keep" "$root/$file"
		clean
	done
}
