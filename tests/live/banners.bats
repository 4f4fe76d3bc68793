#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# BannerBatch over the daemon's socket, with banners of servers that run here.

load common

setup() {
	ip netns add "$NS"
	in_ns ip link set lo up
}

teardown() {
	stop_netprobe
	[ -z "${SERVER:-}" ] || kill -KILL "$SERVER" 2>/dev/null || :
	[ -z "${SSHD:-}" ] || kill -KILL "$SSHD" 2>/dev/null || :
	ip netns del "$NS"
	cat "$BATS_TEST_TMPDIR/log" 2>/dev/null || :
}

@test "banners of sshd and of a Python server are named, another is unknown" {
	ssh-keygen -q -t ed25519 -N '' -f "$BATS_TEST_TMPDIR/host"
	mkdir -p /run/sshd
	ip netns exec "$NS" /usr/sbin/sshd -D -e -p 22 -h "$BATS_TEST_TMPDIR/host" -f /dev/null >/dev/null 2>&1 3>&- &
	SSHD=$!
	ip netns exec "$NS" python3 -m http.server 8080 --bind 127.0.0.1 >/dev/null 2>&1 3>&- &
	SERVER=$!
	until_ok 10 in_ns sh -c '[ "$(ss -Hltn | wc -l)" -ge 2 ]'
	ssh=$(in_ns python3 -c 'import socket; print(socket.create_connection(("127.0.0.1", 22)).recv(255).decode().strip())')
	http=$(in_ns curl -sI http://127.0.0.1:8080/ | sed 's/\r$/\\r\\n/' | tr -d '\n')
	version=$(sed -n 's/^SSH-2.0-OpenSSH_\([^ ]*\).*/\1/p' <<<"$ssh")
	[ -n "$version" ]
	start_netprobe ""
	printf '%s\t%s\n' ssh "$ssh" http "$http" ftp '220 ready' >"$BATS_TEST_TMPDIR/batch"
	run "$TOP/tests/live/banner_client.py" "$SOCKET" <"$BATS_TEST_TMPDIR/batch"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
	[[ ${lines[0]} == "1|serviceradar:ssh|OpenSSH|$version|"*"|0.90|ssh-openssh" ]]
	[[ ${lines[1]} == "2|serviceradar:http|Python http.server|"*"|unknown|0.90|http-python-simple" ]]
	[ "${lines[2]}" = '3|unknown|unknown||unknown|0.00|' ]
}
