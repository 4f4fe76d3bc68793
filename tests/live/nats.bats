#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# agent-forward-nats to Debian's nats-server with JetStream, TLS and credentials.

load common
load forward

setup_file() {
	[ -e "$BUILT/agent/agent-forward-nats" ] || skip 'libnats is not here'
	command -v nats-server >/dev/null || skip 'nats-server is not here'
	own_network
}

settings() {
	echo "{\"url\":\"${1:-tls://agent:pass@localhost:4222}\",\"subject\":\"serviceradar.events\",\"ca_file\":\"$BATS_FILE_TMPDIR/ca.pem\"}"
}

start_nats() {
	cat >"$BATS_TEST_TMPDIR/nats.conf" <<-EOF
	listen: "127.0.0.1:4222"
	jetstream { store_dir: "$BATS_TEST_TMPDIR/store" }
	tls { cert_file: "$BATS_FILE_TMPDIR/server.pem", key_file: "$BATS_FILE_TMPDIR/server.key" }
	authorization { users: [ { user: agent, password: pass } ] }
	EOF
	ip netns exec "$NS" nats-server -c "$BATS_TEST_TMPDIR/nats.conf" >>"$BATS_TEST_TMPDIR/nats.log" 2>&1 3>&- &
	SERVER=$!
	until_ok 10 listens tcp 4222
}

# nats VERB...: a client of the test's own.
nats() { in_ns python3 "$TOP/tests/live/nats_client.py" "$BATS_FILE_TMPDIR/ca.pem" "$@"; }

@test "NATS: each event is a message of the stream, on the subject of its type" {
	start_nats
	nats add EVENTS 'serviceradar.events.>'
	start_forward nats "$(settings)"
	feed <<<"$EVENTS"
	until_ok 10 says delivered 3
	run nats dump EVENTS
	has 'o["subject"] == "serviceradar.events.flow_record" and o["event"]["comm"] == "curl" and o["event"]["bytesReverse"] == "5000"'
	has 'o["subject"] == "serviceradar.events.flow_attribution_event" and o["event"]["socketAddress"] == "77"'
	[ "$(grep -c subject <<<"$output")" -eq 3 ]
	# Sent again, as after a crash before they were confirmed: the stream knows them.
	stop_forward
	rm "$Q/cursor" "$BATS_TEST_TMPDIR/says"
	start_forward nats "$(settings)"
	until_ok 10 says delivered 3
	run nats dump EVENTS
	[ "$(grep -c subject <<<"$output")" -eq 3 ]
}

@test "without a stream, with a wrong password, and to a server of another authority: said, and nothing is lost" {
	start_nats
	start_forward nats "$(settings)"
	feed <<<"$EVENTS"
	until_ok 10 grep -q 'no stream takes this subject' "$BATS_TEST_TMPDIR/says"
	says delivered 0
	stop_forward
	start_forward nats "$(settings tls://agent:wrong@localhost:4222)"
	until_ok 10 grep -qi 'authorization\|authentication' "$BATS_TEST_TMPDIR/says"
	stop_forward
	start_forward nats '{"url":"tls://agent:pass@localhost:4222","subject":"serviceradar.events"}'
	until_ok 10 grep -q 'SSL' "$BATS_TEST_TMPDIR/says"
	stop_forward
	nats add EVENTS 'serviceradar.events.>'
	start_forward nats "$(settings)"
	until_ok 10 says delivered 3
	[ "$(grep -c 'pass@\|wrong' "$BATS_TEST_TMPDIR/says")" -eq 0 ]
}

@test "a server that is killed and comes back: every event is in the stream, in order, once" {
	start_nats
	nats add EVENTS 'serviceradar.events.>'
	start_forward nats "$(settings)"
	feed 20000 5000 >"$BATS_TEST_TMPDIR/fed" &
	until_ok 20 delivered_some
	stop_server
	until_ok 10 says connected False
	start_nats
	wait %?feed || wait
	until_ok 60 says delivered 20000
	nats dump EVENTS | grep -o '"socketAddress": "[0-9]*"' | tr -dc '0-9\n' >"$BATS_TEST_TMPDIR/numbers"
	complete 20000 <"$BATS_TEST_TMPDIR/numbers"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/numbers")" -eq 20000 ]
}

# shellcheck disable=SC2329 # called by until_ok
delivered_some() { tail -n 1 "$BATS_TEST_TMPDIR/says" | python3 -c 'import json, sys; sys.exit(json.load(sys.stdin)["delivered"] < 5000)'; }
