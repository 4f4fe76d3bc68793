#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Real clients over a link of their own, recorded: what netprobe reads of the capture is what p0f and tshark read of it.

load common
PATH=$PATH:/usr/sbin # p0f, sshd
bats_require_minimum_version 1.5.0

C=$NS-c
S=$NS-s
ADDRESS=10.99.4.2

setup_file() {
	ip netns add "$C"
	ip netns add "$S"
	ip -n "$C" link add a0 type veth peer name b0 netns "$S"
	ip -n "$C" address add 10.99.4.1/24 dev a0
	ip -n "$S" address add "$ADDRESS/24" dev b0
	ip -n "$C" link set a0 up
	ip -n "$S" link set b0 up
	ip -n "$S" link set lo up
	cd "$BATS_FILE_TMPDIR" || return 1
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=test -days 2 2>/dev/null
	ssh-keygen -q -t ed25519 -N '' -f host
	mkdir -p /run/sshd
	: >servers
	ip netns exec "$S" openssl s_server -quiet -accept 443 -cert cert.pem -key key.pem -www >/dev/null 2>&1 3>&- &
	echo $! >>servers
	ip netns exec "$S" openssl s_server -quiet -dtls -accept 4434 -cert cert.pem -key key.pem >/dev/null 2>&1 3>&- </dev/null &
	echo $! >>servers
	ip netns exec "$S" "$(command -v sshd)" -D -e -p 22 -h "$PWD/host" -f /dev/null >/dev/null 2>&1 3>&- &
	echo $! >>servers
	until_ok 10 ip netns exec "$S" sh -c '[ "$(ss -Hltn | wc -l)" -ge 2 ]'
	record
}

# Everything once, into all.pcap. tcpdump has written what it saw when it ends.
record() {
	local dump
	ip netns exec "$C" tcpdump -i a0 -U -w all.pcap >dump.log 2>&1 3>&- &
	dump=$!
	until_ok 10 grep -q listening dump.log
	ip netns exec "$C" curl -sk --max-time 10 -o page "https://$ADDRESS/"
	ip netns exec "$C" wget -q --no-check-certificate --timeout=10 --tries=1 -O page "https://$ADDRESS/"
	ip netns exec "$C" openssl s_client -connect "$ADDRESS:443" -alpn h2,http/1.1 </dev/null >/dev/null 2>&1
	ip netns exec "$C" timeout 5 openssl s_client -dtls -connect "$ADDRESS:4434" </dev/null >/dev/null 2>&1 || :
	ip netns exec "$C" ssh -oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oBatchMode=yes "$ADDRESS" true >/dev/null 2>&1 || :
	ip netns exec "$C" curl -s --max-time 5 "http://$ADDRESS:81/" || : # refused: a SYN all the same
	until_ok 10 sh -c 'tcpdump -r all.pcap "tcp port 22 and tcp[tcpflags] & (tcp-fin|tcp-rst) != 0" 2>/dev/null | grep -q .'
	until_ok 10 sh -c 'tcpdump -r all.pcap "tcp dst port 81" 2>/dev/null | grep -q .'
	kill "$dump"
	wait "$dump" || :
}

teardown_file() {
	xargs -r kill -KILL <"$BATS_FILE_TMPDIR/servers" || :
	ip netns del "$C"
	ip netns del "$S"
}

read_all() { run -0 "$NETPROBE" --read "$BATS_FILE_TMPDIR/all.pcap" --json "$@"; }

# says KIND: the row of the comparison, and all of it is equal.
says() { grep -Eq "^$1 +([1-9][0-9]*) +\\1 +100.00%$" <<<"$output"; }

@test "HV-15 real stacks: signatures and names as p0f tells them, JA4 and HASSH as tshark does" {
	for tool in p0f tshark; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
	run -0 "$TOP/tests/compare/compare" -v --netprobe "$NETPROBE" "$BATS_FILE_TMPDIR/all.pcap"
	echo "$output"
	says 'p0f signature'
	says 'p0f name'
	says JA4
	says HASSH
}

@test "HV-15 SYNs as no stack sends them, and near misses: signatures and names as p0f tells them" {
	command -v p0f >/dev/null || skip "p0f is not installed"
	"$TOP/tests/compare/syns" 1 4000 "$BATS_TEST_TMPDIR/syns.pcap" /etc/p0f/p0f.fp
	run -0 "$TOP/tests/compare/compare" --only p0f -v --netprobe "$NETPROBE" "$BATS_TEST_TMPDIR/syns.pcap"
	echo "$output"
	says 'p0f signature'
	says 'p0f name'
	[ "$(sed -n 's/^p0f signature *\([0-9]*\) .*/\1/p' <<<"$output")" -gt 4000 ]
}

# The signature of this kernel as this test sees it, named by a database of its own.
database() {
	read_all
	signature=$(sed -n 's/.*"ip":"10.99.4.1".*"p0fSignature":"\([^"]*\)".*/\1/p' <<<"$output" | head -n1)
	[ -n "$signature" ]
	printf '[tcp:request]\nlabel = s:%s\nsig = %s\n' "$1" "$signature" >"$BATS_TEST_TMPDIR/own.fp"
}

@test "HV-15 a stack that the database does not have: a signature, no match, no confidence" {
	printf '[tcp:request]\n' >"$BATS_TEST_TMPDIR/empty.fp"
	read_all --fingerprint-db "$BATS_TEST_TMPDIR/empty.fp"
	has '"10.99.4.1" == o.get("ip") and o["licenseClean"]["p0fSignature"].startswith("4:64+0:0:1460:")'
	if has '"p0fMatch" in o.get("licenseClean", {})'; then return 1; fi
	# Of the SYN alone (nobody answered it) nothing is concluded.
	has 'o.get("licenseClean", {}).get("p0fSignature") and not o["licenseClean"].get("osMatch")'
}

@test "HV-16 stack, TLS and SSH of a device agree: all are counted" {
	database unix:Linux:own
	read_all --fingerprint-db "$BATS_TEST_TMPDIR/own.fp"
	has 'o.get("licenseClean", {}).get("p0fMatch", {}).get("versionFlavor") == "own"'
	has 'o.get("licenseClean", {}).get("agreementCount", 0) >= 2 and o["licenseClean"]["osMatch"]["osFamily"] == "linux" and o["licenseClean"]["osMatch"]["confidence"] > 0.75'
	# The SSH connection came last: what the ones before it showed counts as well.
	has 'o.get("licenseClean", {}).get("hassh") and o["licenseClean"]["agreementCount"] == 3 and o["licenseClean"]["osMatch"]["confidence"] > 0.85'
}

@test "HV-16 stack and client disagree: the disagreement is listed" {
	database win:Windows:wrong
	read_all --fingerprint-db "$BATS_TEST_TMPDIR/own.fp"
	has 'any(d["signal"] in ("ja4", "hassh") and d["observedFamily"] in ("linux", "unix") for d in o.get("licenseClean", {}).get("osMatch", {}).get("disagreements", []))'
	has 'o.get("licenseClean", {}).get("osMatch", {}).get("osFamily") == "windows" and 0 < o["licenseClean"]["osMatch"]["confidence"] < 0.75'
}
