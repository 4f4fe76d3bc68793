#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Sinks on a booted system (FAMILY): several at once with the real agent and netprobe; one that is down holds up no other; what waits outlives
# the agent. Collectors are programs of this machine in the container's network.

load common
NAME=sr-sinks-$FAMILY

setup_file() {
	boot serviceradar-netprobe
	in_ct srctl addon enable netprobe
	until_ok 20 status_is state active
	# connect FIRST LAST: one connection to each port, from which it is told.
	cat >"$ROOT/root/connect.py" <<-'P'
		import socket, sys
		for port in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
		    try:
		        socket.create_connection(("127.0.0.1", port), 1).close()
		    except OSError:
		        pass
	P
}

teardown_file() { "$CT" down "$NAME"; }

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || { in_ct srctl sinks; in_ct journalctl --no-pager -q -o short-precise -u 'serviceradar-*' -n 40; cat "$BATS_TEST_TMPDIR"/*.log; } || :
	stop_collector
}

# start_collector PORT: its records go to $BATS_TEST_TMPDIR/records.
start_collector() {
	nsenter -t "$("$CT" pid "$NAME")" -n python3 "$TOP/tests/live/ipfix_collector.py" tcp "$1" "$BATS_TEST_TMPDIR/records" 2>>"$BATS_TEST_TMPDIR/collector.log" 3>&- &
	COLLECTOR=$!
	until_ok 10 sh_ct "ss -Hlnt 'sport = :$1' | grep -q ."
}

stop_collector() {
	[ -z "${COLLECTOR:-}" ] || { kill -KILL "$COLLECTOR" 2>/dev/null || :; wait "$COLLECTOR" 2>/dev/null || :; }
	COLLECTOR=
}

# configure JSON: the agent's sinks, taken up without a restart.
configure() {
	echo "{\"sinks\": $1}" >"$ROOT/etc/serviceradar/agent.json"
	in_ct serviceradar-agent --check-config
	in_ct systemctl reload serviceradar-agent
}

# sink NAME KEY: of srctl sinks.
sink() {
	in_ct srctl sinks --json | python3 -c 'import json, sys
for o in map(json.loads, sys.stdin):
    if o["name"] == sys.argv[1]: print(o[sys.argv[2]])' "$1" "$2"
}
# shellcheck disable=SC2329 # called by until_ok
sink_is() { [ "$(sink "$1" "$2")" = "$3" ]; }

# events FILE FIRST LAST: prints how many of the ports FIRST to LAST the connect events in it are to.
in_records() { python3 -c 'import json, sys
print(len({r["11"] for r in map(json.loads, open(sys.argv[1])) if r.get("32473/7") == 1 and int(sys.argv[2]) <= r["11"] <= int(sys.argv[3])}))' "$BATS_TEST_TMPDIR/records" "$1" "$2"; }
in_file() { sh_ct 'cat /var/log/serviceradar/events.ndjson*' | python3 -c 'import json, sys
print(len({o["remotePort"] for o in map(json.loads, sys.stdin) if o.get("eventKind") == 1 and int(sys.argv[1]) <= o["remotePort"] <= int(sys.argv[2])}))' "$1" "$2"; }
in_journal() { sh_ct "journalctl -q -o cat -t serviceradar-agent SR_EVENT_KIND=1 --output-fields=SR_REMOTE_PORT -o json" | python3 -c 'import json, sys
print(len({o["SR_REMOTE_PORT"] for o in map(json.loads, sys.stdin) if int(sys.argv[1]) <= int(o.get("SR_REMOTE_PORT", 0)) <= int(sys.argv[2])}))' "$1" "$2"; }
# shellcheck disable=SC2329 # called by until_ok
is() { [ "$("${@:2}")" = "$1" ]; }

# connected: netprobe's events come to the agent.
# shellcheck disable=SC2329 # called by until_ok
connected() { in_ct python3 -c 'import json, sys; sys.exit(not json.load(open("/run/serviceradar/addons/netprobe.json"))["ipc"]["connected"])'; }

# all_wait: something waits for the file, and nothing more comes.
# shellcheck disable=SC2329 # called by until_ok
all_wait() {
	local before
	before=$(sink file waiting_bytes)
	sleep 1
	[ "$before" -gt 0 ] && [ "$before" = "$(sink file waiting_bytes)" ]
}

TO_COLLECTOR='"host": "127.0.0.1", "port": 4739, "transport": "tcp", "observation_domain": 7'

@test "file, journal and a collector at once; taken up by a reload, and gone with another" {
	start_collector 4739
	configure "{\"file\": true, \"journal\": true, \"ipfix\": {\"noc\": {$TO_COLLECTOR}}}"
	until_ok 10 sink_is ipfix/noc connected True
	in_ct python3 /root/connect.py 20001 20020
	until_ok 20 is 20 in_records 20001 20020
	until_ok 20 is 20 in_file 20001 20020
	until_ok 20 is 20 in_journal 20001 20020
	run python3 -c 'import json, sys
print({r["32473/2"] for r in map(json.loads, open(sys.argv[1])) if 20001 <= r["11"] <= 20020})' "$BATS_TEST_TMPDIR/records"
	[ "$output" = "{'python3'}" ]
	run in_ct srctl sinks
	grep -qE '^file +up ' <<<"$output"
	grep -qE '^journal +up ' <<<"$output"
	grep -qE '^ipfix/noc +up +[0-9]+ ' <<<"$output"
	until_ok 10 sink_is ipfix/noc waiting_bytes 0
	configure '{"file": true, "journal": false}'
	until_ok 10 sh_ct '! pgrep -x agent-forward'
	[ "$(in_ct srctl sinks --json | wc -l)" = 1 ]
	until_ok 10 sh_ct '[ -z "$(ls /var/lib/serviceradar/agent/sinks)" ]' # nothing waits, so nothing stays
	until_ok 10 status_is state active
}

@test "a sink that is down holds up no other; what waits for it survives a killed agent and comes in order" {
	configure "{\"file\": true, \"ipfix\": {\"noc\": {$TO_COLLECTOR}, \"other\": {\"host\": \"127.0.0.1\", \"port\": 4740, \"transport\": \"tcp\"}}}"
	in_ct python3 /root/connect.py 21001 21020
	until_ok 20 is 20 in_file 21001 21020
	until_ok 10 sink_is ipfix/noc connected False
	[[ $(sink ipfix/noc error) == *"127.0.0.1 port 4739: Connection refused"* ]]
	in_ct systemctl kill -s KILL serviceradar-agent
	until_ok 20 sh_ct 'srctl sinks >/dev/null'
	until_ok 10 status_is state active
	until_ok 20 connected
	in_ct python3 /root/connect.py 21021 21040
	until_ok 20 is 20 in_file 21021 21040
	start_collector 4739
	until_ok 40 is 40 in_records 21001 21040
	run python3 -c 'import json, sys
ports = [r["11"] for r in map(json.loads, open(sys.argv[1])) if r.get("32473/7") == 1 and 21001 <= r["11"] <= 21040]
print(list(dict.fromkeys(ports)) == sorted(set(ports)))' "$BATS_TEST_TMPDIR/records"
	[ "$output" = True ]
	until_ok 10 sink_is ipfix/noc waiting_bytes 0
	[ "$(sink ipfix/other waiting_bytes)" -gt 0 ]
	[ "$(sink ipfix/other dropped)" = 0 ]
	run in_ct srctl doctor
	[[ $output == *"sink file takes events"* && $output == *"warn  sink ipfix/other takes events: 127.0.0.1 port 4740: Connection refused; "*" bytes wait"* ]]
	[[ $output != *"belongs to a sink"* ]]
	configure "{\"file\": true, \"ipfix\": {\"noc\": {$TO_COLLECTOR}}}"
	until_ok 10 sh_ct 'srctl doctor | grep "queue ipfix-other belongs to a sink: no settings name it: .*; rm -r /var/lib/serviceradar/agent/sinks/ipfix-other if"'
}

@test "a killed agent-forward is started again; a queue that is full counts what it drops, and the metrics tell" {
	local pid
	start_collector 4739
	configure "{\"file\": true, \"ipfix\": {\"noc\": {$TO_COLLECTOR}, \"other\": {\"host\": \"127.0.0.1\", \"port\": 4740, \"transport\": \"tcp\", \"queue_max_bytes\": 1048576}}}"
	until_ok 20 sink_is ipfix/noc connected True
	pid=$(in_ct pgrep -f 'agent-forward.*ipfix-noc')
	in_ct kill -KILL "$pid"
	in_ct python3 /root/connect.py 22001 22020
	until_ok 20 is 20 in_records 22001 22020
	[ "$(in_ct pgrep -f 'agent-forward.*ipfix-noc')" != "$pid" ]
	in_ct python3 /root/connect.py 30000 39000
	until_ok 20 sh_ct 'srctl sinks --json | grep ipfix/other | grep -vq "\"dropped\":0,"'
	[ "$(sink ipfix/noc dropped)" = 0 ]
	[ "$(sink file dropped)" = 0 ]
	[ "$(in_ct du -sb /var/lib/serviceradar/agent/sinks/ipfix-other | cut -f1)" -le $((1048576 + 8192)) ]
	until_ok 10 sink_is ipfix/noc connected True
	in_ct srctl addon enable metrics
	until_ok 10 sh_ct 'curl -sf http://127.0.0.1:9417/metrics >/root/metrics'
	sh_ct 'grep -q "^serviceradar_agent_sink_up{sink=\"ipfix/noc\"} 1$" /root/metrics'
	sh_ct 'grep -q "^serviceradar_agent_sink_up{sink=\"ipfix/other\"} 0$" /root/metrics'
	sh_ct 'grep "^serviceradar_agent_events_dropped_total{sink=\"ipfix/other\"}" /root/metrics | grep -vq " 0$"'
}

@test "settings that are wrong change nothing; a kind whose library is missing says so, and is alone in that" {
	start_collector 4739
	configure "{\"file\": true, \"ipfix\": {\"noc\": {$TO_COLLECTOR}}}"
	until_ok 20 sink_is ipfix/noc connected True
	echo '{"sinks": {"ipfix": {"noc": {"host": "127.0.0.1", "prot": 1}}}}' >"$ROOT/etc/serviceradar/agent.json"
	run in_ct serviceradar-agent --check-config
	[ "$status" -eq 1 ]
	[[ $output == *'agent.json: /sinks/ipfix/noc/prot'* ]]
	in_ct systemctl reload serviceradar-agent
	in_ct python3 /root/connect.py 23001 23005
	until_ok 20 is 5 in_records 23001 23005
	configure "{\"file\": true, \"ipfix\": {\"noc\": {$TO_COLLECTOR}}, \"nats\": {\"bus\": {\"url\": \"nats://127.0.0.1\"}}}"
	if [ "$FAMILY" = deb ]; then
		until_ok 10 sh_ct 'srctl sinks --json | grep nats/bus | grep -q "a library is missing"'
		sh_ct 'journalctl -q -u serviceradar-agent | grep -q libnats.so'
	else
		until_ok 10 sh_ct 'srctl sinks --json | grep nats/bus | grep -q "this package was built without it"'
	fi
	in_ct python3 /root/connect.py 23006 23010
	until_ok 20 is 5 in_records 23006 23010
}

@test "DL-4 a full disk of the event file: events wait, over a killed agent too, and all are in the file afterwards" {
	configure '{"file": true}'
	sh_ct 'mount -t tmpfs -o size=256k,mode=0750,uid=serviceradar,gid=serviceradar events /var/log/serviceradar; systemctl restart serviceradar-agent'
	until_ok 20 sh_ct 'srctl sinks >/dev/null'
	until_ok 20 connected
	in_ct python3 /root/connect.py 40001 41000
	until_ok 20 sink_is file connected False
	[[ $(sink file error) == "write: No space left on device" ]]
	[ "$(sink file dropped)" = 0 ]
	until_ok 20 all_wait # and nothing is on its way to the agent
	in_ct systemctl kill -s KILL serviceradar-agent
	until_ok 20 sh_ct 'srctl sinks >/dev/null'
	until_ok 20 connected
	in_ct python3 /root/connect.py 41001 41020
	until_ok 20 sh_ct 'srctl sinks --json | grep -q "No space left"'
	[ "$(in_file 40001 41020)" -lt 1000 ]
	sh_ct 'mount -o remount,size=64m /var/log/serviceradar'
	until_ok 20 is 1020 in_file 40001 41020
	until_ok 10 sink_is file waiting_bytes 0
	[ "$(sink file dropped)" = 0 ]
	[ "$(sink file connected)" = True ]
	run sh_ct 'cat /var/log/serviceradar/events.ndjson'
	python3 -c 'import json, sys
ports = [o["remotePort"] for o in map(json.loads, sys.stdin) if o.get("eventKind") == 1 and 40001 <= o["remotePort"] <= 41020]
assert ports == sorted(ports), ports' <<<"$output"
	sh_ct 'systemctl stop serviceradar-agent; umount /var/log/serviceradar; systemctl start serviceradar-agent'
	until_ok 20 sh_ct 'srctl sinks >/dev/null'
}

@test "DL-4 a journal that stands still holds up no other sink; afterwards it has every event, beyond its own rate limit" {
	local pid n
	# In 30 seconds; journald multiplies it by up to 6, by the room on its disk.
	sh_ct 'mkdir -p /etc/systemd/journald.conf.d; printf "[Journal]\nRateLimitBurst=500\n" >/etc/systemd/journald.conf.d/few.conf; systemctl restart systemd-journald'
	configure '{"file": true, "journal": true}'
	until_ok 20 sink_is journal connected True
	until_ok 20 connected
	n=$(in_journal 5001 20000)
	[ "$n" = 0 ]
	pid=$(in_ct systemctl show -P MainPID systemd-journald)
	in_ct kill -STOP "$pid"
	in_ct python3 /root/connect.py 5001 20000
	until_ok 30 is 15000 in_file 5001 20000
	until_ok 20 sink_is journal connected False
	[ "$(sink journal error)" = "systemd-journald takes no entries now" ]
	in_ct kill -CONT "$pid"
	until_ok 60 sink_is journal waiting_bytes 0
	until_ok 20 is 15000 in_journal 5001 20000
	[ "$(sink journal dropped)" = 0 ]
}
