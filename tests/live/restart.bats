#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon ends and another one begins: what is pinned goes on meanwhile.

load common
bats_require_minimum_version 1.5.0

setup_file() {
	ip netns add "$NS"
	in_ns ip link set lo up
}

teardown_file() {
	ip netns del "$NS"
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
	[ -z "${load:-}" ] || kill "$load" 2>/dev/null || :
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
