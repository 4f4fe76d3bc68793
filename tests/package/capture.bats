#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# srctl capture on a booted system (FAMILY): who may, what comes out, how it ends, and that nobody else is held up by it.

bats_require_minimum_version 1.5.0
load common
NAME=sr-capture-$FAMILY

setup_file() {
	boot serviceradar-netprobe
	sh_ct 'useradd -m -G serviceradar-capture alice; useradd -m -G serviceradar bob; useradd -m carol
		mkdir -m 1777 /srv/out; mkdir /srv/web; head -c 40000000 /dev/zero >/srv/web/data; head -c 20000 /dev/zero >/srv/web/small
		systemd-run -q --unit=web python3 -m http.server 8080 --bind 127.0.0.1 --directory /srv/web
		echo "{ \"enabled\": true, \"capture_interfaces\": [\"lo\"] }" >/root/np.json'
	in_ct srctl addon enable netprobe --config /root/np.json
	until_ok 10 sh_ct 'curl -s -o /dev/null http://127.0.0.1:8080/small'
}

teardown_file() { "$CT" down "$NAME"; }

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || in_ct journalctl --no-pager -q -o short-precise -u 'serviceradar-*' -n 40 || :
}

# as USER COMMAND: with the standard output in /srv/out/out.pcapng.
as() {
	in_ct rm -f /srv/out/out.pcapng
	in_ct runuser -u "$1" -- sh -c "{ $2; } >/srv/out/out.pcapng"
}
# fact KEY: of the facts that srctl printed as JSON into $ROOT/srv/out/facts.
fact() { sed -n '/^{/p' "$ROOT/srv/out/facts" | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
packets() { tshark -r "$ROOT/srv/out/out.pcapng" -T fields -e frame.number -Y "${1:-frame}" 2>/dev/null | wc -l; }

@test "RC-1 packets come as pcapng, and the facts beside them; root may, and members of group serviceradar-capture" {
	local user
	for user in root alice; do
		in_ct rm -f /srv/out/facts
		run --separate-stderr as "$user" 'srctl --json capture --interface lo --filter "tcp port 8080" --duration 2 --comments 2>/srv/out/facts & sleep 1
			curl -s -o /dev/null http://127.0.0.1:8080/small; wait $!'
		[ "$status" -eq 0 ]
		[ "$(packets)" -ge 10 ]
		[ "$(packets)" = "$(fact packets)" ]
		[ "$(fact reason) $(fact dropped) $(fact bytes)" = "duration_cap 0 $(stat -c %s "$ROOT/srv/out/out.pcapng")" ]
		[ "$(packets 'frame.comment contains "curl pid"')" -ge 5 ]
		[ "$(packets 'http.request')" = 1 ]
		until_ok 10 sh_ct "journalctl -q -o cat -u serviceradar-agent | grep 'capture asked for.*actor=\"*$user(.*filter=\"tcp port 8080\"'"
		until_ok 10 sh_ct "journalctl -q -o cat -u serviceradar-agent | grep 'capture ended.*actor=\"*$user(.*duration_cap'"
		until_ok 10 sh_ct "journalctl -q -o cat -u serviceradar-netprobe | grep 'capture ended.*actor=\"*$user('"
	done
}

@test "RC-2 SIGINT ends it well; a byte cap; netprobe is killed; a reader that stops delays nobody, and is told what was dropped" {
	run --separate-stderr as root 'timeout --foreground --preserve-status -s INT 2 srctl capture --interface lo & sleep 1; curl -s -o /dev/null http://127.0.0.1:8080/small; wait $!'
	[ "$status" -eq 0 ]
	[[ $stderr == *"0 dropped"*"ended by: client_cancel"* ]]
	[ "$(packets)" -ge 10 ]

	run --separate-stderr as root 'srctl capture --interface lo --byte-cap 200000 & sleep 1; curl -s -o /dev/null http://127.0.0.1:8080/data; wait $!'
	[ "$status" -eq 0 ]
	[[ $stderr == *"ended by: byte_cap"* ]]
	[ "$(stat -c %s "$ROOT/srv/out/out.pcapng")" -le 200000 ]
	[ "$(packets)" -ge 2 ]

	run --separate-stderr as root 'srctl capture --interface lo & sleep 1; systemctl kill -s KILL serviceradar-netprobe; wait $!'
	[ "$status" -eq 3 ]
	[[ $stderr == *"connection to the add-on was lost"* ]]
	until_ok 20 status_is state active

	in_ct rm -f /srv/out/facts
	run --separate-stderr as root 'srctl --json capture --interface lo --byte-cap 1000000000 2>/srv/out/facts & p=$!; sleep 1; kill -STOP $p
		for i in 1 2 3 4; do curl -s -o /dev/null http://127.0.0.1:8080/data; done
		sleep 1
		srctl flows --json | grep -c "\"comm\":\"curl\"" >/srv/out/flows; grep VmRSS /proc/$(systemctl show -P MainPID serviceradar-agent)/status >/srv/out/rss
		kill -INT $p; kill -CONT $p; wait $p'
	[ "$status" -eq 0 ]
	[ "$(<"$ROOT/srv/out/flows")" -ge 4 ]
	[ "$(tr -dc 0-9 <"$ROOT/srv/out/rss")" -lt 30000 ]
	[ "$(fact dropped)" -gt 100 ]
	[ "$(packets)" = "$(fact packets)" ]
	status_is state active
}

@test "RC-3 refused: no member, another interface, a filter that is none, a second one, a terminal, wrong usage, no agent; each with its exit status" {
	local want user text options n=0
	while IFS='|' read -r want user options text; do
		run --separate-stderr as "$user" "srctl capture $options"
		echo "$options: $status: $stderr"
		[ "$status" -eq "$want" ]
		[[ $stderr == *"$text"* ]]
		[ ! -s "$ROOT/srv/out/out.pcapng" ]
		n=$((n + 1))
	done <<-'T'
		2|carol|--interface lo|member of group serviceradar
		2|bob|--interface lo|members of group serviceradar-capture
		2|root|--interface eth9|add it to config.capture_interfaces
		2|root|--interface lo --filter 'tcp prot 80'|pcap-filter(7)
		1|root|--filter tcp|--interface
		1|root|--interface lo --duration 601|--duration: "601" is not a number from 1 to 600
		1|root|--interface lo --snaplen -1|--snaplen
		1|root|--interface lo --direction up|none of in, out, both
	T
	[ "$n" = 8 ]
	run in_ct script -qec 'srctl capture --interface lo' /dev/null
	[ "$status" -eq 1 ]
	[[ $output == *"tshark -r -"* ]]
	run --separate-stderr as root 'srctl capture --interface lo --duration 3 >/dev/null 2>&1 & sleep 1; srctl capture --interface lo; code=$?; kill $!; wait; exit $code'
	[ "$status" -eq 2 ]
	[[ $stderr == *"another capture"* ]]

	local library
	library=$(sh_ct 'ls /usr/lib/*/libpcap.so.0.8 /usr/lib64/libpcap.so.1 2>/dev/null | head -n 1')
	in_ct mv "$library" /root/libpcap
	run --separate-stderr as root 'srctl capture --interface lo --filter tcp'
	in_ct mv /root/libpcap "$library"
	[ "$status" -eq 2 ]
	[[ $stderr == *"needs libpcap"* ]]

	in_ct systemctl stop serviceradar-agent
	run --separate-stderr as root 'srctl capture --interface lo'
	in_ct systemctl start serviceradar-agent
	[ "$status" -eq 4 ]
}

# on_terminal COMMAND: on one of 80 columns, with traffic; what was drawn over itself there, one a line, into drawn.
on_terminal() {
	in_ct systemd-run -q --collect sh -c 'for i in 1 2 3 4; do sleep 0.5; curl -s -o /dev/null http://127.0.0.1:8080/small; done'
	run in_ct script -qec "stty cols 80; TERM=xterm $1 >/srv/out/out.pcapng" /dev/null
	echo "$output"
	drawn=$(drawn "$output")
}

@test "srctl capture on a terminal: time, packets and bytes so far, taken away at the end; with --json only the facts" {
	local drawn
	on_terminal 'srctl capture --interface lo --filter "tcp port 8080" --duration 3'
	[ "$status" -eq 0 ]
	[ "$(wc -l <<<"$drawn")" -ge 8 ]
	[ "$(grep -cvE '^lo  \[#*-*\]  +[0-9]+ %  0:0[0-3] left  [0-9]+ packets, [0-9]+ KiB$' <<<"$drawn")" -eq 0 ]
	[[ $(head -n 1 <<<"$drawn") =~ (1[6-9]|[23][0-9])\ % ]]
	[[ $(tail -n 1 <<<"$drawn") =~ (9[0-9]|100)\ %.*\ ([0-9]+)\ packets,\ ([0-9]+)\ KiB ]]
	[ "${BASH_REMATCH[2]}" = "$(packets)" ]
	[ "${BASH_REMATCH[3]}" -ge 80 ]
	[[ $output == *$'\r\033[K'"srctl: $(packets) packets, 0 dropped"* ]]

	on_terminal 'timeout --foreground --preserve-status -s INT 2 srctl capture --interface lo --filter "tcp port 8080"'
	[ "$status" -eq 0 ]
	[ "$(grep -cE '^lo  0:0[0-2]  [0-9]+ packets, [0-9]+ KiB$' <<<"$drawn")" -ge 4 ]

	on_terminal 'srctl --json capture --interface lo --filter "tcp port 8080" --duration 2'
	[ "$status" -eq 0 ]
	[[ $output == '{"type":"capture_end",'* ]]
	[[ $output != *$'\033'* ]]
}

@test "srctl listeners and fingerprints: who waits where, and what a peer runs" {
	until_ok 20 sh_ct 'srctl listeners --json --port 8080 | grep -q "\"comm\":\"python3"'
	run in_ct srctl listeners --port 8080
	[[ ${lines[1]} == python3*root*tcp*127.0.0.1:8080*web.service* ]]
	[ "${#lines[@]}" = 2 ]
	run in_ct srctl listeners --json --process nonesuch
	[ "$output" = "" ]
	in_ct curl -s -o /dev/null http://127.0.0.1:8080/small
	until_ok 20 sh_ct 'srctl fingerprints | grep -q "^127.0.0.1 .*p0fSignature=4:"'
	run in_ct runuser -u carol -- srctl listeners
	[ "$status" -eq 3 ]
	[[ $output == *"member of group serviceradar"* ]]
}

# listen NAME OPTION...: srctl events as a unit, its output in /srv/out/ev.NAME.
listen() { in_ct systemd-run -q --unit="ev-$1" sh -c "exec srctl events ${*:2} >/srv/out/ev.$1"; }

@test "srctl events: connections, protocols and flows as they come; filtered; a reader that stops is told what it missed" {
	listen txt
	listen json --json --type dpi_event
	listen curl --process curl --port 8080
	until_ok 20 sh_ct 'curl -s -o /dev/null http://127.0.0.1:8080/small; sleep 0.2
		grep -q " connect  *curl\[[0-9]*\] tcp 127.0.0.1:[0-9]* 127.0.0.1:8080$" /srv/out/ev.txt && grep -q " accept  *python3\[" /srv/out/ev.txt &&
		grep -q " protocol  *http tcp 127.0.0.1:" /srv/out/ev.txt && grep -q " flow  *.*, [1-9][0-9]* bytes out, [1-9][0-9]* in, " /srv/out/ev.txt'
	sh_ct 'grep -q "\"protocol\":\"http\"" /srv/out/ev.json'
	[ "$(sh_ct 'grep -vc "\"type\":\"dpi_event\"" /srv/out/ev.json')" -eq 0 ]
	sh_ct 'grep -q " connect " /srv/out/ev.curl'
	[ "$(sh_ct 'grep -vc "curl\[.*:8080" /srv/out/ev.curl')" -eq 0 ]
	listen slow --process python3
	until_ok 10 sh_ct 'curl -s -o /dev/null http://127.0.0.1:8080/small; grep -q accept /srv/out/ev.slow'
	in_ct systemctl kill -s STOP ev-slow
	sh_ct 'python3 -c "
import socket
s = socket.create_server((\"127.0.0.1\", 9000))
for i in range(4000): socket.create_connection((\"127.0.0.1\", 9000)).close(), s.accept()[0].close()"'
	until_ok 20 status_is state active
	in_ct systemctl kill -s CONT ev-slow
	until_ok 20 sh_ct 'journalctl -q -o cat -u ev-slow | grep -qE "srctl: [0-9]+ events were missed"'
	in_ct systemctl stop ev-txt ev-json ev-curl ev-slow
	run in_ct runuser -u carol -- srctl events
	[ "$status" -eq 3 ]
	in_ct systemctl stop serviceradar-agent
	run in_ct srctl events
	[ "$status" -eq 4 ]
	in_ct systemctl start serviceradar-agent
}

@test "srctl flows --live: a table that is drawn anew, sorted and filtered; --record keeps what was shown" {
	in_ct systemd-run -q --unit=live sh -c 'exec srctl flows --live --sort port --process curl --record /srv/out/recorded >/srv/out/live'
	until_ok 20 sh_ct 'curl -s -o /dev/null http://127.0.0.1:8080/small
		grep -qE "^[0-9:]{8}  [1-9][0-9]* sockets, [1-9][0-9]* events/s$" /srv/out/live && grep -q "^curl .*127.0.0.1:8080 " /srv/out/live'
	in_ct systemctl stop live
	[ "$(sh_ct 'grep -c "^python3" /srv/out/live')" -eq 0 ]
	python3 -c 'import json, sys
rows = [json.loads(l) for l in open(sys.argv[1])]
sys.exit(not rows or any(r["comm"] != "curl" for r in rows))' "$ROOT/srv/out/recorded"
	sh_ct 'python3 - <<-"P"
		import itertools
		tables = open("/srv/out/live").read().split("\n\n")
		for t in tables:
		    ports = [int(l.split()[5].rsplit(":", 1)[1]) for l in t.split("\n") if l.startswith("curl ")]
		    assert ports == sorted(ports), ports
	P'
	run in_ct srctl flows --sort port
	[ "$status" -eq 1 ]
	run in_ct srctl flows --live --sort weight
	[ "$status" -eq 1 ]
	run in_ct srctl flows --record /nonesuch/file
	[ "$status" -eq 3 ]
	[[ $output == *"--record /nonesuch/file: No such file or directory"* ]]
}

@test "srctl addon config: each setting with its value and meaning; a change is checked, applied and kept" {
	run in_ct srctl addon config netprobe
	[ "$status" -eq 0 ]
	grep -A1 '^capture_interfaces  *\["lo"\]$' <<<"$output" | grep -q '^    Network interfaces'
	grep -q '^process_snapshot_interval_s  *-$' <<<"$output"
	in_ct srctl addon config netprobe --set process_snapshot_interval_s=77 --set 'capture_interfaces=["lo"]' --set flow_table_max_entries=4096
	[ "$(in_ct srctl addon config netprobe --json | python3 -c 'import json, sys
o = json.load(sys.stdin)
print(o["process_snapshot_interval_s"], o["capture_interfaces"], o["flow_table_max_entries"])')" = "77 ['lo'] 4096" ]
	until_ok 10 status_is state active
	before=$(cat "$ROOT/etc/serviceradar/addons.d/netprobe.json")
	run in_ct srctl addon config netprobe --set process_snapshot_interval_s=soon
	[ "$status" -eq 2 ]
	[[ $output == *'netprobe: /config/process_snapshot_interval_s: "soon"'* ]]
	run in_ct srctl addon config netprobe --set nonesuch=1
	[ "$status" -eq 2 ]
	run in_ct srctl addon config netprobe --set nothing
	[ "$status" -eq 1 ]
	[ "$(cat "$ROOT/etc/serviceradar/addons.d/netprobe.json")" = "$before" ]
	run in_ct runuser -u bob -- srctl addon config netprobe --set enabled=false
	[ "$status" -eq 2 ]
}
