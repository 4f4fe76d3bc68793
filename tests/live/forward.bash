# SPDX-License-Identifier: Apache-2.0
# For the tests of agent-forward: queues, events, and what has to be true of every destination.
# shellcheck shell=bash

# own_network: of the suite, and what TLS needs in it.
own_network() {
	ip netns del "$NS" 2>/dev/null || :
	ip netns add "$NS"
	in_ns ip link set lo up
	certificates
}

# A suite may have its own of these.
setup_file() { own_network; }

teardown_file() { ip netns del "$NS" 2>/dev/null || :; }

setup() {
	Q=$BATS_TEST_TMPDIR/queue
	mkdir -p "$Q"
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 5 "$BATS_TEST_TMPDIR"/{says,complaints,*.log} || :
	stop_forward
	stop_server
	[ -z "${CAPTURE:-}" ] || kill -KILL "$CAPTURE" 2>/dev/null || :
}

# shellcheck disable=SC2329 # called by until_ok
# listens tcp|udp PORT
listens() { in_ns ss -Hln"${1:0:1}" "sport = :$2" | grep -q .; }

# shellcheck disable=SC2329 # called by until_ok
# lines_are FILE COUNT: at least so many.
lines_are() { [ "$(wc -l <"$BATS_TEST_TMPDIR/$1")" -ge "$2" ]; }

FORWARD=$BUILT/agent/agent-forward
FEED=$BUILT/tests/queue-feed
Q=''

# feed [COUNT RATE]
feed() { in_ns "$FEED" "$Q" $((64 << 20)) "$@" 3>&-; }

# start_forward KIND SETTINGS: on the queue; what it says goes to $BATS_TEST_TMPDIR/says.
start_forward() {
	local program=$FORWARD
	[ "$1" != nats ] || program+=-nats
	rm -f "$BATS_TEST_TMPDIR/in"
	mkfifo "$BATS_TEST_TMPDIR/in"
	ip netns exec "$NS" "$program" --queue "$Q" "$1" <"$BATS_TEST_TMPDIR/in" >>"$BATS_TEST_TMPDIR/says" 2>"$BATS_TEST_TMPDIR/complaints" 3>&- &
	FORWARDER=$!
	exec 9>"$BATS_TEST_TMPDIR/in"
	echo "$2" >&9
}

stop_forward() {
	exec 9>&-
	[ -z "${FORWARDER:-}" ] || { kill "$FORWARDER" 2>/dev/null || :; wait "$FORWARDER" 2>/dev/null || :; }
	FORWARDER=
}

stop_server() {
	[ -z "${SERVER:-}" ] || { kill -KILL "$SERVER" 2>/dev/null || :; wait "$SERVER" 2>/dev/null || :; }
	SERVER=
}

# says KEY VALUE: the last line of it.
says() { tail -n 1 "$BATS_TEST_TMPDIR/says" | python3 -c 'import json, sys; sys.exit(str(json.load(sys.stdin)[sys.argv[1]]) != sys.argv[2])' "$1" "$2"; }

# complete COUNT: numbers on standard input, one a line; each of 1..COUNT is there, and they come in order but for repetitions.
complete() {
	python3 -c 'import sys
n, last, repeated = int(sys.argv[1]), 0, 0
for number in map(int, sys.stdin):
    if number > last + 1:
        sys.exit(f"{number} comes after {last}")
    repeated += number <= last
    last = max(last, number)
print(f"{last} of {n}, {repeated} repeated")
sys.exit(last != n)' "$1"
}

# The events of two flows and of a connection, as lines of JSON.
# shellcheck disable=SC2089,SC2090 # given on standard input
EVENTS='{"type":"flow_record","sourceIp":"192.0.2.1","destinationIp":"198.51.100.7","sourcePort":40000,"destinationPort":443,"transportProtocol":"tcp","bytesForward":"1000","bytesReverse":"5000","packetsForward":"10","packetsReverse":"12","firstSeenUnixNano":"1764000000000000000","lastSeenUnixNano":"1764000001500000000","interfaceName":"eth0","protocol":"tls","pid":4242,"comm":"curl","containerId":"0123456789ab","tcpFlagsForward":27,"tcpFlagsReverse":18,"endReason":"fin","uid":1000}
{"type":"flow_record","sourceIp":"2001:db8::1","destinationIp":"2001:db8::2","sourcePort":40001,"destinationPort":53,"transportProtocol":"udp","bytesForward":"70","bytesReverse":"170","packetsForward":"1","packetsReverse":"1","firstSeenUnixNano":"1764000002000000000","lastSeenUnixNano":"1764000002500000000","interfaceName":"eth0","protocol":"dns","pid":53,"comm":"dig","endReason":"idle"}
{"type":"flow_attribution_event","localIp":"192.0.2.1","localPort":40000,"remoteIp":"198.51.100.7","remotePort":443,"transportProtocol":"tcp","pid":4242,"tgid":4242,"uid":1000,"gid":1001,"comm":"curl","observedAtUnixNano":"1764000000000000000","socketAddress":"77","eventKind":1,"systemdUnit":"a.service","executable":"/usr/bin/curl"}'
# shellcheck disable=SC2090
export FORWARD FEED Q EVENTS

# certificates: an authority, a server for 127.0.0.1 and localhost, another for other.example, a client, below $BATS_FILE_TMPDIR.
certificates() {
	local dir=$BATS_FILE_TMPDIR name names
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=test authority' -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
	for name in server client other; do
		names=IP:127.0.0.1,DNS:localhost
		[ "$name" != other ] || names=DNS:other.example
		openssl req -newkey rsa:2048 -nodes -subj "/CN=$name" -keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
		openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 2 -out "$dir/$name.pem" \
			-extfile <(echo "subjectAltName=$names") 2>/dev/null
	done
	chmod 644 "$dir"/*.key
}
