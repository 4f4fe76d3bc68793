#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Debian packages on a booted system, installed by apt from a local repository. The tests go on from each other: a
# life of an installation from the first package to the purge.

load common
NAME=sr-deb

setup_file() {
	local root
	"$TOP/tests/lib/repo" "$TOP/build/deb" "$TOP/build/check/repo"
	root=$("$TOP/tests/lib/rootfs" deb)
	"$CT" up "$NAME" "$root" --bind-ro="$TOP/build/check/repo:/srv/repo"
	sh_ct 'echo "deb [trusted=yes] file:/srv/repo ./" >/etc/apt/sources.list && apt-get -q update'
	sh_ct 'find /etc /usr /var /run -xdev \( -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -print | sort >/tmp/before'
}

teardown_file() {
	"$CT" down "$NAME"
}

apt() { in_ct apt-get -q -y "$@"; }

@test "NP-4 the base package alone holds nothing of netprobe" {
	apt install serviceradar-agent
	run sh_ct "find / -xdev -name '*netprobe*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/var/lib/apt/*'"
	[ "$output" = "" ]
	run in_ct getcap -r /usr /var /etc
	[ "$output" = "" ]
	[ "$(in_ct systemctl is-active serviceradar-agent)" = active ]
	run sh_ct 'systemctl list-unit-files | grep netprobe'
	[ "$status" -ne 0 ]
}

@test "PK-1 netprobe is dormant after install" {
	apt install serviceradar-netprobe
	run in_ct systemctl is-active serviceradar-netprobe.service serviceradar-netprobe.socket
	[ "$output" = $'inactive\ninactive' ]
	run in_ct getcap -r /usr /var
	[ "$output" = "" ]
	until_ok 5 status_is state installed
}

@test "NP-1 assigned: granted, enabled, running unprivileged, connected" {
	in_ct srctl addon enable netprobe
	[ "$(in_ct systemctl is-enabled serviceradar-netprobe.service)" = enabled ]
	[ "$(in_ct systemctl show -P User serviceradar-netprobe)" = serviceradar ]
	run in_ct getcap /usr/lib/serviceradar/addons/netprobe/serviceradar-netprobe
	[[ "$output" == *cap_net_raw*cap_perfmon*cap_bpf=ep* ]]
	[ "$(in_ct stat -c '%U:%G %a' /usr/lib/serviceradar/addons/netprobe/serviceradar-netprobe)" = "root:serviceradar 750" ]
	status_is state active
	status_is grant_mode file+ambient
}

@test "HV-1 the three capabilities or fewer in netprobe, none in the agent" {
	local pid allowed=$(((1 << 13) | (1 << 38) | (1 << 39)))
	pid=$(main_pid serviceradar-netprobe)
	[ $((0x$(proc_field "$pid" CapPrm) & ~allowed)) -eq 0 ]
	[ $((0x$(proc_field "$pid" CapEff) & ~allowed)) -eq 0 ]
	[ $((0x$(proc_field "$pid" CapBnd) & ~allowed)) -eq 0 ]
	pid=$(main_pid serviceradar-agent)
	[ $((0x$(proc_field "$pid" CapPrm) & ~(1 << 13))) -eq 0 ]
	[ $((0x$(proc_field "$pid" CapAmb))) -eq 0 ]
}

@test "HV-2 netprobe serves with nothing effective, no_new_privs and a seccomp filter" {
	local pid
	pid=$(main_pid serviceradar-netprobe)
	[ "$(proc_field "$pid" Uid | cut -f1)" = "$(in_ct id -u serviceradar)" ]
	[ $((0x$(proc_field "$pid" CapEff))) -eq 0 ]
	[ $((0x$(proc_field "$pid" CapAmb))) -eq 0 ]
	[ "$(proc_field "$pid" NoNewPrivs)" = 1 ]
	[ "$(proc_field "$pid" Seccomp)" = 2 ]
}

@test "HV-6 1,000 short curl connections: 1,000 connect events of curl, none lost" {
	sh_ct 'systemd-run -q --unit=web python3 -m http.server 8080 --bind 127.0.0.1'
	until_ok 10 sh_ct 'ss -Hltn "sport = :8080" | grep -q .'
	sh_ct ': >/tmp/pids; for i in $(seq 1000); do curl -s -o /dev/null http://127.0.0.1:8080/ & echo $! >>/tmp/pids; wait $!; done'
	cat >"$BATS_FILE_TMPDIR/count.py" <<-'P'
		import json
		pids = [int(l) for l in open("/tmp/pids")]
		seen = []
		for line in open("/var/log/serviceradar/events.ndjson"):
		    e = json.loads(line)
		    if e["type"] == "flow_attribution_event" and e["eventKind"] == 1 and e["remotePort"] == 8080:
		        assert e["comm"] == "curl" and e["uid"] == 0 and e["localIp"] == "127.0.0.1", e
		        seen.append(e["pid"])
		assert sorted(seen) == sorted(pids), (len(seen), len(pids))
	P
	cp "$BATS_FILE_TMPDIR/count.py" "$("$CT" root "$NAME")/root/count.py"
	until_ok 5 in_ct python3 /root/count.py
	in_ct systemctl stop web
	run sh_ct 'journalctl -u serviceradar-netprobe | grep "events were lost"'
	[ "$status" -ne 0 ]
}

@test "NP-1 srctl shows the flows as a table and as JSON" {
	run in_ct srctl flows
	[[ "$output" == *curl*127.0.0.1:8080* ]]
	sh_ct "srctl flows --json | python3 -c 'import json,sys; [json.loads(l) for l in sys.stdin]'"
	in_ct srctl doctor
}

@test "idle memory: RssAnon of netprobe at most 6 MiB, of the agent at most 4 MiB" {
	local netprobe agent
	netprobe=$(proc_field "$(main_pid serviceradar-netprobe)" RssAnon)
	agent=$(proc_field "$(main_pid serviceradar-agent)" RssAnon)
	echo "# RssAnon: netprobe $netprobe, agent $agent" >&3
	[ "${netprobe% kB}" -le 6144 ]
	[ "${agent% kB}" -le 4096 ]
}

@test "units are hardened: exposure at most 2.0 each" {
	local unit value
	for unit in agent netprobe updater; do
		value=$(in_ct systemd-analyze security --no-pager "serviceradar-$unit.service" | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
		echo "# serviceradar-$unit: $value" >&3
		[ "$(awk -v v="$value" 'BEGIN { print v != "" && v <= 2.0 }')" = 1 ]
	done
}

@test "NP-6 a killed netprobe: restarted, connected again within 2 s, the gap shown" {
	local before
	before=$(main_pid serviceradar-netprobe)
	in_ct kill -KILL "$before"
	until_ok 3 sh_ct "[ \$(systemctl show -P MainPID serviceradar-netprobe) -ne $before ] &&
		journalctl -u serviceradar-agent | grep -q 'connection to the add-on lost' && journalctl _PID=\$(systemctl show -P MainPID serviceradar-netprobe) | grep -q 'client connected'"
	until_ok 5 status_is state active
}

@test "NP-6 drift: stopped by hand, masked, capabilities taken" {
	in_ct systemctl mask --now serviceradar-netprobe.service serviceradar-netprobe.socket
	until_ok 5 drift_has assigned_not_active
	in_ct systemctl unmask serviceradar-netprobe.service serviceradar-netprobe.socket
	in_ct systemctl start serviceradar-netprobe.socket serviceradar-netprobe.service
	until_ok 10 drift_none
	in_ct setcap -r /usr/lib/serviceradar/addons/netprobe/serviceradar-netprobe
	until_ok 65 drift_has capability_missing
	in_ct /usr/libexec/serviceradar/agent-updater grant netprobe
	until_ok 65 drift_none
}

@test "bad input: one clear line naming file, key and value; nothing changes" {
	local pid
	pid=$(main_pid serviceradar-netprobe)
	sh_ct 'echo "not json" >/etc/serviceradar/addons.d/other.json'
	until_ok 5 sh_ct 'journalctl -u serviceradar-agent | grep -q "addons.d/other.json.*not JSON"'
	sh_ct 'rm /etc/serviceradar/addons.d/other.json'
	sh_ct 'cp -p /etc/serviceradar/addons.d/netprobe.json /tmp/good.json
		sed "s/\"config\": *{/\"config\": { \"interfaces\": 1,/" /tmp/good.json >/tmp/bad.json && ! cmp -s /tmp/good.json /tmp/bad.json
		chown root:serviceradar /tmp/bad.json; chmod 640 /tmp/bad.json; mv /tmp/bad.json /etc/serviceradar/addons.d/netprobe.json'
	until_ok 5 drift_has config_rejected
	until_ok 5 sh_ct 'journalctl -u serviceradar-agent | grep -q "netprobe.json.*/config/interfaces.*unknown key"'
	[ "$(main_pid serviceradar-netprobe)" = "$pid" ]
	# The same across a restart of the agent, and with a file that is no JSON at all.
	sh_ct 'echo "{" >/etc/serviceradar/addons.d/netprobe.json && systemctl restart serviceradar-agent'
	until_ok 10 drift_has config_rejected
	until_ok 10 sh_ct "journalctl _PID=$pid | grep -c 'client connected' | grep -qv '^1$'"
	[ "$(main_pid serviceradar-netprobe)" = "$pid" ]
	sh_ct 'mv /tmp/good.json /etc/serviceradar/addons.d/netprobe.json'
	until_ok 5 drift_none
	run in_ct srctl addon enable nonesuch
	[ "$status" -ne 0 ]
	[[ "$output" == *nonesuch* ]]
}

@test "PK-1 reinstall keeps it enabled, running and granted" {
	apt install --reinstall serviceradar-agent serviceradar-netprobe
	until_ok 10 status_is state active
	[ "$(in_ct systemctl is-active serviceradar-netprobe)" = active ]
	run in_ct getcap /usr/lib/serviceradar/addons/netprobe/serviceradar-netprobe
	[[ "$output" == *cap_bpf* ]]
}

@test "NP-3 disabled: stopped, disabled, no process left" {
	in_ct srctl addon disable netprobe
	run in_ct systemctl is-active serviceradar-netprobe.service serviceradar-netprobe.socket
	[ "$output" = $'inactive\ninactive' ]
	[ "$(in_ct systemctl is-enabled serviceradar-netprobe.service || :)" = disabled ]
	run in_ct pgrep -f serviceradar-netprobe
	[ "$status" -ne 0 ]
	status_is state disabled
}

@test "DL-3 a manifest with a capability outside the allowlist is refused, nothing changed" {
	sh_ct 'cd /usr/lib/serviceradar/addons/netprobe && cp -p addon.yaml /tmp/ && sed -i s/cap_bpf/cap_sys_admin/ addon.yaml'
	run in_ct /usr/libexec/serviceradar/agent-updater activate netprobe packaged
	[ "$status" -eq 2 ]
	[[ "$output" == *addon.yaml:*os_capabilities*cap_sys_admin* ]]
	run in_ct systemctl is-active serviceradar-netprobe.service
	[ "$output" = inactive ]
	sh_ct 'mv /tmp/addon.yaml /usr/lib/serviceradar/addons/netprobe/'
}

@test "DL-12 payload on a nosuid mount: granted as ambient, the process has them; on noexec: refused" {
	local d=/usr/lib/serviceradar/addons
	# The updater sees mounts as they were when it was started.
	sh_ct "mount --bind $d $d && mount -o remount,bind,nosuid $d && systemctl stop serviceradar-updater"
	in_ct srctl addon enable netprobe
	status_is grant_mode ambient
	[ $((0x$(proc_field "$(main_pid serviceradar-netprobe)" CapPrm))) -ne 0 ]
	in_ct srctl addon disable netprobe
	sh_ct "mount -o remount,bind,noexec $d"
	run in_ct /usr/libexec/serviceradar/agent-updater activate netprobe
	[ "$status" -eq 2 ]
	[[ "$output" == *noexec*remount* ]]
	sh_ct "umount $d"
}

@test "PK-1 remove keeps the assignment, installing again brings it back; purge leaves only what is documented" {
	in_ct srctl addon enable netprobe
	apt remove serviceradar-netprobe
	run in_ct systemctl is-active serviceradar-netprobe.service
	[ "$output" = inactive ]
	sh_ct '[ -e /etc/serviceradar/addons.d/netprobe.json ]'
	apt install serviceradar-netprobe
	until_ok 15 status_is state active
	apt purge serviceradar-netprobe serviceradar-agent
	until_ok 60 sh_ct '! systemctl is-active serviceradar-updater' # it ends when idle
	sh_ct 'find /etc /usr /var /run -xdev \( -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -print | sort >/tmp/after'
	run sh_ct "comm -13 /tmp/before /tmp/after | grep -i -e serviceradar -e netprobe | grep -v -e /run/systemd/ -e /var/tmp/systemd-private-"
	echo "$output"
	[ "$output" = "" ]
	run in_ct systemctl is-active serviceradar-agent serviceradar-netprobe
	[ "$output" = $'inactive\ninactive' ]
	until_ok 60 sh_ct '! systemctl is-active serviceradar-updater'
	run in_ct getent passwd serviceradar
	[ "$status" -eq 0 ]
}
