#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Remote capture by the daemon's own socket, against tcpdump on the same packets: cap0 in $NS, where the daemon runs, and peer0 in
# $NS-peer are the ends of a cable.

bats_require_minimum_version 1.5.0
load common
PEER=$NS-peer
OUTER=(ip netns exec "$NS")
ALLOWED='{"enabled":true,"captureInterfaces":["cap0","lo"]}'

setup_file() {
	ip netns add "$NS"
	ip netns add "$PEER"
	in_ns ip link add cap0 type veth peer name peer0 netns "$PEER"
	for i in cap0:1:"$NS" peer0:2:"$PEER"; do
		IFS=: read -r dev n ns <<<"$i"
		ip -n "$ns" link set lo up
		ip netns exec "$ns" sysctl -q -w net.ipv6.conf."$dev".accept_dad=0 net.ipv6.conf."$dev".router_solicitations=0
		ip -n "$ns" addr add 10.9.0."$n"/24 dev "$dev"
		ip -n "$ns" addr add fd09::"$n"/64 dev "$dev" nodad
		ip -n "$ns" link set "$dev" up
	done
	head -c 300000 /dev/urandom >"$BATS_FILE_TMPDIR/data"
	ip netns exec "$PEER" python3 -m http.server 8080 --bind :: --directory "$BATS_FILE_TMPDIR" >/dev/null 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/servers"
	ip netns exec "$NS" python3 -m http.server 8080 --bind 127.0.0.1 --directory "$BATS_FILE_TMPDIR" >/dev/null 2>&1 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/servers"
	until_ok 10 in_ns sh -c 'curl -s -o /dev/null http://10.9.0.2:8080/data && curl -s -o /dev/null http://127.0.0.1:8080/data'
}

teardown_file() {
	xargs -r kill -KILL <"$BATS_FILE_TMPDIR/servers" || :
	ip netns del "$NS"
	ip netns del "$PEER"
}

setup() {
	D=$BATS_TEST_TMPDIR
	start_netprobe "$ALL"
}

teardown() {
	stop_netprobe
	cat "$D/log" 2>/dev/null || :
}

# request KEY VALUE…: a StartRemoteCapture; values are JSON.
request() {
	python3 - "$@" <<-'P'
		import json, sys
		o = {"sessionId": "s1", "actor": "tester", "interfaces": ["cap0"], "filterExpression": "", "durationS": 30}
		a = sys.argv[1:]
		for k, v in zip(a[::2], a[1::2]):
		    v = json.loads(v)
		    if k == "filterBpf": del o["filterExpression"]
		    if v is None: o.pop(k, None)
		    else: o[k] = v
		print(json.dumps(o))
	P
}

# captures REQUEST: in the background into $D/out.pcapng, the final block into $D/final. Returns when it has begun.
captures() {
	rm -f "$D/out.pcapng"
	"$CLIENT" "$SOCKET" apply "$ALLOWED" capture "$1" "$D/out.pcapng" >"$D/final" 3>&- &
	CAPTURE=$!
	until_ok 10 test -s "$D/out.pcapng"
}

# finished: the final block is there.
finished() {
	wait "$CAPTURE"
	output=$(<"$D/final")
}

# beside TCPDUMP-OPTION…: tcpdump into $D/ref.pcap.
beside() {
	# Room for 256 packets: with 2 MiB it has eight frames of this length, and drops what it has no time for.
	ip netns exec "$NS" tcpdump -Z root -q -n --immediate-mode -s 0 -B 65536 -w "$D/ref.pcap" "$@" 2>"$D/tcpdump.log" 3>&- &
	TCPDUMP=$!
	until_ok 10 grep -q 'listening on' "$D/tcpdump.log"
}
end_beside() {
	sleep 1 # what the kernel has, it reads
	kill -INT "$TCPDUMP"
	wait "$TCPDUMP"
}

# frames FILE [tcpdump option…]: each packet as bytes, sorted.
frames() { tcpdump -r "$1" -n -t -xx "${@:2}" 2>/dev/null | awk '/^\t0x/ { sub(/^[^:]*: */, ""); gsub(/ /, ""); line = line $0; next } { if (line != "") print line; line = "" } END { print line }' | sort; }

same_as_tcpdump() {
	[ "$(frames "$D/ref.pcap" | wc -l)" -gt "${1:-10}" ]
	diff -q <(frames "$D/ref.pcap") <(frames "$D/out.pcapng") && return
	diff <(frames "$D/ref.pcap") <(frames "$D/out.pcapng") | sed -n '1,3p;$p'
	cat "$D/tcpdump.log"
	diff <(tcpdump -r "$D/ref.pcap" -n -tt 2>/dev/null) <(tcpdump -r "$D/out.pcapng" -n -tt 2>/dev/null)
	return 1
}

# packet_sockets: how many the daemon's namespace has.
packet_sockets() { in_ns sh -c 'tail -n +2 /proc/net/packet | wc -l'; }

get() { in_ns curl -s -o /dev/null "http://$1:8080/data"; }

@test "RC-1 packets equal to tcpdump's, and tshark and capinfos read it without complaint" {
	captures "$(request durationS 4 filterExpression '"tcp port 8080 or icmp6"')"
	beside -i cap0 tcp port 8080 or icmp6
	get 10.9.0.2
	get '[fd09::2]'
	in_ns ping -q -c 3 -i 0.2 fd09::2
	end_beside
	finished
	same_as_tcpdump 20
	# The two sockets take the time one after the other.
	paste <(tshark -r "$D/ref.pcap" -T fields -e frame.time_epoch 2>/dev/null | sort) \
		<(tshark -r "$D/out.pcapng" -T fields -e frame.time_epoch 2>/dev/null | sort) | awk '{ d = $1 - $2; if (d * d > 0.0001) { print; bad = 1 } } END { exit bad }'
	run --separate-stderr tshark -r - <"$D/out.pcapng"
	[ "$status" -eq 0 ]
	[ "$stderr" = "" ] || [[ $stderr == "Running as user \"root\""* ]]
	run capinfos "$D/out.pcapng"
	[ "$status" -eq 0 ]
	[[ $output == *"nanoseconds"* && $output == *"Name = cap0"* && $output == *"Filter string = tcp port 8080 or icmp6"* ]]
	[ "$(od -An -tx4 -N4 "$D/out.pcapng")" = " 0a0d0d0a" ]
	output=$(<"$D/final")
	has "o.get('pcapngBlock', {}).get('terminationReason') == 'CAPTURE_TERMINATION_REASON_DURATION_CAP' and o['pcapngBlock']['final'] and int(o['pcapngBlock'].get('packetsDropped', 0)) == 0 and int(o['pcapngBlock']['packetsCaptured']) == $(frames "$D/ref.pcap" | wc -l) and int(o['pcapngBlock']['bytesStreamed']) == $(stat -c %s "$D/out.pcapng")"
}

@test "RC-1 each direction alone, loopback once, a snaplen, a filter of BPF instructions" {
	local in out
	captures "$(request durationS 2 filterExpression '"tcp"' direction '"CAPTURE_DIRECTION_INGRESS"')"
	beside -i cap0 -Q in tcp
	get 10.9.0.2
	end_beside
	finished
	same_as_tcpdump
	in=$(frames "$D/out.pcapng" | wc -l)
	captures "$(request durationS 2 filterExpression '"tcp"' direction '"CAPTURE_DIRECTION_EGRESS"')"
	beside -i cap0 -Q out tcp
	get 10.9.0.2
	end_beside
	finished
	same_as_tcpdump
	[ "$in" -gt 3 ]
	captures "$(request durationS 2 interfaces '["lo"]' snaplen 60)"
	beside -i lo # whole: tcpdump's own -s loses two bytes more than it should on this path
	get 127.0.0.1
	end_beside
	finished
	[ "$(frames "$D/out.pcapng" | wc -l)" -gt 10 ]
	diff <(frames "$D/ref.pcap" | cut -c 1-120 | sort) <(frames "$D/out.pcapng")
	[ "$(tshark -r "$D/out.pcapng" -T fields -e frame.len -Y 'frame.len > 1000' 2>/dev/null | head -n 1)" -gt 1000 ]
	[ "$(frames "$D/out.pcapng" | awk '{ print length($0) }' | sort -n | tail -n 1)" = 120 ]
	# ip proto 6, as "tcpdump -d ip proto 6" has it
	captures "$(request durationS 2 filterBpf '{"instructions":[{"code":40,"k":12},{"code":21,"jf":3,"k":2048},{"code":48,"k":23},{"code":21,"jf":1,"k":6},{"code":6,"k":262144},{"code":6}]}')"
	beside -i cap0 ip proto 6
	get 10.9.0.2
	get '[fd09::2]'
	end_beside
	finished
	same_as_tcpdump
}

@test "RC-1 a VLAN tag that the device takes out is there; a device without link layer; comments name the processes" {
	captures "$(request durationS 2 filterExpression '"ether[0] = 0xff"')"
	beside -i cap0 ether broadcast
	ip netns exec "$PEER" python3 -c 'import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("peer0", 0))
for n in range(12):
    s.send(b"\xff" * 6 + b"\2" + bytes(5) + struct.pack("!HHH", 0x8100, 7, 0x88b5) + bytes([n]) * 50)'
	end_beside
	finished
	same_as_tcpdump
	[ "$(tshark -r "$D/out.pcapng" -Y 'vlan.id == 7 && vlan.etype == 0x88b5 && frame.len == 68' 2>/dev/null | wc -l)" = 12 ]

	ip netns exec "$NS" python3 -c 'import fcntl, os, struct
t = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(t, 0x400454ca, struct.pack("16sH", b"t0", 0x1001)) # TUNSETIFF, IFF_TUN | IFF_NO_PI
while True: os.read(t, 2048)' 3>&- &
	local tun=$!
	until_ok 5 in_ns ip link set t0 up
	in_ns ip addr add 10.8.0.1/24 dev t0
	ALLOWED='{"enabled":true,"captureInterfaces":["t0"]}'
	captures "$(request durationS 3 interfaces '["t0"]' filterExpression '"icmp"')"
	beside -i t0 icmp
	in_ns ping -q -c 3 -i 0.2 10.8.0.2 || : # nobody answers
	end_beside
	finished
	same_as_tcpdump 2
	kill -KILL "$tun"

	ALLOWED='{"enabled":true,"captureInterfaces":["cap0"]}'
	captures "$(request durationS 3 processComments true filterExpression '"tcp port 8080"')"
	ip netns exec "$NS" curl -s -o /dev/null http://10.9.0.2:8080/data 3>&- &
	local curl=$!
	wait "$curl"
	finished
	run tshark -r "$D/out.pcapng" -T fields -e frame.comment -Y 'tcp.len > 1000'
	[[ $output == *"to curl pid $curl uid 0"* && $output == *"from python"* ]]
}

@test "RC-2 byte cap, stop, interface down, client gone, an interface taken off the list: the final block says which, the socket is closed" {
	local before
	before=$(packet_sockets)
	captures "$(request byteCap 100000)"
	get 10.9.0.2
	finished
	has "o.get('pcapngBlock', {}).get('terminationReason') == 'CAPTURE_TERMINATION_REASON_BYTE_CAP' and int(o['pcapngBlock']['bytesStreamed']) <= 100000 and int(o['pcapngBlock']['bytesStreamed']) > 30000"
	[ "$(stat -c %s "$D/out.pcapng")" -le 100000 ]
	capinfos "$D/out.pcapng" >/dev/null
	[ "$(packet_sockets)" = "$before" ]

	run "$CLIENT" "$SOCKET" apply "$ALLOWED" start "$(request)" stop s1 blocks /dev/null
	has "o.get('pcapngBlock', {}).get('terminationReason') == 'CAPTURE_TERMINATION_REASON_CLIENT_CANCEL'"
	[ "$(packet_sockets)" = "$before" ]

	run "$CLIENT" "$SOCKET" apply "$ALLOWED" start "$(request)" apply '{"enabled":true,"captureInterfaces":["lo"]}' blocks /dev/null
	has "o.get('pcapngBlock', {}).get('terminationReason') == 'CAPTURE_TERMINATION_REASON_CLIENT_CANCEL'"

	captures "$(request)"
	in_ns ip link set cap0 down
	finished
	in_ns ip link set cap0 up
	in_ns ip addr add fd09::1/64 dev cap0 nodad
	has "o.get('pcapngBlock', {}).get('terminationReason') == 'CAPTURE_TERMINATION_REASON_INTERFACE_DOWN'"
	[ "$(packet_sockets)" = "$before" ]

	captures "$(request)"
	[ "$(packet_sockets)" = $((before + 1)) ]
	kill -KILL "$CAPTURE"
	until_ok 1 sh -c "[ \"\$(ip netns exec $NS sh -c 'tail -n +2 /proc/net/packet | wc -l')\" = $before ]"
	until_ok 5 grep -q 'capture ended.*actor=tester.*reason="agent disconnect"' "$D/log"
}

@test "RC-2 a window: no more is sent than was allowed, the kernel's drops are counted, and all adds up" {
	"$CLIENT" "$SOCKET" apply "$ALLOWED" start "$(request durationS 600 window 300000 byteCap 1073741824 filterExpression '"udp dst port 9"')" \
		wait "$D/go" stop s1 blocks "$D/rest" >"$D/final" 3>&- &
	local client=$!
	until_ok 10 grep -q 'capture started' "$D/log"
	in_ns python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(40000): s.sendto(bytes(1000), ("10.9.0.2", 9))' # 40 MB; the ring has 16
	touch "$D/go"
	wait "$client"
	output=$(<"$D/final")
	has "o.get('pcapngBlock', {}).get('final') and 100000 < int(o['pcapngBlock']['bytesStreamed']) <= 300000 and int(o['pcapngBlock']['packetsDropped']) + int(o['pcapngBlock']['packetsCaptured']) == 40000"
}

@test "RC-3 refused with its code before anything is opened: second session, interface, actor, filter, instructions, snaplen" {
	local before code row key value
	before=$(packet_sockets)
	while IFS='|' read -r code key value; do
		run "$CLIENT" "$SOCKET" apply "$ALLOWED" start "$(request "$key" "$value")" ping
		has "o.get('error', {}).get('code') == '$code' and len(o['error']['message']) > 10" || { echo "$code: $key $value"; return 1; }
		[ "$(packet_sockets)" = "$before" ]
	done <<-'T'
		capture_unattributed|actor|""
		capture_unattributed|sessionId|""
		capture_interface_count|interfaces|[]
		capture_interface_count|interfaces|["cap0","lo"]
		capture_interface_denied|interfaces|["eth9"]
		capture_interface_denied|interfaces|["any"]
		capture_no_filter|filterExpression|null
		capture_filter_invalid|filterExpression|"tcp prot 80"
		capture_filter_invalid|filterExpression|"host nonesuch.invalid"
		capture_filter_invalid|filterBpf|{"instructions":[]}
		capture_filter_invalid|filterBpf|{"instructions":[{"code":6,"k":4294967296}]}
		capture_filter_invalid|filterBpf|{"instructions":[{"code":6,"jt":256}]}
		capture_filter_invalid|filterBpf|{"instructions":[{"code":40,"k":12}]}
		capture_filter_invalid|filterBpf|{"instructions":[{"code":5,"k":9},{"code":6}]}
		capture_snaplen_invalid|snaplen|262145
	T
	[ ! -e "$D/none" ]
	run "$CLIENT" "$SOCKET" apply "$ALLOWED" start "$(request)" start "$(request sessionId '"s2"')" ping
	has "o.get('error', {}).get('code') == 'capture_session_active'"
	run "$CLIENT" "$SOCKET" apply '{"enabled":false,"captureInterfaces":["cap0"]}' start "$(request)"
	has "o.get('error', {}).get('code') == 'capture_interface_denied'"
	in_ns ip link set cap0 down
	run "$CLIENT" "$SOCKET" apply "$ALLOWED" start "$(request)"
	in_ns ip link set cap0 up
	in_ns ip addr add fd09::1/64 dev cap0 nodad
	has "o.get('error', {}).get('code') == 'capture_ring_failed' and 'down' in o['error']['message']"
}
