#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What only Debian has: policy-rc.d, dpkg-statoverride, dpkg's verification, and the package's own autopkgtest.

load common
NAME=sr-deb-only

setup_file() {
	boot
}

teardown_file() {
	"$CT" down "$NAME"
}

@test "PK-4 the package's own autopkgtest passes on a booted system" {
	pkg install serviceradar-agent serviceradar-netprobe
	cp "$TOP/debian/tests/smoke" "$("$CT" root "$NAME")/root/smoke"
	run in_ct sh /root/smoke
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"connections were attributed" ]]
	pkg purge serviceradar-agent serviceradar-netprobe
}

@test "PK-3 policy-rc.d forbids starting: exit 0, nothing started, everything up after the next boot" {
	sh_ct 'printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
		mkdir -p /etc/serviceradar/addons.d'
	cp "$TOP/tests/package/assignment.json" "$("$CT" root "$NAME")/etc/serviceradar/addons.d/netprobe.json"
	pkg install serviceradar-agent serviceradar-netprobe
	run in_ct systemctl is-active serviceradar-agent serviceradar-netprobe
	[ "$output" = $'inactive\ninactive' ]
	[ "$(in_ct systemctl is-enabled serviceradar-netprobe)" = enabled ]
	run in_ct getcap "$PAYLOAD/serviceradar-netprobe"
	[[ "$output" == *cap_bpf* ]]
	sh_ct 'rm /usr/sbin/policy-rc.d'
	"$CT" reboot "$NAME"
	until_ok 20 status_is state active
}

@test "DL-12 dpkg-statoverride is honoured, and refused where it would give the capabilities away" {
	sh_ct "dpkg-statoverride --add root adm 0750 $PAYLOAD/serviceradar-netprobe"
	in_ct "$UPDATER" grant netprobe
	[ "$(in_ct stat -c '%U:%G %a' "$PAYLOAD/serviceradar-netprobe")" = "root:adm 750" ]
	run in_ct getcap "$PAYLOAD/serviceradar-netprobe"
	[[ "$output" == *cap_bpf* ]]
	sh_ct "dpkg-statoverride --remove $PAYLOAD/serviceradar-netprobe && dpkg-statoverride --add root adm 0775 $PAYLOAD/serviceradar-netprobe"
	run in_ct "$UPDATER" grant netprobe
	[ "$status" -eq 2 ]
	[[ "$output" == *"dpkg-statoverride --remove $PAYLOAD/serviceradar-netprobe"* ]]
	sh_ct "dpkg-statoverride --remove $PAYLOAD/serviceradar-netprobe"
	in_ct "$UPDATER" grant netprobe
	[ "$(in_ct stat -c '%U:%G %a' "$PAYLOAD/serviceradar-netprobe")" = "root:serviceradar 750" ]
}

@test "dpkg --verify is clean after activation" {
	run in_ct dpkg --verify serviceradar-agent serviceradar-netprobe
	echo "$output"
	[ "$output" = "" ]
}
