#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# agent-forward to IPFIX collectors: a collector of the test's own that is strict about RFC 7011, nfcapd, and tshark's dissector.

load common
load forward

# numbers: of the events, as the generator counts them.
numbers() { grep -o '"32473/8": [0-9]*' "$BATS_TEST_TMPDIR/records" | sed 's/.* //'; }

settings() { echo "{\"host\":\"127.0.0.1\",\"port\":4739,\"transport\":\"$1\",\"observation_domain\":7,\"enterprise\":32473}"; }

start_collector() {
	ip netns exec "$NS" python3 "$TOP/tests/live/ipfix_collector.py" "$1" 4739 "$BATS_TEST_TMPDIR/records" 2>>"$BATS_TEST_TMPDIR/collector.log" 3>&- &
	SERVER=$!
	until_ok 10 listens "$1" 4739
}

@test "IPFIX: each record has the elements of its event, over TCP and over UDP" {
	local transport
	for transport in tcp udp; do
		rm -rf "$BATS_TEST_TMPDIR/records" "$Q"
		mkdir "$Q"
		start_collector "$transport"
		start_forward ipfix "$(settings "$transport")"
		feed <<<"$EVENTS"
		until_ok 10 says delivered 3
		stop_forward
		kill -0 "$SERVER"
		stop_server
		run cat "$BATS_TEST_TMPDIR/records"
		[ "${#lines[@]}" -eq 3 ]
		has 'o["template"] == 256 and o["8"] == 0xc0000201 and o["12"] == 0xc6336407 and o["7"] == 40000 and o["11"] == 443 and o["4"] == 6'
		has 'o["template"] == 256 and o["1"] == 1000 and o["2"] == 10 and o["29305/1"] == 5000 and o["29305/2"] == 12 and o["136"] == 3'
		has 'o["template"] == 256 and o["6"] == 27 and o["29305/6"] == 18 and o["152"] == 1764000000000 and o["153"] == 1764000001500'
		has 'o["template"] == 256 and o["32473/1"] == 4242 and o["32473/5"] == 1000 and o["32473/2"] == "curl" and o["32473/3"] == "0123456789ab" and o["32473/4"] == "tls" and o["82"] == "eth0"'
		has 'o["template"] == 257 and o["27"] == 0x20010db8 << 96 | 1 and o["28"] == 0x20010db8 << 96 | 2 and o["4"] == 17 and o["136"] == 1'
		has 'o["template"] == 258 and o["8"] == 0xc0000201 and o["32473/7"] == 1 and o["32473/6"] == 1001 and o["32473/8"] == 77 and o["32473/9"] == "a.service" and o["32473/10"] == "/usr/bin/curl"'
	done
}

@test "IPFIX: nfcapd keeps the flows, and nfdump shows them" {
	mkdir "$BATS_TEST_TMPDIR/nf"
	ip netns exec "$NS" nfcapd -w "$BATS_TEST_TMPDIR/nf" -b 127.0.0.1 -p 4739 -t 2 >"$BATS_TEST_TMPDIR/collector.log" 2>&1 3>&- &
	SERVER=$!
	until_ok 10 listens udp 4739
	start_forward ipfix "$(settings udp)"
	feed <<<"$EVENTS"
	until_ok 10 says delivered 3
	kill "$SERVER"
	wait "$SERVER" || :
	SERVER=
	run nfdump -q -R "$BATS_TEST_TMPDIR/nf" -o 'fmt:%pr %sap %dap %flg %pkt %byt %td'
	echo "$output"
	grep -q 'TCP *192.0.2.1:40000 *198.51.100.7:443 *...AP.SF *10 *1000 .*00:00:01.500' <<<"$output"
	grep -q 'UDP *2001:db8::1.40001 *2001:db8::2.53 .* 1 *70 .*00:00:00.500' <<<"$output"
}

@test "IPFIX: tshark dissects what goes over the wire and finds nothing wrong" {
	ip netns exec "$NS" python3 "$TOP/tests/lib/capture.py" "$BATS_TEST_TMPDIR/wire.pcap" lo 3>&- &
	CAPTURE=$!
	until_ok 10 test -s "$BATS_TEST_TMPDIR/wire.pcap"
	start_collector tcp
	start_forward ipfix "$(settings tcp)"
	feed <<<"$EVENTS"
	until_ok 10 says delivered 3
	run tshark -r "$BATS_TEST_TMPDIR/wire.pcap" -d tcp.port==4739,cflow -V -Y cflow
	grep -q 'SrcAddr: 192.0.2.1' <<<"$output"
	grep -q 'SrcAddr: 2001:db8::1' <<<"$output"
	grep -q 'Octets: 5000' <<<"$output"
	[ "$(grep -ciE 'malformed|no template found' <<<"$output")" -eq 0 ]
}

@test "a collector that is killed and comes back: by TCP every event arrives, in order" {
	start_collector tcp
	start_forward ipfix "$(settings tcp)"
	feed 20000 5000 >"$BATS_TEST_TMPDIR/fed" &
	until_ok 10 lines_are records 5000
	stop_server
	until_ok 10 says connected False
	start_collector tcp
	wait %?feed || wait
	until_ok 60 says waiting_bytes 0
	[ "$(cat "$BATS_TEST_TMPDIR/fed")" = 'appended 20000 dropped 0' ]
	numbers | complete 20000
	[ "$(tail -n 1 "$BATS_TEST_TMPDIR/says" | python3 -c 'import json, sys; print(json.load(sys.stdin)["delivered"])')" -eq 20000 ]
}

# shellcheck disable=SC2329 # called by until_ok
# bytes that the collector's kernel has and the collector has not read
unread() { in_ns ss -Hnt 'sport = :4739' | awk '{ n += $2 } END { exit n == 0 }'; }

@test "what the collector's kernel has does not count while the collector may not have read it" {
	start_collector tcp
	start_forward ipfix "$(settings tcp)"
	until_ok 10 says connected True
	kill -STOP "$SERVER"
	feed 500 1000000
	echo >&9 # as the agent does
	until_ok 10 unread
	stop_server
	[ ! -s "$BATS_TEST_TMPDIR/records" ]
	start_collector tcp
	until_ok 30 says delivered 500
	numbers | complete 500
}

@test "an agent-forward that is killed: the next one goes on from what was confirmed" {
	start_collector tcp
	start_forward ipfix "$(settings tcp)"
	feed 15000 5000 >"$BATS_TEST_TMPDIR/fed" &
	until_ok 10 lines_are records 7000
	kill -KILL "$FORWARDER"
	wait "$FORWARDER" || :
	stop_forward
	start_forward ipfix "$(settings tcp)"
	wait %?feed || wait
	until_ok 30 says waiting_bytes 0
	numbers | complete 15000
}

@test "by UDP a collector that is not there is noticed, and what it was sent comes again" {
	start_forward ipfix "$(settings udp)"
	feed 1000 100000
	until_ok 10 says connected False
	grep -q 'Connection refused' "$BATS_TEST_TMPDIR/says"
	start_collector udp
	until_ok 40 says delivered 1000
	numbers | complete 1000
}

@test "settings that are none, a queue that is not there: said, and the exit status is 1 and 3" {
	run "$FORWARD" --queue "$Q" ipfix <<<'{'
	[ "$status" -eq 1 ]
	[[ $output == *"agent-forward: ipfix: settings:"* ]]
	run "$FORWARD" --queue "$BATS_TEST_TMPDIR/none" ipfix <<<"$(settings udp)"
	[ "$status" -eq 3 ]
	[[ $output == *"/none: No such file or directory"* ]]
	run "$FORWARD" --queue "$Q" carrier-pigeon
	[ "$status" -eq 1 ]
}
