#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# agent-forward to OpenTelemetry collectors, OTLP/HTTP with JSON over TLS: a collector of the test's own that holds requests against the
# specification.

load common
load forward

HEADERS='X-Token: secret-of-the-test'

settings() {
	echo "$HEADERS" >"$BATS_FILE_TMPDIR/headers"
	echo "{\"url\":\"https://localhost:4318/v1/logs\",\"ca_file\":\"$BATS_FILE_TMPDIR/ca.pem\",\"headers_file\":\"$BATS_FILE_TMPDIR/headers\",\"compression\":\"${1:-gzip}\"}"
}

# start_collector [STATUS]...
start_collector() {
	ip netns exec "$NS" python3 "$TOP/tests/live/otlp_collector.py" 4318 "$BATS_TEST_TMPDIR/records" "$BATS_FILE_TMPDIR/server.pem" \
		"$BATS_FILE_TMPDIR/server.key" "$@" 2>>"$BATS_TEST_TMPDIR/collector.log" 3>&- &
	SERVER=$!
	until_ok 10 listens tcp 4318
}

numbers() { grep -o '"socketAddress": "[0-9]*"' "$BATS_TEST_TMPDIR/records" | tr -dc '0-9\n'; }

@test "OTLP: each event is a log record, with the conventions' names, compressed or not" {
	local how
	for how in gzip none; do
		rm -rf "$BATS_TEST_TMPDIR/records" "$Q"
		mkdir "$Q"
		start_collector
		start_forward otlp "$(settings "$how")"
		feed <<<"$EVENTS"
		until_ok 10 says delivered 3
		kill -0 "$SERVER"
		run cat "$BATS_TEST_TMPDIR/records"
		[ "${#lines[@]}" -eq 3 ]
		has 'o["eventName"] == "flow_record" and o["timeUnixNano"] == "1764000001500000000" and o["token"] == "secret-of-the-test"'
		has 'o["eventName"] == "flow_record" and o["attributes"]["process.pid"] == {"intValue": "4242"} and o["attributes"]["process.executable.name"] == {"stringValue": "curl"}'
		has 'o["eventName"] == "flow_record" and o["attributes"]["source.address"] == {"stringValue": "2001:db8::1"} and o["attributes"]["destination.port"] == {"intValue": "53"}'
		has 'o["eventName"] == "flow_attribution_event" and o["attributes"]["network.peer.address"] == {"stringValue": "198.51.100.7"} and o["event"]["socketAddress"] == "77"'
		stop_forward
		stop_server
	done
}

@test "a collector that is busy or killed: every event arrives, in order" {
	start_collector 503 429 200 502
	start_forward otlp "$(settings)"
	feed 20000 5000 >"$BATS_TEST_TMPDIR/fed" &
	until_ok 20 lines_are records 5000
	stop_server
	until_ok 10 says connected False
	start_collector
	wait %?feed || wait
	until_ok 60 says delivered 20000
	says waiting_bytes 0
	numbers | complete 20000
}

@test "what the collector does not want is counted and not sent again; a refusal that may be set right is" {
	start_collector 400 partial
	start_forward otlp "$(settings)"
	feed 100 100000
	until_ok 10 says refused 100
	says delivered 0
	feed <<<"$EVENTS"
	until_ok 10 says refused 101
	says delivered 2
	stop_forward
	stop_server
	start_collector 401 404
	start_forward otlp "$(settings)"
	feed <<<"$EVENTS"
	until_ok 10 grep -q 'HTTP status 401' "$BATS_TEST_TMPDIR/says"
	until_ok 20 says delivered 3
	[ "$(grep -c secret-of-the-test "$BATS_TEST_TMPDIR/says" "$BATS_TEST_TMPDIR/complaints" | grep -vc ':0')" -eq 0 ]
}

@test "a certificate of an authority that is not trusted, a header that is none: said" {
	start_collector
	start_forward otlp '{"url":"https://localhost:4318/v1/logs","compression":"none"}'
	feed <<<"$EVENTS"
	until_ok 10 grep -q 'certificate' "$BATS_TEST_TMPDIR/says"
	stop_forward
	[ ! -e "$BATS_TEST_TMPDIR/records" ] || [ ! -s "$BATS_TEST_TMPDIR/records" ]
	echo 'no header' >"$BATS_TEST_TMPDIR/headers"
	run "$FORWARD" --queue "$Q" otlp <<<"{\"url\":\"https://localhost:4318/\",\"headers_file\":\"$BATS_TEST_TMPDIR/headers\"}"
	[ "$status" -eq 1 ]
	[[ $output == *"headers: line 1 is no header"* ]]
}
