#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The packages on a booted system, installed by apt or dnf (FAMILY) from a local repository. The tests go on from each other:
# a life of an installation from the first package to the purge.

load common
NAME=sr-life-${FAMILY:-deb}

setup_file() {
	boot
	sh_ct 'find /etc /usr /var /run -xdev \( -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -print | sort >/tmp/before'
}

teardown_file() {
	"$CT" down "$NAME"
}

@test "NP-4 the base package alone holds nothing of netprobe" {
	pkg install serviceradar-agent
	start_agent
	run sh_ct "find / -xdev -name '*netprobe*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/var/lib/apt/*'"
	[ "$output" = "" ]
	run in_ct getcap -r /usr /var /etc
	[ "$output" = "" ]
	[ "$(in_ct systemctl is-active serviceradar-agent)" = active ]
	run sh_ct 'systemctl list-unit-files | grep netprobe'
	[ "$status" -ne 0 ]
}

@test "PK-1 netprobe is dormant after install" {
	pkg install serviceradar-netprobe
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
	run in_ct getcap "$PAYLOAD/serviceradar-netprobe"
	[[ "$output" == *cap_net_raw*cap_perfmon*cap_bpf=ep* ]]
	[ "$(in_ct stat -c '%U:%G %a' "$PAYLOAD/serviceradar-netprobe")" = "root:serviceradar 750" ]
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

@test "HV-6 ssh, nc and dig: both ends by their names, whatever threads and children they work with" {
	sh_ct 'mkdir -p /run/sshd /root/.ssh && ssh-keygen -q -t ed25519 -N "" -f /root/.ssh/id && cp /root/.ssh/id.pub /root/.ssh/authorized_keys
		systemd-run -q --unit=t-sshd /usr/sbin/sshd -D -p 2222 -o ListenAddress=127.0.0.1 -h /root/.ssh/id
		systemd-run -q --unit=t-dns dnsmasq --keep-in-foreground --port=5300 --listen-address=::1 --bind-interfaces --no-resolv --user=root --address=/test/192.0.2.1
		systemd-run -q --unit=t-nc nc -l 127.0.0.1 9000'
	until_ok 10 sh_ct '[ "$(ss -Hltn "sport = :2222 or sport = :5300 or sport = :9000" | wc -l)" = 3 ]'
	in_ct ssh -q -i /root/.ssh/id -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null 127.0.0.1 true
	[ "$(in_ct dig +tcp +short -p 5300 @::1 a.test)" = 192.0.2.1 ]
	sh_ct 'echo x | nc -N 127.0.0.1 9000'
	cat >"$("$CT" root "$NAME")/root/ends.py" <<-'P'
		import json
		seen = set()
		for line in open("/var/log/serviceradar/events.ndjson"):
		    e = json.loads(line)
		    if e["type"] == "flow_attribution_event":
		        seen.add((e["comm"], e["eventKind"], e["remotePort"] if e["eventKind"] == 1 else e["localPort"], e["localIp"]))
		want = {("ssh", 1, 2222, "127.0.0.1"), ("sshd", 2, 2222, "127.0.0.1"), ("dig", 1, 5300, "::1"), ("dnsmasq", 2, 5300, "::1"),
		        ("nc", 1, 9000, "127.0.0.1"), ("nc", 2, 9000, "127.0.0.1")}
		assert want <= seen, want - seen
	P
	until_ok 5 in_ct python3 /root/ends.py
	in_ct systemctl stop t-sshd t-dns
}

@test "NP-1 srctl shows the flows as a table and as JSON" {
	run in_ct srctl flows
	[[ "$output" == *curl*127.0.0.1:8080* ]]
	sh_ct "srctl flows --json | python3 -c 'import json,sys; [json.loads(l) for l in sys.stdin]'"
	# Filters: all of what is shown is asked for, and something is.
	sh_ct "srctl flows --json --process curl --port 8080 --protocol tcp --user root | python3 -c '
import json, sys
flows = [json.loads(l) for l in sys.stdin]
assert flows and all(f[\"comm\"] == \"curl\" and 8080 in (f[\"local_port\"], f[\"remote_port\"]) for f in flows), flows'"
	[ "$(in_ct srctl flows --json --process no-such-process)" = "" ]
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
	[ "$before" -gt 1 ] # 0 would be this process's own group
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
	in_ct setcap -r "$PAYLOAD/serviceradar-netprobe"
	until_ok 65 drift_has capability_missing
	in_ct "$UPDATER" grant netprobe
	until_ok 65 drift_none
}

@test "NP-6 drift: another version wanted; a platform, an agent that the payload does not fit" {
	sh_ct 'cp -p /etc/serviceradar/addons.d/netprobe.json /root/good.json
		sed "0,/{/s//{ \"version\": \"9.9.9\",/" /root/good.json >/etc/serviceradar/addons.d/netprobe.json'
	until_ok 5 drift_has version_mismatch
	sh_ct 'cat /root/good.json >/etc/serviceradar/addons.d/netprobe.json'
	until_ok 5 drift_none
	sh_ct "cp -p $PAYLOAD/addon.yaml /root/"
	local change reason
	while read -r change reason; do
		sh_ct "sed '$change' /root/addon.yaml >$PAYLOAD/addon.yaml && ! cmp -s /root/addon.yaml $PAYLOAD/addon.yaml"
		until_ok 65 drift_has "$reason"
		status_is state unsupported
	done <<-'T'
		s,linux/a,linux/x,; arch_unsupported
		s,linux/a,plan9/a,g platform_unsupported
		s,base_agent:.*,base_agent:\x20">=99.0.0", base_agent_too_old
	T
	sh_ct "cp -p /root/addon.yaml $PAYLOAD/addon.yaml"
	until_ok 65 drift_none
	until_ok 5 status_is state active
}

@test "NP-6 drift: the unit fails; the daemon hangs; active without an assignment" {
	local pid
	sh_ct 'mkdir -p /run/systemd/system/serviceradar-netprobe.service.d
		printf "[Service]\nExecStart=\nExecStart=/bin/false\nRestart=no\n" >/run/systemd/system/serviceradar-netprobe.service.d/broken.conf
		systemctl daemon-reload; systemctl restart serviceradar-netprobe || :'
	until_ok 10 drift_has unit_failed
	sh_ct 'rm -r /run/systemd/system/serviceradar-netprobe.service.d; systemctl daemon-reload'
	until_ok 65 status_is state active
	pid=$(main_pid serviceradar-netprobe)
	in_ct kill -STOP "$pid"
	until_ok 60 drift_has ipc_disconnected
	in_ct kill -CONT "$pid" || : # or systemd's watchdog was first
	until_ok 30 drift_none
	# Without its helper the agent cannot bring this one down: it says so.
	in_ct srctl addon disable netprobe
	sh_ct 'systemctl stop serviceradar-updater; systemctl mask --runtime serviceradar-updater; rm /etc/serviceradar/addons.d/netprobe.json'
	in_ct "$UPDATER" activate netprobe
	until_ok 10 drift_has unassigned_but_active
	in_ct systemctl unmask --runtime serviceradar-updater
	until_ok 65 drift_none
	until_ok 10 sh_ct '[ "$(systemctl is-active serviceradar-netprobe)" = inactive ]'
	in_ct srctl addon enable netprobe
}

@test "NP-6 bad input: one clear line naming file, key and value; nothing changes" {
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
	pkg reinstall serviceradar-agent serviceradar-netprobe
	until_ok 10 status_is state active
	[ "$(in_ct systemctl is-active serviceradar-netprobe)" = active ]
	run in_ct getcap "$PAYLOAD/serviceradar-netprobe"
	[[ "$output" == *cap_bpf* ]]
}

# of ID KEY: a top-level key of an add-on's status file.
of() { in_ct python3 -c 'import json,sys; print(json.load(open("/run/serviceradar/addons/%s.json" % sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
# processes: those of the service's user, netprobe's and the agent's.
processes() { in_ct pgrep -u serviceradar | sort | tr '\n' ' '; }

@test "settings: checked, taken up on reload without losing a connection; wrong ones leave those before in force" {
	local pid connected
	pid=$(main_pid serviceradar-agent)
	connected=$(sh_ct 'journalctl -q -o cat -u serviceradar-agent | grep -c "connected to the add-on"')
	sh_ct 'echo "{\"log_level\": \"loud\"}" >/etc/serviceradar/agent.json'
	run in_ct serviceradar-agent --check-config
	echo "$output"
	[ "$status" -eq 1 ]
	[[ "$output" == *agent.json*/log_level*loud*enum* ]]
	in_ct systemctl reload serviceradar-agent
	until_ok 5 sh_ct 'journalctl -q -o cat -u serviceradar-agent | grep -q "loud.*the settings before stay in force"'
	sh_ct 'echo "{\"log_level\": \"debug\"}" >/etc/serviceradar/agent.json'
	in_ct serviceradar-agent --check-config
	in_ct systemctl reload serviceradar-agent
	until_ok 5 sh_ct 'journalctl -q -o cat -u serviceradar-agent | grep -q "settings read again"'
	[ "$(main_pid serviceradar-agent)" = "$pid" ]
	[ "$(sh_ct 'journalctl -q -o cat -u serviceradar-agent | grep -c "connected to the add-on"')" -eq "$connected" ]
	status_is state active
	sh_ct 'rm /etc/serviceradar/agent.json; systemctl reload serviceradar-agent'
}

@test "DL-5 metrics: switched on inside the agent without a process, scraped, moved, off; a taken port is named" {
	local before
	before=$(processes)
	run in_ct srctl addon enable metrics
	[ "$status" -eq 0 ] && [ "$output" = "metrics is active." ]
	[ "$(processes)" = "$before" ]
	run in_ct curl -sf -D - http://127.0.0.1:9417/metrics
	[ "$status" -eq 0 ]
	[[ $output == *"text/plain; version=0.0.4"* ]]
	grep -q '^serviceradar_addon_state{addon="netprobe",state="active"} 1$' <<<"${output//$'\r'/}"
	grep -qE '^netprobe_events_emitted_total\{addon="netprobe",stream="flow_attribution"\} [0-9]+$' <<<"${output//$'\r'/}"
	until_ok 5 sh_ct "curl -s http://127.0.0.1:9417/metrics | grep -qE '^serviceradar_addon_events_ingested_total\{addon=\"netprobe\"\} [1-9]'"
	# As Prometheus wants it, and what the rules and the dashboard in docs/ ask for is there.
	in_ct curl -s http://127.0.0.1:9417/metrics >"$BATS_TEST_TMPDIR/metrics"
	promtool check metrics <"$BATS_TEST_TMPDIR/metrics"
	local name asked=0
	while read -r name; do
		echo "$name"
		grep -q "^# TYPE $name " "$BATS_TEST_TMPDIR/metrics"
		asked=$((asked + 1))
	done < <(cat "$TOP"/docs/prometheus/{serviceradar.rules.yml,grafana-dashboard.json} | grep -oE '\b(serviceradar|netprobe)_[a-z_]+' | sort -u)
	[ "$asked" -ge 15 ]
	grep -q '^netprobe_program_active{addon="netprobe",number="0",hook="tp_btf/inet_sock_set_state"} 1$' "$BATS_TEST_TMPDIR/metrics"
	grep -qE '^netprobe_uptime_seconds\{addon="netprobe"\} [0-9.]+$' "$BATS_TEST_TMPDIR/metrics"
	[ "$(in_ct curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9417/)" = 404 ]
	[ "$(in_ct curl -s -o /dev/null -w '%{http_code}' -X POST http://127.0.0.1:9417/metrics)" = 405 ]
	# Nobody but the agent listens there, and nobody else than this host is answered.
	sh_ct "ss -Hltnp 'sport = :9417' | grep -q '127.0.0.1:9417 .*\"serviceradar-ag\",pid=$(main_pid serviceradar-agent),'"
	# Another port is taken over; one that is taken is a failure that says which, and the one before goes on.
	sh_ct 'echo "{\"port\": 9418}" >/tmp/m.json && srctl addon enable metrics --config /tmp/m.json'
	in_ct curl -sf -o /dev/null http://127.0.0.1:9418/metrics
	run in_ct curl -sf -o /dev/null http://127.0.0.1:9417/metrics
	[ "$status" -eq 7 ]
	sh_ct 'echo "{\"listen\": \"unix\"}" >/tmp/m.json && srctl addon enable metrics --config /tmp/m.json'
	until_ok 5 sh_ct 'curl -sf --unix-socket /run/serviceradar/agent/metrics.sock http://localhost/metrics | grep -q "^serviceradar_addon_state"'
	[ "$(in_ct stat -c '%U:%G %a' /run/serviceradar/agent/metrics.sock)" = "serviceradar:serviceradar 660" ]
	run in_ct curl -sf -o /dev/null http://127.0.0.1:9418/metrics
	[ "$status" -eq 7 ]
	sh_ct 'echo "{\"port\": 9418}" >/tmp/m.json && srctl addon enable metrics --config /tmp/m.json'
	run in_ct srctl addon disable metrics
	[ "$status" -eq 0 ]
	in_ct test ! -e /run/serviceradar/agent/metrics.sock
	run in_ct curl -sf -o /dev/null http://127.0.0.1:9418/metrics
	[ "$status" -eq 7 ]
	[ "$(of metrics state)" = disabled ]
	in_ct systemd-run -q --unit=squatter python3 -m http.server --bind 127.0.0.1 9418
	until_ok 10 in_ct curl -sf -o /dev/null http://127.0.0.1:9418/
	run in_ct srctl addon enable metrics
	[ "$status" -eq 3 ]
	[[ $output == *"metrics: cannot listen on 127.0.0.1 port 9418: Address already in use"* ]]
	[[ "$(of metrics drift)" == *assigned_not_active* ]]
	in_ct systemctl stop squatter
	in_ct srctl addon enable metrics
	in_ct srctl addon disable metrics
	# The updater has no part in it.
	run in_ct "$UPDATER" activate metrics
	[ "$status" -eq 2 ]
}

@test "DL-5 event-file: switched off and on inside the agent; a config that breaks its schema leaves the one before in force" {
	local file=/var/log/serviceradar/events.ndjson lines
	in_ct srctl addon disable event-file --no-wait || :
	in_ct srctl addon enable event-file
	connect() { in_ct curl -s -o /dev/null http://127.0.0.1:1/ || :; }
	connect
	until_ok 5 sh_ct "tail -n 1 $file | grep -q '\"comm\":\"curl\"'"
	in_ct srctl addon disable event-file
	lines=$(sh_ct "wc -l <$file")
	connect
	until_ok 5 sh_ct 'srctl --json flows | tail -n 3 | grep -q curl'
	[ "$(sh_ct "wc -l <$file")" = "$lines" ]
	in_ct srctl addon enable event-file
	connect
	until_ok 5 sh_ct "[ \$(wc -l <$file) -gt $lines ]"
	sh_ct 'sed -i "s/\"files\":[0-9 ]*/\"files\": 0/" /etc/serviceradar/addons.d/event-file.json'
	until_ok 5 sh_ct 'grep -q config_rejected /run/serviceradar/addons/event-file.json'
	[ "$(of event-file state)" = degraded ]
	sh_ct 'rm /etc/serviceradar/addons.d/event-file.json /etc/serviceradar/addons.d/metrics.json'
	until_ok 5 sh_ct 'grep -q "\"state\": \"installed\"" /run/serviceradar/addons/event-file.json'
}

@test "HV-9 netprobe is restarted: what is pinned is taken up, nothing is missed; disabled: nothing stays pinned; enabled: again" {
	local pins=/sys/fs/bpf/serviceradar/netprobe n
	[ "$(in_ct stat -c '%U:%G %a' "$pins")" = "serviceradar:serviceradar 700" ]
	n=$(in_ct ls "$pins" | grep -c '^link_')
	[ "$n" -ge 5 ]
	in_ct systemctl stop serviceradar-netprobe.service
	[ "$(in_ct ls "$pins" | grep -c '^link_')" -eq "$n" ]
	sh_ct 'for i in $(seq 50); do curl -s -o /dev/null http://127.0.0.1:8099/ || :; done' # nobody listens there, and the kernel says so
	in_ct systemctl start serviceradar-netprobe.service
	until_ok 10 sh_ct 'journalctl -q -o cat -u serviceradar-netprobe | grep -q "taken up from the daemon before"'
	until_ok 10 status_is state active
	[ "$(in_ct ls "$pins" | grep -c '^link_')" -eq "$n" ]
	until_ok 10 sh_ct '[ "$(grep -c "\"remotePort\":8099" /var/log/serviceradar/events.ndjson)" -eq 50 ]'
	in_ct install -d -o serviceradar -m 0700 "$pins/deep/deeper" # as netprobe might
	in_ct srctl addon disable netprobe
	run in_ct ls "$pins" /run/serviceradar/netprobe/bpf
	echo "$output"
	[ "$(grep -c 'No such file' <<<"$output")" -eq 2 ]
	in_ct srctl addon enable netprobe
	[ "$(in_ct ls "$pins" | grep -c '^link_')" -eq "$n" ]
}

@test "HV-9 the socket tap is killed: systemd keeps its packet sockets, and what they count meanwhile is in the flow's record" {
	local unit=serviceradar-netprobe.service send
	send='python3 -c "import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((\"127.0.0.1\", 4001))
for _ in range(100): s.sendto(b\"x\", (\"127.0.0.1\", 9))"'
	# The agent is away while the unit is restarted by hand: it may find it stopped, start it, and so cancel systemctl's job.
	sh_ct "systemctl stop serviceradar-agent
		mkdir -p /etc/systemd/system/$unit.d
		printf '[Service]\nExecStart=\nExecStart=/var/lib/serviceradar/addons/netprobe/current/serviceradar-netprobe --tap socket\nRestartSec=3\n' \
			>/etc/systemd/system/$unit.d/tap.conf
		systemctl daemon-reload && systemctl restart $unit && systemctl start serviceradar-agent"
	in_ct srctl addon config netprobe --set 'capture_interfaces=["lo"]'
	until_ok 10 sh_ct "[ \$(systemctl show -P NFileDescriptorStore $unit) = 1 ]"
	sh_ct "$send"
	in_ct systemctl stop serviceradar-agent # its connection would start netprobe at once; systemd 252 empties the store then
	in_ct systemctl kill -s KILL $unit
	until_ok 2 sh_ct "[ \$(systemctl is-active $unit) = activating ]"
	sh_ct "$send"
	[ "$(in_ct systemctl is-active $unit)" = activating ] # nobody was there
	until_ok 10 sh_ct "[ \$(systemctl is-active $unit) = active ]"
	in_ct systemctl start serviceradar-agent
	until_ok 15 sh_ct 'journalctl -q -o cat -u serviceradar-netprobe | grep -q "flows taken up from the daemon before interfaces=1"'
	[ "$(in_ct systemctl show -P NFileDescriptorStore $unit)" = 1 ]
	sh_ct "$send"
	in_ct srctl addon config netprobe --set 'capture_interfaces=[]'
	until_ok 10 sh_ct "[ \$(systemctl show -P NFileDescriptorStore $unit) = 0 ]"
	until_ok 10 sh_ct 'grep "\"sourcePort\":4001" /var/log/serviceradar/events.ndjson | grep "interface_removed" | grep -q "\"packetsForward\":\"*300\>"' || { sh_ct 'grep flow_record /var/log/serviceradar/events.ndjson; journalctl -q -o cat -n 30 -u serviceradar-netprobe'; false; }
	sh_ct "systemctl stop serviceradar-agent && rm -r /etc/systemd/system/$unit.d && systemctl daemon-reload && systemctl restart $unit &&
		systemctl start serviceradar-agent"
	until_ok 10 status_is state active
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
	sh_ct "cd $PAYLOAD && cp -p addon.yaml /tmp/ && sed -i s/cap_bpf/cap_sys_admin/ addon.yaml"
	run in_ct "$UPDATER" activate netprobe packaged
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *addon.yaml:*os_capabilities*cap_sys_admin* ]]
	run in_ct systemctl is-active serviceradar-netprobe.service
	[ "$output" = inactive ]
	sh_ct "mv /tmp/addon.yaml $PAYLOAD/"
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
	run in_ct "$UPDATER" activate netprobe
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *noexec*remount* ]]
	sh_ct "umount $d"
}

@test "DL-12 a file system without xattrs: granted as ambient; a full one: refused, nothing changed" {
	sh_ct "mkdir /root/payload && cp -a $PAYLOAD/. /root/payload/ && mount -t ramfs ramfs $PAYLOAD && chmod 755 $PAYLOAD && cp -a /root/payload/. $PAYLOAD/ &&
		! setcap cap_bpf=ep $PAYLOAD/serviceradar-netprobe 2>/dev/null; systemctl stop serviceradar-updater"
	in_ct srctl addon enable netprobe
	status_is grant_mode ambient
	[ $((0x$(proc_field "$(main_pid serviceradar-netprobe)" CapPrm))) -ne 0 ]
	in_ct srctl addon disable netprobe
	sh_ct "umount $PAYLOAD"
	sh_ct 'mount -t tmpfs -o size=64k,mode=0755 full /var/lib/serviceradar/addons && dd if=/dev/zero of=/var/lib/serviceradar/addons/fill bs=4k 2>/dev/null || :'
	run in_ct "$UPDATER" activate netprobe
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *"No space left"* ]]
	run in_ct systemctl is-active serviceradar-netprobe.service
	[ "$output" = inactive ]
	sh_ct 'umount /var/lib/serviceradar/addons; systemctl stop serviceradar-updater'
}

@test "a killed activation is undone by recover, which may be repeated" {
	sh_ct 'mkdir -p /run/systemd/system/serviceradar-netprobe.service.d
		printf "[Service]\nExecStartPre=/bin/sleep 60\nTimeoutStartSec=100\n" >/run/systemd/system/serviceradar-netprobe.service.d/slow.conf
		systemctl stop serviceradar-agent; systemctl daemon-reload'
	sh_ct "systemd-run -q --unit=activation $UPDATER activate netprobe"
	until_ok 10 sh_ct '[ "$(systemctl is-active serviceradar-netprobe.service)" = activating ]' ||
		{ sh_ct 'systemctl --no-pager status activation serviceradar-netprobe.service'; false; }
	in_ct systemctl kill --signal=KILL activation
	sh_ct '[ -s /var/lib/serviceradar/addons/netprobe/journal ]'
	in_ct "$UPDATER" recover
	in_ct "$UPDATER" recover
	sh_ct '[ ! -e /var/lib/serviceradar/addons/netprobe/journal ] && [ ! -e /var/lib/serviceradar/addons/netprobe/current ]'
	run in_ct systemctl is-active serviceradar-netprobe.service serviceradar-netprobe.socket
	[ "$output" = $'inactive\ninactive' ]
	sh_ct 'rm -r /run/systemd/system/serviceradar-netprobe.service.d; systemctl daemon-reload; systemctl start serviceradar-agent'
}

@test "PK-1 NP-6 remove keeps the assignment, installing again brings it back; purge leaves only what is documented" {
	in_ct srctl addon enable netprobe
	pkg remove serviceradar-netprobe
	until_ok 65 drift_has assigned_not_installed
	run in_ct systemctl is-active serviceradar-netprobe.service
	[ "$output" = inactive ]
	sh_ct '[ -e /etc/serviceradar/addons.d/netprobe.json ]'
	pkg install serviceradar-netprobe
	until_ok 15 status_is state active
	pkg purge serviceradar-netprobe serviceradar-agent
	until_ok 60 sh_ct '! systemctl is-active serviceradar-updater' # it ends when idle
	sh_ct 'find /etc /usr /var /run -xdev \( -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -print | sort >/tmp/after'
	run sh_ct "comm -13 /tmp/before /tmp/after | grep -i -e serviceradar -e netprobe | grep -v -e /run/systemd/ -e /var/tmp/systemd-private-"
	# rpm knows no purge: configuration, state and events stay, as the manual says.
	[ "$FAMILY" = deb ] || output=$(grep -v -E '^(/etc|/var/lib|/run)/serviceradar(/|$)' <<<"$output" || :)
	echo "$output"
	[ "$output" = "" ]
	run in_ct systemctl is-active serviceradar-agent serviceradar-netprobe
	[ "$output" = $'inactive\ninactive' ]
	until_ok 60 sh_ct '! systemctl is-active serviceradar-updater'
	run in_ct getent passwd serviceradar
	[ "$status" -eq 0 ]
}
