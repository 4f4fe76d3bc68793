#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The daemon's own side: what it holds when it serves, whom it attributes, and what its socket takes.

load common

setup_file() {
	ip netns add "$NS"
	in_ns ip link set lo up
	ip netns exec "$NS" python3 -m http.server 8080 --bind 127.0.0.1 >/dev/null 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/servers"
	ip netns exec "$NS" python3 -m http.server 8081 --bind ::1 >/dev/null 2>&1 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/servers"
	until_ok 10 in_ns sh -c '[ "$(ss -Hltn | wc -l)" -ge 2 ]'
}

teardown_file() {
	xargs -r kill -KILL <"$BATS_FILE_TMPDIR/servers" || :
	ip netns del "$NS"
}

teardown() {
	stop_netprobe
	cat "$BATS_TEST_TMPDIR/log" 2>/dev/null || :
}

@test "HV-2 when it serves: not root, nothing effective, no_new_privs by itself, seccomp filter" {
	start_netprobe "$ALL"
	[ "$(proc_field Uid | cut -f2)" != 0 ]
	[ $((0x$(proc_field CapEff))) -eq 0 ]
	[ $((0x$(proc_field CapPrm) & ~((1 << 13) | (1 << 38) | (1 << 39)))) -eq 0 ]
	[ $((0x$(proc_field CapPrm))) -ne 0 ]
	[ $((0x$(proc_field CapAmb))) -eq 0 ]
	[ "$(proc_field NoNewPrivs)" = 1 ]
	[ "$(proc_field Seccomp)" = 2 ]
	[ "$(stat -c '%U %a' "$SOCKET")" = "nobody 600" ]
}

@test "HV-6 connect, accept and close of TCP over IPv4 and IPv6: pid, comm, uid, gid, tuple" {
	local server4 server6 curl4 curl6
	start_netprobe "$ALL"
	{ read -r server4; read -r server6; } <"$BATS_FILE_TMPDIR/servers"
	"$CLIENT" "$SOCKET" apply "$CONFIG" wait "$BATS_TEST_TMPDIR/go" drain ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
	ip netns exec "$NS" setpriv --reuid=1 --regid=2 --clear-groups curl -s -o /dev/null http://127.0.0.1:8080/ 3>&- &
	curl4=$!
	wait "$curl4"
	ip netns exec "$NS" curl -s -o /dev/null 'http://[::1]:8081/' 3>&- &
	curl6=$!
	wait "$curl6"
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	output=$(<"$BATS_TEST_TMPDIR/out")
	# ip netns exec and setpriv exec the program: the pid of the job is curl's.
	has "o.get('pid') == $curl4 and o['eventKind'] == 1 and o['comm'] == 'curl' and o['uid'] == 1 and o['gid'] == 2 and o['remoteIp'] == '127.0.0.1' and o['remotePort'] == 8080 and o['localIp'] == '127.0.0.1' and o['localPort'] > 0 and o['transportProtocol'] == 'tcp'"
	has "o.get('pid') == $curl4 and o['eventKind'] == 3"
	has "o.get('pid') == $server4 and o['eventKind'] == 2 and o['comm'].startswith('python') and o['localPort'] == 8080"
	has "o.get('pid') == $curl6 and o['eventKind'] == 1 and o['remoteIp'] == '::1' and o['remotePort'] == 8081 and o['uid'] == 0"
	has "o.get('pid') == $server6 and o['eventKind'] == 2 and o['localIp'] == '::1' and o['localPort'] == 8081"
	adds_up
}

@test "HV-6 accept of a listener that is younger than the daemon, by a worker that it forked" {
	local worker
	start_netprobe "$ALL"
	"$CLIENT" "$SOCKET" apply "$CONFIG" wait "$BATS_TEST_TMPDIR/go" drain ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
	in_ns python3 -c '
import os, socket
l = socket.create_server(("127.0.0.1", 8082))
pid = os.fork()
if pid == 0:
    s, _ = l.accept()
    s.recv(10)
    os._exit(0)
print(pid)
c = socket.create_connection(("127.0.0.1", 8082))
c.send(b"x")
os.waitpid(pid, 0)' >"$BATS_TEST_TMPDIR/worker"
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	output=$(<"$BATS_TEST_TMPDIR/out")
	worker=$(<"$BATS_TEST_TMPDIR/worker")
	has "o.get('eventKind') == 2 and o['localPort'] == 8082"
	has "o.get('eventKind') == 3 and o['localPort'] == 8082 and o['pid'] == $worker"
	adds_up
}

@test "HV-6 processes that live a millisecond: 200 of 200 attributed" {
	start_netprobe "$ALL"
	"$CLIENT" "$SOCKET" apply "$CONFIG" wait "$BATS_TEST_TMPDIR/go" drain ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
	# A fork that connects and ends at once, without an exec: as short as a process can be.
	in_ns python3 -c '
import os, socket
for _ in range(200):
    pid = os.fork()
    if pid == 0:
        s = socket.socket()
        s.connect(("127.0.0.1", 8080))
        os._exit(0)
    print(pid)
    os.waitpid(pid, 0)' >"$BATS_TEST_TMPDIR/pids"
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	python3 - "$BATS_TEST_TMPDIR/pids" "$BATS_TEST_TMPDIR/out" <<-'P'
		import json, sys
		pids = sorted(int(l) for l in open(sys.argv[1]))
		seen = sorted(o["pid"] for o in map(json.loads, open(sys.argv[2])) if o.get("eventKind") == 1 and o["remotePort"] == 8080)
		assert pids == seen, (len(pids), len(seen))
	P
}

@test "HV-10 without capabilities: served all the same, with the reason" {
	start_netprobe ""
	run "$CLIENT" "$SOCKET" ping apply "$CONFIG" ping
	[ "$status" -eq 0 ]
	has '"pingAck" in o and not o["pingAck"]["continuousCaptureAvailable"] and "cap_bpf" in o["pingAck"]["unavailableReason"] and o["pingAck"]["kernelRelease"] == "'"$(uname -r)"'"'
	run "$NETPROBE" --check --json
	[ "$status" -ne 0 ] || has '"checks" in o or "kernel" in o'
}

# unavailable_because TEXT: IPC is served, and says that capture is unavailable because of TEXT.
unavailable_because() {
	run "$CLIENT" "$SOCKET" ping apply "$CONFIG" ping
	[ "$status" -eq 0 ]
	echo "$output"
	has "'pingAck' in o and not o['pingAck']['continuousCaptureAvailable'] and '$1' in o['pingAck']['unavailableReason']"
}

@test "HV-10 one capability is missing: named" {
	start_netprobe +net_raw,+bpf
	unavailable_because cap_perfmon
}

@test "HV-10 a kernel before 5.12" {
	# The kernel's own way to look older (personality(2), UNAME26).
	WRAPPER=(setarch --uname-2.6)
	start_netprobe "$ALL"
	unavailable_because 'older than 5.12'
}

@test "HV-10 a kernel without BTF" {
	# shellcheck disable=SC2016 # expanded by the inner shell
	OUTER=(unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh)
	start_netprobe "$ALL"
	unavailable_because /sys/kernel/btf/vmlinux
}

@test "HV-10 a program that the kernel refuses: named" {
	# All three capabilities, but of a user namespace: the sets look right, and bpf(2) says no.
	WRAPPER=(unshare --user --map-current-user --keep-caps)
	start_netprobe "$ALL"
	unavailable_because on_state
}

@test "HV-20 a frame of more than 4 MiB closes the connection at once, the next client is served" {
	start_netprobe "$ALL"
	run "$CLIENT" "$SOCKET" ping oversize eof
	[ "$status" -eq 0 ]
	run "$CLIENT" "$SOCKET" ping
	[ "$status" -eq 0 ]
	[ "$(proc_field RssAnon | cut -d' ' -f1)" -lt 8192 ]
}

@test "HV-20 half a frame and garbage: closed, garbage with malformed_frame; the next client is served" {
	start_netprobe "$ALL"
	run "$CLIENT" "$SOCKET" half eof
	[ "$status" -eq 0 ]
	run "$CLIENT" "$SOCKET" garbage eof
	[ "$status" -eq 0 ]
	has 'o.get("error", {}).get("code") == "malformed_frame"'
	run "$CLIENT" "$SOCKET" ping
	[ "$status" -eq 0 ]
}

@test "HV-20 a payload that is no request: unsupported_frame with its sequence, the connection stays" {
	start_netprobe "$ALL"
	run "$CLIENT" "$SOCKET" reply ping
	[ "$status" -eq 0 ]
	has 'o.get("error", {}).get("code") == "unsupported_frame" and o["sequence"] == "1"'
	has '"pingAck" in o and o["sequence"] == "2"'
}

@test "HV-20 a second client is told once and closed, the first is not disturbed" {
	start_netprobe "$ALL"
	"$CLIENT" "$SOCKET" ping wait "$BATS_TEST_TMPDIR/go" ping >"$BATS_TEST_TMPDIR/first" 3>&- &
	client=$!
	until_ok 10 grep -q pingAck "$BATS_TEST_TMPDIR/first"
	run "$CLIENT" "$SOCKET" eof
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
	has 'o.get("error", {}).get("code") == "client_already_connected" and o["sequence"] == "0"'
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	[ "$(grep -c pingAck "$BATS_TEST_TMPDIR/first")" -eq 2 ]
}

@test "HV-20 a client of another user is refused" {
	start_netprobe "$ALL"
	chmod 777 "$SOCKET"
	cp "$CLIENT" "$BATS_TEST_TMPDIR/s/client"
	chmod 755 "$BATS_TEST_TMPDIR/s/client"
	run setpriv --reuid=1 --regid=1 --clear-groups "$BATS_TEST_TMPDIR/s/client" "$SOCKET" eof
	[ "$status" -eq 0 ]
	[ "$output" = "" ]
	until_ok 5 grep -q 'only root and the service user' "$BATS_TEST_TMPDIR/log"
}

@test "HV-20 a client that stops reading: memory bounded, what is dropped is counted and told" {
	start_netprobe "$ALL"
	"$CLIENT" "$SOCKET" apply "$CONFIG" wait "$BATS_TEST_TMPDIR/go" drain ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
	# Port 1 is closed: a connect event and a close event each.
	in_ns python3 -c '
import socket
for _ in range(60000):
    s = socket.socket()
    try:
        s.connect(("127.0.0.1", 1))
    except OSError:
        pass
    s.close()'
	[ "$(proc_field RssAnon | cut -d' ' -f1)" -lt 32768 ] # 65,536 sockets are remembered for external flows
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	output=$(grep -v '"eventKind"' "$BATS_TEST_TMPDIR/out")
	echo "# $(grep -o '"events[A-Za-z]*":"[0-9]*"' <<<"$output" | tail -n 5 | tr '\n' ' ')" >&3
	has 'o.get("droppedSinceLast", 0) > 0'
	has '"pingAck" in o and int(o["pingAck"]["eventsDroppedQueue"]) > 0'
	adds_up
	python3 - "$BATS_TEST_TMPDIR/out" <<-'P'
		import json, sys
		lines = [json.loads(l) for l in open(sys.argv[1])]
		ack = [o["pingAck"] for o in lines if "pingAck" in o][-1]
		told = sum(o.get("droppedSinceLast", 0) for o in lines)
		lost = int(ack["eventsDroppedQueue"]) + int(ack["eventsDroppedKernel"])
		seen = sum("eventKind" in o for o in lines)
		assert told == lost, (told, lost)
		assert seen == int(ack["eventsDelivered"]), (seen, ack)
	P
	run "$CLIENT" "$SOCKET" ping
	[ "$status" -eq 0 ]
}

@test "a refused config names the field, and the one before stays in force" {
	start_netprobe "$ALL"
	run "$CLIENT" "$SOCKET" apply "$CONFIG" apply '{"enabled":false,"captureInterfaces":["any"]}' ping
	[ "$status" -eq 0 ]
	has 'o.get("error", {}).get("code") == "invalid_config" and "capture_interfaces[0]" in o["error"]["message"] and o["sequence"] == "2"'
	in_ns curl -s -o /dev/null http://127.0.0.1:8080/
	run "$CLIENT" "$SOCKET" apply "$CONFIG" events 1
	[ "$status" -eq 0 ]
	# Switched off: nothing comes, and nothing is unaccounted for. On again: it goes on.
	run "$CLIENT" "$SOCKET" drain apply '{"enabled":false}' ping
	in_ns curl -s -o /dev/null http://127.0.0.1:8080/
	run "$CLIENT" "$SOCKET" drain ping
	[ "${#lines[@]}" -eq 1 ]
	adds_up
	run "$CLIENT" "$SOCKET" apply "$CONFIG"
	in_ns curl -s -o /dev/null http://127.0.0.1:8080/
	run "$CLIENT" "$SOCKET" events 1
	[ "$status" -eq 0 ]
}

@test "a socket that another instance serves is left alone, a stale one is replaced" {
	start_netprobe "$ALL"
	run "$NETPROBE" --socket "$SOCKET"
	[ "$status" -eq 3 ]
	[[ "$output" == *"$SOCKET"*"another instance"* || "$output" == *"no user serviceradar"* ]]
	run "$CLIENT" "$SOCKET" ping
	[ "$status" -eq 0 ]
	kill -KILL "$PID"
	wait "$PID" || :
	[ -S "$SOCKET" ]
	start_netprobe "$ALL"
	run "$CLIENT" "$SOCKET" ping
	[ "$status" -eq 0 ]
}

@test "a clean stop: exit 0, the socket gone, the counters logged" {
	start_netprobe "$ALL"
	kill -TERM "$PID"
	wait "$PID"
	[ ! -e "$SOCKET" ]
	grep -q 'stopped.*produced=' "$BATS_TEST_TMPDIR/log"
	PID=
}
