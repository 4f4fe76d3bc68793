#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# docs/build-your-own-addon.md, run as it stands: the commands of each section, by root on a booted system that has the base package.

load common
NAME=sr-docs-$FAMILY
PAGE=$TOP/docs/build-your-own-addon.md
ADDON=/var/lib/serviceradar/addons/heartbeat
UNIT=serviceradar-heartbeat

setup_file() {
	[ "$(grep -c '^## [0-9]' "$PAGE")" -eq 8 ] # each has its test below
	boot serviceradar-agent
}

teardown_file() { "$CT" down "$NAME"; }

# section N: runs the commands of that section of the page, and stops at the first that fails.
section() {
	local script
	script=$("$CT" root "$NAME")/root/section
	{
		echo 'set -euxo pipefail'
		awk -v n="$1" '
			/^## / { wanted = index($0, "## " n ". ") == 1 }
			/^```/ { code = !fence && $0 == "```sh"; fence = !fence; next }
			wanted && code' "$PAGE" | sed "s/amd64\.tar/$(dpkg --print-architecture).tar/g; s/arch=amd64/arch=$(dpkg --print-architecture)/"
	} >"$script"
	[ "$(wc -l <"$script")" -gt 1 ]
	run in_ct bash /root/section
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the page: the payload, the bundle, the signature" {
	section 1
	section 2
	[[ "$output" == *"-rw-r--r-- 0/0"*addon.yaml*"-rwxr-xr-x 0/0"*heartbeat* ]]
	section 3
	sh_ct 'cd /root/addon && minisign -V -q -p heartbeat.pub -m heartbeat_1.0.0_linux_*.tar.gz'
}

@test "the page: the key is trusted, the bundle verified and staged, nothing runs yet" {
	section 4
	local line n=0
	while read -r line; do # what the page shows is what it says
		grep -qxF -- "$line" <<<"$output"
		n=$((n + 1))
	done < <(awk '/^## / { wanted = /^## 4\. / } /^```/ { sample = !fence && $0 == "```"; fence = !fence; next } wanted && sample && !/…/' "$PAGE" |
		sed "s,platform         linux/amd64,platform         linux/$(dpkg --print-architecture),")
	[ "$n" -gt 5 ]
	in_ct test -x "$ADDON/versions/1.0.0/heartbeat"
	run in_ct systemctl is-active "$UNIT"
	[ "$output" = inactive ]
}

@test "NP-1 the page: assigned, it runs, sandboxed and without a capability, and says its line" {
	section 5
	[ "$(in_ct systemctl show -P User "$UNIT")" = serviceradar ]
	[ "$((0x$(proc_field "$(main_pid "$UNIT")" CapBnd)))" -eq 0 ]
	until_ok 10 sh_ct "journalctl -u $UNIT | grep -q ': load [0-9]'"
	[ "$(in_ct systemctl is-enabled "$UNIT")" = enabled ]
}

@test "the page: a new version, and back to the one before" {
	section 6
	[[ "$output" == *$'\nversions/1.1.0\n'*$'\nversions/1.0.0'* ]]
	sh_ct "journalctl -u $UNIT | grep -q ': one minute: [0-9]'"
	[ "$(in_ct systemctl is-active "$UNIT")" = active ]
}

@test "NP-2 the page: a spoilt bundle is refused, and what runs goes on" {
	local pid
	pid=$(main_pid "$UNIT")
	section 7
	[[ "$output" == *"agent-updater: stage: "*spoilt.tar.gz* ]]
	[ "$(main_pid "$UNIT")" = "$pid" ]
}

@test "the page: removed, nothing of it is left" {
	section 8
	until_ok 70 sh_ct '[ ! -e /run/serviceradar/addons/heartbeat.json ]'
	run sh_ct "find /etc /usr /srv /var/lib /run -xdev -name '*heartbeat*'"
	echo "$output"
	[ "$output" = "" ]
}
