#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# External flows from end to end: real traffic, softflowd, nfcapd, nfdump, srctl, agent, netprobe, and back.

load common
NAME=sr-external-${FAMILY:-deb}

setup_file() {
	boot serviceradar-netprobe
	in_ct srctl addon enable netprobe
	until_ok 20 status_is state active
}

teardown() { # of this machine's tools in the container's network
	[ -n "${BATS_TEST_COMPLETED:-}" ] || in_ct journalctl --no-pager -q -o short-precise -u 'serviceradar-*' -n 30 || :
	[ -z "${capture:-}" ] || kill -KILL "$capture" 2>/dev/null || :
	[ -z "${nfcapd:-}" ] || kill -KILL "$nfcapd" 2>/dev/null || :
}

teardown_file() {
	"$CT" down "$NAME"
}

# shellcheck disable=SC2329 # called by until_ok
# probe FILE PORT: sends a datagram to port 7709; whether one to PORT is seen in the capture.
probe() {
	in_ct python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 7709))'
	python3 -c 'import sys; sys.exit(int(sys.argv[2]).to_bytes(2, "big") not in open(sys.argv[1], "rb").read())' "$1" "$2"
}

# owners: "ID COMM PID PROTOCOL LOCAL_PORT REMOTE_PORT" of each external flow that came back to the agent.
owners() {
	sh_ct "cat /var/log/serviceradar/events.ndjson" | python3 -c 'import json, sys
for o in map(json.loads, sys.stdin):
    if o.get("source") == "external_netflow":
        print(o["externalFlowId"], o["comm"], o["pid"], o["transportProtocol"], o["localPort"], o["remotePort"])'
}

@test "HV-19 softflowd, nfcapd, nfdump, srctl import-flows: each flow comes back with its owner" {
	local dir=$BATS_TEST_TMPDIR flows ids
	mkdir "$dir/nf"
	nsenter -t "$("$CT" pid "$NAME")" -n python3 "$TOP/tests/lib/capture.py" "$dir/lo.pcap" lo 3>&- &
	capture=$!
	until_ok 10 probe "$dir/lo.pcap" 7709
	in_ct python3 -c '
import os, socket
print(os.getpid())
def tcp(family, ip, port):
    s = socket.create_server((ip, port), family=family)
    c = socket.create_connection((ip, port))
    a, _ = s.accept()
    c.sendall(b"question" * 20)
    a.recv(1000)
    a.sendall(b"answer" * 20)
    c.recv(1000)
    c.close()
    a.close()
tcp(socket.AF_INET, "127.0.0.1", 7701)
tcp(socket.AF_INET6, "::1", 7702)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 7703))
u.sendto(b"x", ("127.0.0.1", 7703))
s.recv(10)' >"$dir/pid"
	until_ok 10 probe "$dir/lo.pcap" 7703
	kill -TERM "$capture"
	wait "$capture" || :
	nsenter -t "$("$CT" pid "$NAME")" -n nfcapd -p 9995 -b 127.0.0.1 -w "$dir/nf" -t 3600 >"$dir/nfcapd" 2>&1 3>&- &
	nfcapd=$!
	until_ok 10 grep -q 'Startup nfcapd' "$dir/nfcapd"
	nsenter -t "$("$CT" pid "$NAME")" -n softflowd -d -r "$dir/lo.pcap" -n 127.0.0.1:9995 -v 10 -A milli >"$dir/softflowd" 2>&1
	until_ok 10 sh -c 'kill -0 '"$nfcapd"' && sleep 0.2' # what was sent to it waits in its socket
	kill -TERM "$nfcapd"
	wait "$nfcapd" || :
	TZ=UTC nfdump -R "$dir/nf" -o json 'port > 7700 and port < 7704' >"$dir/flows.json"
	TZ=UTC nfdump -R "$dir/nf" -o csv 'port > 7700 and port < 7704' >"$dir/flows.csv"
	flows=$(grep -c '"type"' "$dir/flows.json")
	[ "$flows" -eq 5 ] # two directions of each connection, and a datagram
	run "$CT" exec "$NAME" srctl --json import-flows - <"$dir/flows.json"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "{\"accepted\":$flows,\"matched\":$flows,\"unmatched\":0,\"invalid\":0,\"unread\":0}" ]
	until_ok 10 sh -c '[ "$(wc -l <<X
'"$(owners)"'
X
)" -ge 5 ]'
	ids=$(owners)
	echo "$ids"
	[ "$(awk '{ print $1 }' <<<"$ids" | sort -n | tr '\n' ' ')" = "1 2 3 4 5 " ]
	[ "$(awk '$2 ~ /^python/ { print $3 }' <<<"$ids" | sort -u)" = "$(<"$dir/pid")" ]
	# The same from CSV, with other ids.
	run "$CT" exec "$NAME" srctl import-flows - <"$dir/flows.csv"
	[ "$status" -eq 0 ]
	[[ "$output" == "$flows flows taken: $flows attributed, 0 without an owner"* ]]
}

@test "HV-19 flows that have no owner here, and those that are none: counted" {
	run "$CT" exec "$NAME" srctl --json import-flows - <<-'X'
		{"source_ip":"192.0.2.1","destination_ip":"192.0.2.2","source_port":1,"destination_port":2,"ip_protocol":6}
		{"source_ip":"192.0.2.1","destination_ip":"nonsense","source_port":1,"destination_port":2,"ip_protocol":6}
		{"source_ip":"192.0.2.1","destination_ip":"192.0.2.2","source_port":99999,"destination_port":2,"ip_protocol":6}
		{"source_ip":"192.0.2.1","destination_ip":"192.0.2.2","source_port":"http","destination_port":2,"ip_protocol":6}
	X
	[ "$status" -eq 0 ]
	[[ "${lines[-1]}" == '{"accepted":1,"matched":0,"unmatched":'?',"invalid":2,"unread":1}' ]]
	run "$CT" exec "$NAME" srctl import-flows /nonexistent
	[ "$status" -eq 1 ]
}

@test "HV-19 srctl import-flows by a user who may not: refused with the reason" {
	in_ct sh -c 'useradd -m stranger; for i in $(seq 2000); do echo "{\"src_addr\": \"10.0.0.1\", \"dst_addr\": \"10.0.0.2\", \"src_port\": 1, \"dst_port\": 2, \"proto\": 6, \"first\": \"2026-01-01T00:00:00.000\", \"last\": \"2026-01-01T00:00:01.000\"}"; done >/home/stranger/flows.json'
	run in_ct setpriv --reuid=stranger --regid=stranger --clear-groups srctl import-flows /home/stranger/flows.json
	echo "$output"
	[ "$status" -eq 3 ]
	[ "$(grep -v '^[0-9]' <<<"$output")" = "srctl: not allowed: run it as root or as a member of group serviceradar" ]
}

@test "srctl import-flows of a large file: how far it is, on a terminal; nothing of it elsewhere, with --json, or for a small file" {
	local n=400000 import='srctl import-flows /root/many.json' drawn
	python3 -c 'import sys
for i in range(int(sys.argv[1])):
    print(f"{{\"source_ip\":\"192.0.2.1\",\"destination_ip\":\"192.0.2.2\",\"source_port\":{i % 60000 + 1},\"destination_port\":7,\"ip_protocol\":6}}")' \
		"$n" >"$ROOT/root/many.json"
	run in_ct script -qec "stty cols 90; TERM=xterm $import" /dev/null
	[ "$status" -eq 0 ]
	drawn=$(drawn "$output")
	echo "$drawn"
	[ "$(wc -l <<<"$drawn")" -ge 3 ]
	[ "$(grep -cvE '^import-flows  \[#*-*\]  +[0-9]+ %  [0-9.]+/[0-9.]+ MiB  [0-9.]+ [KM]iB/s  [0-9:]+ left  [0-9]+ flows$' <<<"$drawn")" -eq 0 ]
	awk 'length != 89 || $0 !~ / %/ { exit 1 } { sub(/ %.*/, ""); sub(/.* /, ""); if ($0 + 0 < before) exit 1; before = $0 + 0 } END { exit before < 50 }' <<<"$drawn"
	[[ $output == *$'\r\033[K'"$n flows taken: "* ]]

	run in_ct script -qec "stty cols 30; TERM=xterm $import" /dev/null
	drawn=$(drawn "$output")
	[ "$(grep -cvE '^ *[0-9]+ %  [0-9.]+/[0-9.]+ MiB' <<<"$drawn")" -eq 0 ]

	local command
	for command in "TERM=xterm srctl --json import-flows /root/many.json" "TERM=dumb $import" "TERM=xterm $import 2>&1 | cat" \
		"head -n 100 /root/many.json | TERM=xterm srctl import-flows -"; do
		run in_ct script -qec "$command" /dev/null
		echo "$command: $output"
		[ "$status" -eq 0 ]
		[[ $output == *"accepted"* || $output == *" flows taken: "* ]]
		[[ $output != *$'\033'* && $output != *%* ]]
	done
}
