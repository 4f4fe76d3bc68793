#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every reason of drift, made by hand on a booted system and repaired; each row says what is done, what the status must say, and how it is
# made good. The agent looks at everything once a day here, so that what is shown was told by the kernel or the bus. The seconds are printed:
# from the cause to the agent's line in the journal, and from the repair to the line without drift.

load common
NAME=sr-drift-$FAMILY

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	prepare_repo
	EXTRA=$(dirname "$("$TOP/tests/package/sample-package" "$FAMILY" "$TOP/build" "$WORK/extra")")
	minisign -G -W -f -p "$WORK/key.pub" -s "$WORK/key.key" >/dev/null
	"$CT" up "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")" --bind-ro="$REPO:/srv/repo" --bind-ro="$EXTRA:/srv/extra"
	ROOT=$("$CT" root "$NAME")
	export ROOT
	mkdir -p "$ROOT/etc/systemd/system/serviceradar-agent.service.d" "$ROOT/srv/bundles"
	printf '[Service]\nEnvironment=SERVICERADAR_RECONCILE_MS=86400000\n' >"$ROOT/etc/systemd/system/serviceradar-agent.service.d/interval.conf"
	use_repo in_ct
	pkg install serviceradar-netprobe
	case $FAMILY in
	deb) in_ct sh -c 'apt-get -q -y install /srv/extra/*.deb' ;;
	rpm) in_ct sh -c 'dnf -q -y --releasever=9 install /srv/extra/*.rpm' ;;
	esac
	start_agent
	install -m 0644 "$WORK/key.pub" "$ROOT/etc/serviceradar/keys.d/key.pub"
	heartbeat_bundle
	in_ct srctl addon enable netprobe
	in_ct srctl addon enable sample-timer
	cat >"$ROOT/root/since.py" <<-'P'
		# since.py ADDON MICROSECONDS REASON: seconds from then to the agent's line with that reason, or with no drift for REASON "none".
		# since.py ADDON MICROSECONDS: how many such lines there are.
		import json, re, subprocess, sys
		addon, t0 = sys.argv[1], int(sys.argv[2])
		text = subprocess.run(["journalctl", "-o", "json", "-u", "serviceradar-agent", "--since", "@%d" % (t0 // 1000000)], capture_output=True, text=True).stdout
		found = []
		for line in text.splitlines():
		    e = json.loads(line)
		    m = re.match(r'state changed addon=(\S+) state=(\S+) drift=(\S+)$', str(e["MESSAGE"]))
		    if m and m[1] == addon and int(e["__REALTIME_TIMESTAMP"]) >= t0:
		        found.append(((int(e["__REALTIME_TIMESTAMP"]) - t0) / 1e6, m[2], m[3].strip('"').split(",")))
		if len(sys.argv) == 3:
		    print(len(found))
		    sys.exit()
		for seconds, state, drift in found:
		    if sys.argv[3] in drift or (sys.argv[3] == "none" and drift == [""] and state in ("active", "disabled")):
		        print("%.2f" % seconds)
		        sys.exit()
		sys.exit(1)
	P
}

teardown_file() {
	"$CT" down "$NAME"
	rm -rf "$WORK"
}

clean() { # clean ADDON: active, and nothing to say
	in_ct python3 -c 'import json,sys; d=json.load(open("/run/serviceradar/addons/%s.json" % sys.argv[1])); sys.exit(d["state"] != "active" or len(d["drift"]) != 0)' "$1"
}
now() { in_ct date +%s%6N; }

# table ADDON: rows "what | cause | reason | repair" of standard input. A cause is a command in the container; no repair: it heals by itself.
# Variables of the commands: P the payload, A the assignment, U the add-on's unit.
table() {
	local addon=$1 what cause reason repair t0 t1 shown gone lines set n=0
	set="P=/usr/lib/serviceradar/addons/$addon V=/var/lib/serviceradar/addons/$addon/versions/1.0.0 A=/etc/serviceradar/addons.d/$addon.json U=serviceradar-$addon"
	until_ok 30 clean "$addon"
	while IFS='|' read -r what cause reason repair; do
		reason=${reason// /}
		t0=$(now)
		sh_ct "$set; $cause"
		until_ok 20 in_ct python3 /root/since.py "$addon" "$t0" "$reason" || { echo "not shown: $addon: $what: $reason"; return 1; }
		shown=$(in_ct python3 /root/since.py "$addon" "$t0" "$reason")
		t1=$t0
		if [ -n "${repair// /}" ]; then
			in_ct grep -q "\"$reason\"" "/run/serviceradar/addons/$addon.json" || { echo "not in the status: $addon: $what: $reason"; return 1; }
			run in_ct srctl addon status "$addon"
			[[ $output == *"$reason"* ]]
			t1=$(now)
			sh_ct "$set; $repair"
		fi
		until_ok 30 in_ct python3 /root/since.py "$addon" "$t1" none || { echo "not gone: $addon: $what: $reason"; return 1; }
		until_ok 20 clean "$addon"
		gone=$(in_ct python3 /root/since.py "$addon" "$t1" none)
		lines=$(in_ct python3 /root/since.py "$addon" "$t0")
		echo "# $FAMILY $addon: $what: $reason after $shown s, gone $gone s after ${repair:+the repair}${repair:-the cause, by itself} ($lines lines)" |
			sed "s/after the repair.*(\(.*\))/after the repair (\1)/" >&3
		[ "$lines" -le 8 ] || { echo "flaps: $addon: $what: $lines lines"; return 1; }
		n=$((n + 1))
	done
	[ "$n" -ge "$2" ]
}

@test "NP-6 each cause of drift by hand: a packaged service with capabilities" {
	table netprobe 19 <<-'T'
		binary deleted|mv $P/$U /usr/lib/serviceradar/kept|binary_modified|mv /usr/lib/serviceradar/kept $P/$U
		binary replaced|mv $P/$U /usr/lib/serviceradar/kept; cp /bin/true $P/$U|binary_modified|mv /usr/lib/serviceradar/kept $P/$U
		binary writable by all|chmod 0777 $P/$U|binary_modified|chmod 0750 $P/$U
		binary setuid|chmod 4750 $P/$U|binary_modified|chmod 0750 $P/$U
		binary not executable|chmod 0640 $P/$U|binary_modified|chmod 0750 $P/$U
		binary given away|chown nobody $P/$U|binary_modified|chown root $P/$U; srctl addon enable netprobe
		capabilities taken|setcap -r $P/$U|capability_missing|srctl addon enable netprobe
		unit edited|cp -p /usr/lib/systemd/system/$U.service /root; echo '# edited' >>/usr/lib/systemd/system/$U.service|unit_modified|cp -p /root/$U.service /usr/lib/systemd/system/
		unit deleted|mv /usr/lib/systemd/system/$U.service /usr/lib/systemd/kept|unit_modified|mv /usr/lib/systemd/kept /usr/lib/systemd/system/$U.service
		stopped|systemctl stop $U.service $U.socket|assigned_not_active|
		killed|systemctl kill -s KILL $U.service|ipc_disconnected|
		masked|systemctl mask --now $U.service $U.socket|assigned_not_active|systemctl unmask $U.service $U.socket
		disabled and stopped|systemctl disable --now $U.service $U.socket|assigned_not_active|srctl addon enable netprobe
		unit fails|mkdir -p /run/systemd/system/$U.service.d; printf '[Service]\nExecStart=\nExecStart=/bin/false\nRestart=no\n' >/run/systemd/system/$U.service.d/x.conf; systemctl daemon-reload; ! systemctl restart $U|unit_failed|rm -r /run/systemd/system/$U.service.d; systemctl daemon-reload; srctl addon enable netprobe
		config not valid|cp -p $A /root/a; sed -i 's/"config": *{/"config": {"nonesuch": 1,/' $A; ! cmp -s $A /root/a|config_rejected|cp -p /root/a $A
		another version wanted|cp -p $A /root/a; sed -i '0,/{/s//{"version": "9.9.9",/' $A|version_mismatch|cp -p /root/a $A
		another processor|cp -p $P/addon.yaml /root; sed -i 's,linux/a,linux/x,' $P/addon.yaml|arch_unsupported|cp -p /root/addon.yaml $P/
		another system|sed -i 's,linux/a,plan9/a,g' $P/addon.yaml|platform_unsupported|cp -p /root/addon.yaml $P/
		a newer agent wanted|sed -i 's,base_agent:.*,base_agent: ">=99.0.0",' $P/addon.yaml|base_agent_too_old|cp -p /root/addon.yaml $P/
		payload gone|mv $P /usr/lib/serviceradar/kept|assigned_not_installed|mv /usr/lib/serviceradar/kept $P
	T
}

@test "NP-6 each cause of drift by hand: a service that came as a signed bundle" {
	table heartbeat 8 <<-'T'
		binary edited|echo '# x' >>$V/heartbeat|binary_modified|
		binary deleted|rm $V/heartbeat|binary_modified|
		version deleted|rm -r $V|assigned_not_installed|
		binary not executable|chmod 0644 $V/heartbeat|binary_modified|chmod 0755 $V/heartbeat
		unit edited|echo '# edited' >>/etc/systemd/system/$U.service|unit_modified|/usr/libexec/serviceradar/agent-updater activate heartbeat 1.0.0
		unit deleted|rm /etc/systemd/system/$U.service|unit_modified|/usr/libexec/serviceradar/agent-updater activate heartbeat 1.0.0
		stopped|systemctl stop $U|assigned_not_active|
		key revoked|sed -n '1s/.* //p' /etc/serviceradar/keys.d/key.pub >/etc/serviceradar/keys.d/revoked|signature_key_revoked|rm /etc/serviceradar/keys.d/revoked
		no assignment, started by hand|systemctl mask --runtime serviceradar-updater; systemctl stop serviceradar-updater; rm $A; systemctl start $U|unassigned_but_active|systemctl unmask --runtime serviceradar-updater; cp /root/heartbeat.json $A
	T
}

@test "NP-6 each cause of drift by hand: an add-on on a timer, whose binary is root's alone" {
	table sample-timer 6 <<-'T'
		timer stopped|systemctl stop $U.timer|assigned_not_active|
		a run fails|mkdir -p /run/systemd/system/$U.service.d; printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >/run/systemd/system/$U.service.d/x.conf; systemctl daemon-reload; ! systemctl start $U|unit_failed|rm -r /run/systemd/system/$U.service.d; systemctl daemon-reload; systemctl start $U
		binary replaced|mv $P/$U /usr/lib/serviceradar/kept; install -m 0750 /bin/true $P/$U|binary_modified|mv /usr/lib/serviceradar/kept $P/$U
		capabilities taken|setcap -r $P/$U|capability_missing|/usr/libexec/serviceradar/agent-updater grant sample-timer
		timer edited|echo '# edited' >>/etc/systemd/system/$U.timer|unit_modified|srctl addon enable sample-timer
		disabled and stopped|systemctl disable --now $U.timer|assigned_not_active|srctl addon enable sample-timer
	T
}

@test "NP-6 PK-1 disabled and stopped while the agent is behind with its news: it is not brought up again" {
	local t0 agent
	sleep 6 # for 5 s after a call of the updater the agent asks for nothing
	agent=$(main_pid serviceradar-agent)
	t0=$(now)
	in_ct kill -STOP "$agent"
	in_ct systemctl disable --now serviceradar-netprobe.service serviceradar-netprobe.socket
	in_ct kill -CONT "$agent"
	until_ok 20 in_ct python3 /root/since.py netprobe "$t0" assigned_not_active
	until_ok 20 in_ct grep -q '"state": *"degraded"' /run/serviceradar/addons/netprobe.json
	run in_ct journalctl -q -o cat -u serviceradar-agent --since "@${t0%??????}" --grep '^activating addon=netprobe'
	[ "$output" = "" ]
	[ "$(in_ct systemctl is-enabled serviceradar-netprobe.service || :)" = disabled ]
	in_ct srctl addon enable netprobe
	until_ok 20 clean netprobe
}

@test "DL-9 one add-on is switched, crashes and fails: processes, connection and states of the others are untouched" {
	local netprobe heartbeat agent changes t0 i
	netprobe=$(main_pid serviceradar-netprobe)
	heartbeat=$(main_pid serviceradar-heartbeat)
	agent=$(main_pid serviceradar-agent)
	t0=$(now)
	for i in 1 2 3; do
		in_ct srctl addon disable sample-timer
		in_ct srctl addon enable sample-timer
	done
	in_ct systemctl kill -s KILL serviceradar-heartbeat
	until_ok 10 sh_ct "[ \"\$(systemctl show -P MainPID serviceradar-heartbeat)\" -gt 0 ] && [ \"\$(systemctl show -P MainPID serviceradar-heartbeat)\" != $heartbeat ]"
	in_ct rm /etc/serviceradar/addons.d/heartbeat.json
	until_ok 20 sh_ct '! systemctl is-active -q serviceradar-heartbeat'
	[ "$(main_pid serviceradar-netprobe)" = "$netprobe" ]
	[ "$(main_pid serviceradar-agent)" = "$agent" ]
	changes=$(in_ct python3 /root/since.py netprobe "$t0")
	[ "$changes" = 0 ]
	clean netprobe
	clean sample-timer
}

@test "the status file that somebody removes is back with the next look" {
	in_ct rm /run/serviceradar/addons/netprobe.json
	in_ct touch /etc/serviceradar/addons.d
	until_ok 10 in_ct test -s /run/serviceradar/addons/netprobe.json
}

@test "PK-1 the package is replaced while the bus has the updater started: who calls it next is answered" {
	local conf=/run/systemd/system/serviceradar-updater.service.d
	sh_ct "mkdir -p $conf; printf '[Service]\nExecStartPre=/bin/sleep 2\n' >$conf/slow.conf; systemctl daemon-reload; systemctl stop serviceradar-updater"
	in_ct busctl call cloud.serviceradar.AgentUpdater1 /cloud/serviceradar/AgentUpdater1 cloud.serviceradar.AgentUpdater1 Status s netprobe >/dev/null 2>&1 &
	until_ok 5 sh_ct '[ "$(systemctl is-active serviceradar-updater)" = activating ]'
	in_ct /usr/libexec/serviceradar/agent-updater base upgrade
	in_ct /usr/libexec/serviceradar/agent-updater base finish
	run in_ct busctl --timeout=10 call cloud.serviceradar.AgentUpdater1 /cloud/serviceradar/AgentUpdater1 cloud.serviceradar.AgentUpdater1 Status s netprobe
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	wait "$!" || : # answered or not: its updater was the old one
	in_ct rm -r "$conf"
	in_ct systemctl daemon-reload
}
