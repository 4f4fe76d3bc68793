#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon ends and another one begins: what is pinned goes on meanwhile.

load common
bats_require_minimum_version 1.5.0

FAR=$NS-far
far() { ip netns exec "$FAR" "$@"; }

setup_file() {
	ip netns add "$NS"
	ip netns add "$FAR"
	in_ns ip link set lo up
	ip -n "$NS" link add near type veth peer name far netns "$FAR"
	in_ns ethtool -K near tso off gso off gro off >/dev/null # each packet is one on the wire
	far ethtool -K far tso off gso off gro off >/dev/null
	ip -n "$NS" addr add 10.9.0.1/24 dev near
	ip -n "$FAR" addr add 10.9.0.2/24 dev far
	ip -n "$NS" link set near up
	ip -n "$FAR" link set far up
}

teardown_file() {
	ip netns del "$NS"
	ip netns del "$FAR"
}

setup() {
	PINS=$BATS_TEST_TMPDIR/bpf
	mkdir "$PINS"
	mount -t bpf bpf "$PINS"
	chown nobody "$PINS"
	chmod 700 "$PINS"
}

teardown() {
	[ -z "${client:-}" ] || kill "$client" 2>/dev/null || :
	touch "$BATS_TEST_TMPDIR/store.end" # for fd_store.py
	for job in ${load:-} ${dump:-} ${server:-} ${PID:+$(pgrep -P "$PID")}; do kill "$job" 2>/dev/null || :; done
	stop_netprobe
	umount "$PINS"
	cat "$BATS_TEST_TMPDIR/log" 2>/dev/null || :
}

start() { start_netprobe "$ALL" --pin-dir "$PINS" "$@"; }

# listen NAME: a client that writes what it sees to NAME until the daemon ends, or NAME.go exists.
listen() {
	"$CLIENT" "$SOCKET" apply "$CONFIG" wait "$BATS_TEST_TMPDIR/$1.go" drain ping >"$BATS_TEST_TMPDIR/$1" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/$1"
}

# follow NAME: the same, reading all the time.
follow() {
	"$CLIENT" "$SOCKET" apply "$CONFIG" events 1000000 >"$BATS_TEST_TMPDIR/$1" 2>/dev/null 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/$1"
}

sees() { [ "$(wc -l <"$BATS_TEST_TMPDIR/$2")" -gt "$1" ]; }

finish() {
	touch "$BATS_TEST_TMPDIR/$1.go"
	wait "$client"
	client=
}

# churn: connections to itself, one after the other, until it is told to stop; then it says how many they were, and its pid. One more,
# that it opened first, it closes last.
churn() {
	ip netns exec "$NS" python3 -c '
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", 6000))
first = socket.create_connection(("127.0.0.1", 6000)), server.accept()[0]
print("begun", first[0].getsockname()[1], flush=True)
n = 0
while not os.path.exists(sys.argv[1]):
    with socket.create_connection(("127.0.0.1", 6000)), server.accept()[0]:
        n += 1
    time.sleep(0.001)
for s in first: s.close()
print(n, os.getpid())' "$BATS_TEST_TMPDIR/enough" >"$BATS_TEST_TMPDIR/churned" 3>&- &
	load=$!
	until_ok 10 grep -q begun "$BATS_TEST_TMPDIR/churned"
}

end_churn() {
	touch "$BATS_TEST_TMPDIR/enough"
	wait "$load"
	load=
}

# forks N PORT: N processes that are forked, connect and end; their pids.
forks() {
	in_ns python3 -c '
import os, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[2])))
for _ in range(int(sys.argv[1])):
    pid = os.fork()
    if pid == 0:
        socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        os._exit(0)
    print(pid)
    os.waitpid(pid, 0)
    server.accept()[0].close()' "$@"
}

# tell 'PYTHON' FILE...: run with e, all events of the files, each event once on the wire, and ping, the last PingAck.
tell() {
	local code=$1
	shift
	(cd "$BATS_TEST_TMPDIR" && python3 -c '
import json, sys
e, ping = [], None
for name in sys.argv[2:]:
    for line in open(name):
        if not line.startswith("{") or not line.endswith("}\n"): continue
        o = json.loads(line)
        if "eventKind" in o: e.append(o)
        if "pingAck" in o: ping = {k: int(v) for k, v in o["pingAck"].items() if k.startswith("events")}
some = lambda **f: [o for o in e if all(o.get(k, 0) == v for k, v in f.items())]
exec(sys.argv[1])' "$code" "$@")
}

@test "HV-9 killed under load: what happened before, between and after has its owner; what the dead one had taken is counted" {
	start
	follow one
	churn
	until_ok 10 sees 500 one
	kill -KILL "$PID"
	wait "$PID" || :
	wait "$client" || :
	client=
	forks 300 6001 >"$BATS_TEST_TMPDIR/pids" # nobody is there to see it
	start
	grep -q 'taken up' "$BATS_TEST_TMPDIR/log"
	follow two
	forks 50 6002 >>"$BATS_TEST_TMPDIR/pids"
	end_churn
	kill "$client"
	wait "$client" || :
	client=
	listen three
	finish three
	tell '
began, told = open("churned").read().splitlines()
n, pid = map(int, told.split())
first = int(began.split()[1])
pids = sorted(map(int, open("pids")))
seen = sorted(o["pid"] for o in some(eventKind=1) if o["remotePort"] in (6001, 6002))
dropped = ping["eventsDroppedKernel"] + ping["eventsDroppedQueue"]
print(n, "connections under load,", len(e), "events,", dropped, "dropped", ping)
assert pids == seen, (len(pids), len(seen))
assert some(eventKind=3, localPort=first)[0]["pid"] == pid
assert {o["pid"] for o in e if 6000 in (o["localPort"], o.get("remotePort"))} == {pid}
# Killed between a write and the note that it was made, it counts as dropped what has arrived: one batch, which is 256 events at most.
twice = len(e) + dropped + ping["eventsMerged"] + ping["eventsWaiting"] - ping["eventsProduced"]
assert 0 <= twice <= 256, (ping, len(e))
' one two three
}

@test "HV-9 stopped and started: nothing is dropped" {
	start
	follow one
	churn
	until_ok 10 sees 500 one
	stop_netprobe
	wait "$client" || :
	client=
	forks 300 6001 >"$BATS_TEST_TMPDIR/pids"
	start
	listen two
	end_churn
	finish two
	tell '
n, pid = map(int, open("churned").read().splitlines()[-1].split())
pids = sorted(map(int, open("pids")))
assert pids == sorted(o["pid"] for o in some(eventKind=1, remotePort=6001)), len(pids)
assert ping["eventsDroppedKernel"] == ping["eventsDroppedQueue"] == 0, ping
assert ping["eventsProduced"] == len(e) + ping["eventsMerged"] + ping["eventsWaiting"], (ping, len(e))
connects = some(eventKind=1, remotePort=6000)
assert len(connects) == n + 1, (len(connects), n)
' one two
}

@test "HV-9 what programs with other constants left is replaced, each event is told once" {
	start
	stop_netprobe
	[ -n "$(ls "$PINS"/map_events "$PINS"/link_on_state_*)" ]
	start --without tp_btf/net_dev_queue
	run grep 'taken up' "$BATS_TEST_TMPDIR/log"
	[ "$status" -ne 0 ]
	[ -z "$(ls "$PINS" | grep on_queue)" ]
	[ "$(ls "$PINS" | grep -c on_state)" -eq 1 ]
	listen one
	forks 20 6001 >"$BATS_TEST_TMPDIR/pids"
	finish one
	tell 'assert len(some(eventKind=1, remotePort=6001)) == 20, e' one
}

@test "HV-9 a link of another build is replaced; its maps are taken up" {
	start
	stop_netprobe
	mv "$PINS"/link_on_state_* "$PINS/link_on_state_0123456789abcdef"
	start
	grep -q 'taken up' "$BATS_TEST_TMPDIR/log"
	run ls "$PINS/link_on_state_0123456789abcdef"
	[ "$status" -ne 0 ]
	listen one
	forks 20 6001 >"$BATS_TEST_TMPDIR/pids"
	finish one
	tell 'assert len(some(eventKind=1, remotePort=6001)) == 20, e' one
}

@test "HV-9 switched off by the config, nothing stays attached" {
	start
	"$CLIENT" "$SOCKET" apply '{"enabled":false}' ping
	run ls "$PINS"
	echo "$output"
	[[ "$output" != *link_* ]]
	"$CLIENT" "$SOCKET" apply "$CONFIG" ping
	[ -n "$(ls "$PINS" | grep link_on_state)" ]
}

@test "HV-9 without a BPF file system: served all the same, and the log says that a restart begins anew" {
	start_netprobe "$ALL" --pin-dir "$BATS_TEST_TMPDIR/s"
	grep -q 'a restart begins anew.*not in a BPF file system' "$BATS_TEST_TMPDIR/log"
}

WATCHING='{"enabled":true,"flowAttributionIpcBatch":true,"captureInterfaces":["near"]}'

# talk: a connection to the far end that asks for something by HTTP, and goes on: a hundred packets when a file NAME appears, for each of
# the names; each time it says so. Another one, that is closed when "first" appears. tcpdump counts the packets of both.
talk() {
	ip netns exec "$FAR" python3 -c '
import socket, threading
l = socket.create_server(("10.9.0.2", 8080))
def serve(s):
    s.recv(1000)
    s.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    while s.recv(1000): s.send(b"y" * 50)
    s.close()
while True: threading.Thread(target=serve, args=[l.accept()[0]], daemon=True).start()' 3>&- &
	server=$!
	until_ok 10 far sh -c 'ss -Hltn | grep -q :8080'
	ip netns exec "$NS" tcpdump -Z root --immediate-mode -U -s 96 -i near -w "$BATS_TEST_TMPDIR/pcap" tcp port 8080 2>"$BATS_TEST_TMPDIR/tcpdump" 3>&- &
	dump=$!
	until_ok 10 grep -q 'listening on' "$BATS_TEST_TMPDIR/tcpdump"
	ip netns exec "$NS" python3 -c '
import os, socket, sys, time
def ask():
    s = socket.create_connection(("10.9.0.2", 8080))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.send(b"GET / HTTP/1.1\r\nHost: far.test\r\n\r\n")
    s.recv(1000)
    return s
long, short = ask(), ask()
print(long.getsockname()[1], short.getsockname()[1], flush=True)
for name in sys.argv[2:]:
    while not os.path.exists(sys.argv[1] + "/" + name): time.sleep(0.01)
    if short: short.close()
    short = None
    for _ in range(100):
        long.send(b"x" * 50)
        long.recv(1000)
    print(name, flush=True)
long.close()' "$BATS_TEST_TMPDIR" "$@" >"$BATS_TEST_TMPDIR/talked" 3>&- &
	load=$!
	until_ok 10 grep -q ' ' "$BATS_TEST_TMPDIR/talked"
	read -r long short <"$BATS_TEST_TMPDIR/talked"
}
more() {
	touch "$BATS_TEST_TMPDIR/$1"
	until_ok 20 grep -q "^$1" "$BATS_TEST_TMPDIR/talked"
}
# end_talk [NAME]: what tcpdump has of the two connections in $long_packets and $short_packets. The client NAME has the end of the longer one,
# and ends.
end_talk() {
	wait "$load"
	load=
	sleep 0.5
	kill -INT "$dump"
	wait "$dump" || :
	dump=
	long_packets=$(tcpdump -nr "$BATS_TEST_TMPDIR/pcap" "tcp port $long" 2>/dev/null | wc -l)
	short_packets=$(tcpdump -nr "$BATS_TEST_TMPDIR/pcap" "tcp port $short" 2>/dev/null | wc -l)
	[ $# -gt 0 ] || return 0
	until_ok 20 grep -q "\"sourcePort\":$long.*\"fin\"" "$BATS_TEST_TMPDIR/$1"
	kill "$client"
	wait "$client" || :
	client=
}
# watch NAME CONFIG STEP...: a client in the background
watch() {
	local name=$1
	shift
	PATIENCE=3 "$CLIENT" "$SOCKET" apply "$@" >"$BATS_TEST_TMPDIR/$name" 2>/dev/null 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/$name"
}
# recorded PORT NAME...: the sum of what flow records in the files say, and their ends: "PACKETS PROTOCOL END…"
recorded() {
	(cd "$BATS_TEST_TMPDIR" && python3 -c '
import json, sys
r = []
for name in sys.argv[2:]:
    for line in open(name):
        if line.endswith("}\n") and "flow_record" in line:
            o = json.loads(line)
            if o.get("type") == "flow_record" and int(sys.argv[1]) in (o["sourcePort"], o["destinationPort"]): r.append(o)
print(sum(int(o["packetsForward"]) + int(o["packetsReverse"]) for o in r), *{o["protocol"] for o in r}, *[o["endReason"] for o in r])' "$@")
}

@test "HV-9 flows of before keep their counters and protocol; what nobody saw is in their records" {
	OUTER=(ip netns exec "$NS")
	start --tap tracepoint
	watch one "$WATCHING" events 1000000
	talk before between after
	more before
	until_ok 10 grep -q '"type":"dpi_event".*"http"\|"http".*"type":"dpi_event"' "$BATS_TEST_TMPDIR/one"
	kill -KILL "$PID"
	wait "$PID" || :
	wait "$client" || :
	client=
	more between
	[ -n "$(ls "$PINS"/tap_link_sent_* "$PINS"/tap_link_received_*)" ]
	start --tap tracepoint
	watch two "$WATCHING" events 1000000
	grep -q 'flows taken up.*interfaces=1' "$BATS_TEST_TMPDIR/log"
	more after
	end_talk two
	recorded "$long" one two
	[ "$(recorded "$long" one two)" = "$long_packets http fin" ]
}

# The part of systemd is played by fd_store.py; with systemd itself: tests/package/life.bats.
@test "HV-9 the socket tap: what counts stays open in the descriptor store, and is taken up; an interface off the list is taken out of it" {
	local store=$BATS_TEST_TMPDIR/store
	OUTER=(python3 "$TOP/tests/live/fd_store.py" "$store" ip netns exec "$NS")
	start --tap socket
	watch one "$WATCHING" events 1000000
	talk before between after
	more before
	until_ok 10 grep -q '"http"' "$BATS_TEST_TMPDIR/one"
	[[ "$(<"$store")" == netprobe-tap-* ]]
	kill -KILL "$(pgrep -P "$PID")"
	wait "$client" || :
	more between
	rm "$SOCKET"
	touch "$store.go"
	until_ok 10 test -S "$SOCKET"
	watch two "$WATCHING" events 1000000
	[ "$(wc -l <"$store")" -eq 1 ]
	more after
	end_talk two
	recorded "$long" one two
	[ "$(recorded "$long" one two)" = "$long_packets http fin" ]
	watch three "$CONFIG" settle
	wait "$client"
	client=
	[ ! -s "$store" ]
	touch "$store.end"
	kill "$(pgrep -P "$PID")"
	wait "$PID"
	PID=
}

@test "HV-9 an interface that is not to be watched any more when the next daemon comes: its flows are told, nothing stays pinned" {
	OUTER=(ip netns exec "$NS")
	start --tap tracepoint
	watch one "$WATCHING" events 1000000
	talk between
	until_ok 10 grep -q '"http"' "$BATS_TEST_TMPDIR/one"
	kill -KILL "$PID"
	wait "$PID" || :
	wait "$client" || :
	more between
	end_talk
	start --tap tracepoint
	watch two "$CONFIG" settle ping
	wait "$client"
	client=
	[ "$(recorded "$long" one two)" = "$long_packets http interface_removed" ]
	[ "$(recorded "$short" one two)" = "$short_packets http interface_removed" ]
	ls "$PINS"
	[ -z "$(ls "$PINS" | grep ^tap_)" ]
}

@test "HV-9 a flow table of another size: flows of before are told, a new one is begun" {
	OUTER=(ip netns exec "$NS")
	start --tap tracepoint
	watch one "$WATCHING" events 1000000
	talk between after
	until_ok 10 grep -q '"http"' "$BATS_TEST_TMPDIR/one"
	stop_netprobe
	wait "$client" || :
	more between
	start --tap tracepoint
	watch two "${WATCHING/\}/,\"flowTableMaxEntries\":4096\}}" events 1000000
	more after
	end_talk two
	recorded "$long" one two
	[[ "$(recorded "$long" one two)" == "$long_packets "*" interface_removed fin" ]]
	[ -e "$PINS/tap_map_flows_fresh" ] && [ -z "$(ls "$PINS" | grep flows_fresh_)" ]
}

@test "HV-14 a protocol that is off stays unsaid over a restart" {
	local https='"captureInterfaces":["near"],"deviceBindings":[{"ip":"10.9.0.1","fingerprint":{"tls":true},"dpi":{"enabled":true,"protocols":["http"]}}]'
	OUTER=(ip netns exec "$NS")
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=far.test -keyout "$BATS_TEST_TMPDIR/key" -out "$BATS_TEST_TMPDIR/cert" 2>/dev/null
	ip netns exec "$FAR" openssl s_server -quiet -accept 10.9.0.2:8443 -key "$BATS_TEST_TMPDIR/key" -cert "$BATS_TEST_TMPDIR/cert" >/dev/null 2>&1 3>&- &
	server=$!
	until_ok 10 far sh -c 'ss -Hltn | grep -q :8443'
	start --tap tracepoint
	watch one "{\"enabled\":true,$https}" events 1000000
	mkfifo "$BATS_TEST_TMPDIR/hold"
	ip netns exec "$NS" openssl s_client -quiet -connect 10.9.0.2:8443 <"$BATS_TEST_TMPDIR/hold" >/dev/null 2>&1 3>&- &
	load=$!
	exec 8>"$BATS_TEST_TMPDIR/hold"
	until_ok 10 grep -q '"ja4":"t' "$BATS_TEST_TMPDIR/one" # it was found
	kill -KILL "$PID"
	wait "$PID" || :
	wait "$client" || :
	start --tap tracepoint
	watch two "$CONFIG" settle
	wait "$client"
	client=
	exec 8>&-
	grep '"type":"flow_record"' "$BATS_TEST_TMPDIR/two" | grep '"destinationPort":8443' | grep interface_removed >"$BATS_TEST_TMPDIR/record"
	cat "$BATS_TEST_TMPDIR/record"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/record")" -eq 1 ]
	run ! grep -q '"protocol":"[^"]' "$BATS_TEST_TMPDIR/record"
	run ! grep -q '"dpi_event"' "$BATS_TEST_TMPDIR/one"
}
