#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# agent-forward to syslog servers over TLS: rsyslog.

load common
load forward

# settings [HOST [CLIENT]]
settings() {
	echo "{\"host\":\"${1:-127.0.0.1}\",\"port\":6514,\"ca_file\":\"$BATS_FILE_TMPDIR/ca.pem\",\"facility\":\"local3\"${2:+,\"client_cert\":\"$BATS_FILE_TMPDIR/$2.pem\",\"client_key\":\"$BATS_FILE_TMPDIR/$2.key\"}}"
}

# start_rsyslog [MODE [CERTIFICATE]]: x509/certvalid asks for a client certificate.
start_rsyslog() {
	cat >"$BATS_TEST_TMPDIR/rsyslog.conf" <<-EOF
	global(workDirectory="$BATS_TEST_TMPDIR" defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="$BATS_FILE_TMPDIR/ca.pem"
	       defaultNetstreamDriverCertFile="$BATS_FILE_TMPDIR/${2:-server}.pem" defaultNetstreamDriverKeyFile="$BATS_FILE_TMPDIR/${2:-server}.key")
	module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="${1:-anon}")
	input(type="imtcp" port="6514" address="127.0.0.1")
	template(name="parsed" type="string" string="%pri% %timereported:::date-rfc3339% %app-name% %msgid% %msg%\n")
	action(type="omfile" file="$BATS_TEST_TMPDIR/messages" template="parsed")
	EOF
	ip netns exec "$NS" rsyslogd -n -f "$BATS_TEST_TMPDIR/rsyslog.conf" -i "$BATS_TEST_TMPDIR/rsyslog.pid" >"$BATS_TEST_TMPDIR/rsyslog.log" 2>&1 3>&- &
	SERVER=$!
	until_ok 10 listens tcp 6514
}

@test "syslog: rsyslog parses each message: priority, time, name, type, and the event's JSON" {
	start_rsyslog
	start_forward syslog "$(settings)"
	feed <<<"$EVENTS"
	until_ok 10 says delivered 3
	until_ok 10 lines_are messages 3
	run cat "$BATS_TEST_TMPDIR/messages"
	echo "$output"
	[ "${#lines[@]}" -eq 3 ]
	[[ ${lines[0]} == '158 2025-11-24T16:00:01.500000Z serviceradar flow_record {'* ]]
	[[ ${lines[2]} == '158 2025-11-24T16:00:00.000000Z serviceradar flow_attribution_event {'* ]]
	output=$(cut -d' ' -f5- "$BATS_TEST_TMPDIR/messages")
	has 'o["type"] == "flow_record" and o["comm"] == "curl" and o["bytesForward"] == "1000" and o["protocol"] == "tls"'
	has 'o["type"] == "flow_attribution_event" and o["socketAddress"] == "77" and o["executable"] == "/usr/bin/curl"'
}

@test "a server that is killed and comes back: every event arrives, in order" {
	start_rsyslog
	start_forward syslog "$(settings localhost)"
	feed 20000 5000 >"$BATS_TEST_TMPDIR/fed" &
	until_ok 10 lines_are messages 5000
	stop_server
	until_ok 10 says connected False
	start_rsyslog
	wait %?feed || wait
	until_ok 60 says waiting_bytes 0
	until_ok 10 says delivered 20000
	# What the killed server had not written is half a line at most.
	grep -o '"socketAddress":"[0-9]*"' "$BATS_TEST_TMPDIR/messages" | tr -dc '0-9\n' | complete 20000
}

@test "a server that asks for a certificate gets it; one whose own is not for its name gets nothing, and it is said" {
	start_rsyslog x509/certvalid
	start_forward syslog "$(settings 127.0.0.1 client)"
	feed <<<"$EVENTS"
	until_ok 10 says delivered 3
	stop_forward
	stop_server
	feed <<<"$EVENTS"
	rm "$BATS_TEST_TMPDIR/messages"
	start_rsyslog anon other
	start_forward syslog "$(settings)"
	until_ok 10 grep -q 'TLS: the certificate of the other end: IP address mismatch' "$BATS_TEST_TMPDIR/says"
	says connected False
	[ ! -e "$BATS_TEST_TMPDIR/messages" ]
	stop_forward
	start_forward syslog '{"host":"127.0.0.1","port":6514,"facility":"daemon"}'
	until_ok 10 grep -qE 'TLS: the certificate of the other end: (self-signed certificate|unable to get local issuer)' "$BATS_TEST_TMPDIR/says"
}
