#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Whose sockets: datagrams, processes of every kind, what is older than the daemon, listeners.

load common

setup_file() {
	ip netns add "$NS"
	in_ns ip link set lo up
	in_ns sysctl -qw net.ipv4.ping_group_range="0 2147483647"
}

teardown_file() {
	ip netns del "$NS"
}

teardown() {
	[ -z "${client:-}" ] || kill "$client" 2>/dev/null || :
	[ -z "${inside:-}" ] || kill -KILL "$inside" 2>/dev/null || : # the first process of a namespace ignores all else
	[ -z "${older:-}" ] || kill "$older" 2>/dev/null || :
	stop_netprobe
	cat "$BATS_TEST_TMPDIR/log" 2>/dev/null || :
}

# begin [CONFIG]: a client that reads all events from now on; end: $output is what it saw, and the counters add up.
begin() {
	"$CLIENT" "$SOCKET" apply "${1:-$CONFIG}" wait "$BATS_TEST_TMPDIR/go" drain ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
}

end() {
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	client=
	output=$(<"$BATS_TEST_TMPDIR/out")
	adds_up
}

# scenario NAME [ARGUMENT...]: runs it, and keeps what it tells in $told.
scenario() { told=$(in_ns python3 "$BATS_TEST_DIRNAME/sockets.py" "$@"); }

# events 'PYTHON': runs it with e (all events), told (what the scenario told), and helpers: one(...) is the only event with these
# fields, some(...) those with them.
events() {
	printf '%s\n' "$output" | TOLD=$told python3 -c '
import json, os, sys
lines = [json.loads(l) for l in sys.stdin if l.startswith("{")]
e = [o for o in lines if "eventKind" in o]
told = json.loads(os.environ["TOLD"].splitlines()[-1]) if os.environ["TOLD"] else None
some = lambda **f: [o for o in e if all(o.get(k, 0) == v for k, v in f.items())]
def one(**f):
    got = some(**f)
    assert len(got) == 1, (f, got)
    return got[0]
exec(sys.argv[1])' "$1"
}

@test "HV-6 UDP and UDP-Lite, connected and not, IPv4, IPv6, IPv4-mapped: one event for each peer and direction" {
	start_netprobe "$ALL"
	begin
	scenario datagrams
	end
	events '
ends = {"unconnected": ("127.0.0.1", 5301, "udp"), "connected": ("127.0.0.1", 5301, "udp"), "v6": ("::1", 5302, "udp"),
        "mapped": ("127.0.0.1", 5301, "udp"), "lite": ("127.0.0.1", 5303, "136")}
assert set(ends) - set(told["ports"]) <= {"lite"}, told
for name, (ip, port, protocol) in ends.items():
    if name not in told["ports"]:
        continue
    own = told["ports"][name]
    for kind in (4, 5):
        o = one(eventKind=kind, localPort=own, remotePort=port)
        assert (o["pid"], o["localIp"], o["remoteIp"], o["transportProtocol"]) == (told["pid"], ip, ip, protocol), (name, o)
        assert (o["uid"], o["gid"]) == (0, 0) and o["comm"].startswith("python"), (name, o)
        o = one(eventKind=kind, localPort=port, remotePort=own)
        assert (o["pid"], o["localIp"], o["remoteIp"]) == (told["pid"], ip, ip), (name, o)'
}

@test "HV-6 UDP of another user; a socket with hundreds of peers is reported at a bounded rate, the rest counted" {
	start_netprobe "$ALL"
	begin
	scenario many_peers
	in_ns python3 -c '
import os, socket
os.setgid(34)
os.setuid(12)
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 5399))'
	end
	events '
o = one(eventKind=4, remotePort=5399)
assert (o["uid"], o["gid"]) == (12, 34), o
received = some(eventKind=5, localPort=5304)
assert len(some(eventKind=4, remotePort=5304)) == 500
ack = [o["pingAck"] for o in lines if "pingAck" in o][-1]
assert 64 <= len(received) < 500 and len({o["remotePort"] for o in received}) == len(received)
assert len(received) + int(ack["udpPeersSuppressed"]) >= told["ports"], (len(received), ack["udpPeersSuppressed"], told)'
}

@test "HV-6 ICMP echo, IPv4 and IPv6" {
	start_netprobe "$ALL"
	begin
	in_ns setpriv --reuid=12 --regid=34 --clear-groups ping -c 2 -i 0.2 127.0.0.1 >/dev/null
	in_ns ping -c 1 ::1 >/dev/null
	end
	told=
	events '
o = one(eventKind=7, transportProtocol="icmp", remoteIp="127.0.0.1", comm="ping")
assert (o["uid"], o["gid"]) == (12, 34), o
one(eventKind=7, transportProtocol="icmpv6", remoteIp="::1", comm="ping")'
}

@test "HV-6 HV-17 command line: argv[0] and how many more there are, of a process that is gone at once" {
	start_netprobe "$ALL"
	begin
	in_ns curl -s --max-time 5 http://127.0.0.1:5599/secret?token=hunter2 || :
	end
	told=
	events '
o = one(eventKind=1, remotePort=5599)
assert o["redactedCmdline"] == ["curl [redacted 4 arg(s)]"] and o["executable"].endswith("/curl"), o
assert o["processStartedAtUnixNano"] and int(o["observedAtUnixNano"]) - int(o["processStartedAtUnixNano"]) < 5e9, o'
	[[ "$output" != *hunter2* && "$output" != *secret* ]]
}

@test "HV-6 no file is opened while events come, of /proc or anything else" {
	start_netprobe "$ALL"
	begin
	strace -f -qq -p "$PID" -e trace=open,openat,openat2,sendto -o "$BATS_TEST_TMPDIR/trace" 3>&- &
	tracer=$!
	until_ok 10 grep -q '^TracerPid:.*[1-9]' "/proc/$PID/status"
	scenario brief
	until_ok 5 grep -q sendto "$BATS_TEST_TMPDIR/trace"
	kill "$tracer"
	wait "$tracer" || :
	end
	events 'assert len({o["pid"] for o in some(eventKind=1, remotePort=5409)}) == 2000'
	grep -c sendto "$BATS_TEST_TMPDIR/trace"
	! grep open "$BATS_TEST_TMPDIR/trace"
}

@test "HV-6 container id from the cgroup, nested ones too; the cgroup is gone when the event is read" {
	local root id=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef inner
	inner=${id//0123/fedc}
	root=$(awk '$3 == "cgroup2" && !r { r = $2 } $3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { r = $2 } END { print r }' /proc/mounts)
	[ -w "$root" ] || skip "no cgroup file system that can be written to"
	start_netprobe "$ALL"
	begin
	for at in "docker/$id/kubepods/burstable/pod1c9a2f40-3b7e-4d11-9a55-0c7d1e2f3a4b/$inner:5601" "docker/$id:5602" system.slice/sr-live.service:5603; do
		mkdir -p "$root/${at%:*}"
		# shellcheck disable=SC2016 # expanded by the inner shell
		sh -c 'echo $$ >"$1/cgroup.procs" && exec ip netns exec "$2" python3 "$3" once in-a-cgroup "$4"' sh "$root/${at%:*}" \
			"$NS" "$BATS_TEST_DIRNAME/sockets.py" "${at##*:}" >/dev/null
		until_ok 10 rmdir "$root/${at%:*}"
		(cd "$root" && rmdir -p "$(dirname "${at%:*}")") || : # others may be in it
	done
	end
	told=
	INNER=$inner ID=$id events '
o = one(eventKind=1, remotePort=5601)
assert o["containerId"] == os.environ["INNER"], o
w = o["workloadIdentity"]
assert w["podUid"] == "1c9a2f40-3b7e-4d11-9a55-0c7d1e2f3a4b" and w["cgroupPath"].endswith(os.environ["INNER"]), w
o = one(eventKind=1, remotePort=5602)
assert o["containerId"] == os.environ["ID"] and o["workloadIdentity"]["runtimeSource"] == "docker", o
o = one(eventKind=1, remotePort=5603)
assert o.get("containerId", "") == "" and o["systemdUnit"] == "sr-live.service", o'
}

@test "HV-22 three forked workers: each connection belongs to the one that took it" {
	start_netprobe "$ALL"
	begin
	scenario workers
	end
	events '
assert len(set(told["served"].values())) > 1
for port, pid in told["served"].items():
    accepts = some(eventKind=2, localPort=5401, remotePort=int(port))
    assert accepts and accepts[-1]["pid"] == pid, (port, pid, accepts)
    assert one(eventKind=3, localPort=5401, remotePort=int(port))["pid"] == pid
early = sum(len(some(eventKind=2, localPort=5401, remotePort=int(port))) for port in told["served"])
print("# %d connections, %d accept events" % (len(told["served"]), early))'
}

@test "HV-22 a worker that takes a connection and closes it without a word" {
	start_netprobe "$ALL"
	begin
	scenario silent_worker
	end
	events '
assert some(eventKind=2, localPort=5402)[-1]["pid"] == told["worker"]
assert one(eventKind=3, localPort=5402)["pid"] == told["worker"]'
}

@test "HV-22 a connection that nobody uses belongs to the worker that took the one before, as long as that worker is there" {
	start_netprobe "$ALL"
	begin
	scenario idle_worker
	end
	local hooked=False # told at accept(), the kernel needs no presumption: what nobody accepted is nobody's
	! grep -q 'hook=fexit/inet_csk_accept state=active' "$BATS_TEST_TMPDIR/log" || hooked=True
	events "hooked = $hooked"'
owner = {name: [o["pid"] for o in some(eventKind=2, localPort=5407, remotePort=port)] for name, port in told["ports"].items()}
assert owner["used"][-1] == told["worker"], owner
assert owner["late"] == ([] if hooked else [told["worker"]]), owner    # in the backlog, when the worker was killed
assert owner["orphan"] == ([] if hooked else [told["parent"]]), owner
# what a killed process leaves open is closed when it has no memory any more: what it was is known from before
closed = one(eventKind=3, localPort=5407, remotePort=told["ports"]["idle"])
assert closed["pid"] == told["worker"] and "python3" in closed["redactedCmdline"][0], closed'
}

@test "HV-22 two processes listen at one port, one ends and another one comes: each connection is its listener's" {
	start_netprobe "$ALL"
	begin
	scenario neighbours
	end
	local hooked=False # what nobody accepted is nobody's
	! grep -q 'hook=fexit/inet_csk_accept state=active' "$BATS_TEST_TMPDIR/log" || hooked=True
	events "hooked = $hooked"'
for name, port in told["ports"].items():
    owner = [o["pid"] for o in some(eventKind=2, localPort=5418, remotePort=port)]
    assert owner == ([] if hooked else [told["pids"][name]]), (name, owner, told)'
}

@test "HV-22 more connections at once than their sockets have slots: each is told with its owners, from its beginning to its end" {
	start_netprobe "$ALL"
	begin
	scenario crowd
	end
	events '
import collections
seen = collections.Counter((o["eventKind"], o["localPort"], o["remotePort"], o["pid"]) for o in e if 5419 in (o["localPort"], o["remotePort"]))
wanted = collections.Counter()
for port in told["ports"]:
    wanted.update([(1, port, 5419, told["client"]), (2, 5419, port, told["server"]), (3, port, 5419, told["client"]), (3, 5419, port, told["server"])])
assert seen == wanted, ((wanted - seen).most_common(5), (seen - wanted).most_common(5))'
}

@test "HV-22 privileges dropped after listen: the user that serves the connection" {
	start_netprobe "$ALL"
	begin
	scenario drops_privileges
	end
	events '
accepts = some(eventKind=2, localPort=5408)
assert [(o["pid"], o["uid"], o["gid"]) for o in accepts] == 2 * [(told["pid"], 12345, 12345)], accepts
assert [o["uid"] for o in some(eventKind=3, localPort=5408)] == [12345, 12345]'
}

@test "HV-22 a socket passed to another process: first the one, then the other" {
	start_netprobe "$ALL"
	begin
	scenario handed_over
	end
	events '
accepts = some(eventKind=2, localPort=5403)
assert [o["pid"] for o in accepts] == [told["accepted"], told["got"]], accepts
assert len({o["socketAddress"] for o in accepts}) == 1
assert one(eventKind=3, localPort=5403)["pid"] == told["got"]'
}

@test "HV-22 privileges dropped after connect: the user that connected" {
	start_netprobe "$ALL"
	begin
	scenario setuid
	end
	events '
for kind in (1, 3):
    o = one(eventKind=kind, remotePort=5404)
    assert (o["pid"], o["uid"], o["gid"]) == (told["pid"], 0, 0), o'
}

@test "HV-22 a thread that connects, under a name of its own: the process" {
	start_netprobe "$ALL"
	begin
	scenario thread
	end
	events '
o = one(eventKind=1, remotePort=5405)
assert (o["pid"], o["tgid"], o["comm"]) == (told["pid"], told["pid"], told["comm"]), o'
}

@test "HV-22 fork without exec: the child, with its parent's program and arguments" {
	start_netprobe "$ALL"
	begin
	scenario fork
	end
	events '
o = one(eventKind=1, remotePort=5406)
assert o["pid"] == told["pid"] and "python3 [redacted 2 arg(s)]" in o["redactedCmdline"][0] and "python" in o["executable"], o'
}

@test "HV-22 a process number that is used again at once" {
	# The daemon and the processes in a pid namespace of their own, whose next number can be set.
	OUTER=(unshare --pid --fork --mount-proc --kill-child)
	start_netprobe "$ALL"
	begin
	inside=$(pgrep -P "$PID")
	in_pid_ns() { nsenter -t "$inside" -p -m ip netns exec "$NS" "$@"; }
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_pid_ns sh -c 'for name in first second; do
		echo 999 >/proc/sys/kernel/ns_last_pid && python3 "$1" once "$name" 5701; done' sh "$BATS_TEST_DIRNAME/sockets.py" >"$BATS_TEST_TMPDIR/pids"
	[ "$(sort -u "$BATS_TEST_TMPDIR/pids" | wc -l)" -eq 1 ] || skip "this kernel does not let a process number be chosen"
	end
	told=$(head -n 1 "$BATS_TEST_TMPDIR/pids")
	events '
both = some(eventKind=1, remotePort=5701)
assert [o["comm"] for o in both] == ["first", "second"] and {o["pid"] for o in both} == {told["pid"]} == {1000}, both
assert both[0]["processStartedAtUnixNano"] != both[1]["processStartedAtUnixNano"]'
}

@test "HV-7 sockets that are older than the daemon: snapshot, announced, attributed when they are used and closed" {
	mkfifo "$BATS_TEST_TMPDIR/tell"
	ip netns exec "$NS" python3 "$BATS_TEST_DIRNAME/sockets.py" older <"$BATS_TEST_TMPDIR/tell" >"$BATS_TEST_TMPDIR/older" 3>&- &
	older=$!
	exec 4>"$BATS_TEST_TMPDIR/tell"
	until_ok 10 grep -q child "$BATS_TEST_TMPDIR/older"
	start_netprobe "$ALL"
	"$CLIENT" "$SOCKET" apply "$CONFIG" drain wait "$BATS_TEST_TMPDIR/go" drain ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 20 grep -q '"source":"iterator"' "$BATS_TEST_TMPDIR/out"
	echo >&4
	exec 4>&-
	wait "$older"
	older=
	end
	told=$(head -n 1 "$BATS_TEST_TMPDIR/older")
	events '
for port in (5501, told["port"]):
    o = one(source="iterator", localPort=port)
    assert (o["pid"], o["eventKind"], o["newState"], o["socketHolders"]) == (told["pid"], 6, 1, 2), o
    assert "[redacted 2 arg(s)]" in o["redactedCmdline"][0], o
    assert one(eventKind=3, localPort=port, remotePort=5501 if port != 5501 else told["port"])["pid"] == told["pid"]
late = [o for o in some(eventKind=2, localPort=5501)]
assert late and late[-1]["pid"] == told["pid"], late
entries = [x for o in lines if "processSnapshot" in o for x in o["processSnapshot"].get("entries", [])]
for port, protocol in ((5501, "tcp"), (5502, "udp")):
    x = [x for x in entries if x["localPort"] == port and x["transportProtocol"] == protocol][0]
    assert (x["pid"], x["socketHolders"], x["uid"], x["localIp"]) == (told["pid"], 2, 0, "127.0.0.1"), x
    assert "[redacted 2 arg(s)]" in x["redactedCmdline"][0] and x["comm"].startswith("python"), x'
}

@test "HV-8 a listener that comes and goes makes another snapshot; the same listeners are not sent again" {
	start_netprobe "$ALL"
	begin '{"enabled":true,"flowAttributionIpcBatch":true,"processSnapshotIntervalS":1}'
	in_ns curl -s http://127.0.0.1:5899/ || : # so that there is an event
	end
	told=
	before=$output
	rm "$BATS_TEST_TMPDIR/go"
	"$CLIENT" "$SOCKET" wait "$BATS_TEST_TMPDIR/go" drain ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	ip netns exec "$NS" python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", 5801)); time.sleep(60)' 3>&- &
	older=$!
	until_ok 10 in_ns sh -c '[ -n "$(ss -Hltn sport = 5801)" ]'
	sleep 21 # two passes, which are at least ten seconds apart
	end
	output="$before
$output"
	events '
shots = [o["processSnapshot"] for o in lines if "processSnapshot" in o]
acks = [o["pingAck"] for o in lines if "pingAck" in o]
passes, sent = (int(acks[-1][k]) for k in ("snapshotPasses", "snapshotsSent"))
assert passes >= 3 and sent == len(shots), (passes, sent, len(shots))
assert any(x["localPort"] == 5801 for x in shots[-1].get("entries", [])) and not any(x["localPort"] == 5801 for x in shots[0].get("entries", []))
for a, b in zip(shots[1:], shots[2:]): # shots[0] is the first client s
    assert a["fingerprint"] != b["fingerprint"] and a.get("entries") != b.get("entries")
times = [int(s["observedAtUnixNano"]) for s in shots[1:]]
assert all(b - a > 9.9e9 for a, b in zip(times, times[1:])), times'
}
