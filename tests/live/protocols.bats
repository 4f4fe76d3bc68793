#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Real clients and servers: what netprobe says of them live, and of a capture of the same packets. The daemon and the servers
# are in one network namespace, the clients in another; sr0 and sr1 are the wire between them.

load common
bats_require_minimum_version 1.5.0

SERVER=10.99.0.1
HOST=10.99.0.2
SECRET=kumquat7
PEER=$NS-peer
WATCH='{"enabled":true,"captureInterfaces":["sr0"]}'
export SERVER HOST SECRET PEER WATCH

in_peer() { ip netns exec "$PEER" "$@"; }

# server NAME COMMAND...: in the servers' namespace, until the file's end.
server() {
	local name=$1
	shift
	ip netns exec "$NS" "$@" >"$BATS_FILE_TMPDIR/$name.log" 2>&1 3>&- &
	echo $! >>"$BATS_FILE_TMPDIR/servers"
}

configure_servers() {
	local d=$BATS_FILE_TMPDIR
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$SECRET.example" \
		-keyout "$d/key.pem" -out "$d/cert.pem" 2>/dev/null
	mkdir -p "$d/www" "$d/ftp" "$d/run"
	chmod 755 "$d/www" "$d/ftp"
	head -c 20000000 /dev/zero >"$d/www/large"
	echo "$SECRET in a body" >"$d/www/$SECRET.txt"
	cp "$d/www/$SECRET.txt" "$d/ftp/"
	cat >"$d/nginx.conf" <<-C
		daemon off; master_process off; pid $d/nginx.pid; error_log stderr; user root;
		events {}
		http {
			access_log off;
			client_body_temp_path $d/run; proxy_temp_path $d/run; fastcgi_temp_path $d/run; uwsgi_temp_path $d/run; scgi_temp_path $d/run;
			server { listen $SERVER:80; listen [fd99::1]:80; root $d/www; }
			server { listen $SERVER:443 ssl; ssl_certificate $d/cert.pem; ssl_certificate_key $d/key.pem; root $d/www; }
		}
	C
	ssh-keygen -q -t ed25519 -N '' -f "$d/hostkey"
	printf 'listener 1883 %s\nallow_anonymous true\nuser root\n' "$SERVER" >"$d/mosquitto.conf"
	printf 'listen=YES\nlisten_address=%s\nbackground=NO\nanonymous_enable=YES\nanon_root=%s\nsecure_chroot_dir=%s\nseccomp_sandbox=NO\n' \
		"$SERVER" "$d/ftp" "$d/run" >"$d/vsftpd.conf"
}

start_servers() {
	local d=$BATS_FILE_TMPDIR
	: >"$d/servers"
	server nginx nginx -p "$d" -c "$d/nginx.conf"
	mkdir -p /run/sshd
	server sshd "$(command -v sshd)" -D -e -f /dev/null -h "$d/hostkey" -o "PidFile=none" -o "ListenAddress=$SERVER"
	server dnsmasq dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --interface=sr0 --bind-interfaces \
		--pid-file= --dhcp-range=10.99.0.100,10.99.0.110,1h --no-ping --dhcp-leasefile="$d/leases" "--address=/$SECRET.example/10.99.0.9"
	server mosquitto mosquitto -c "$d/mosquitto.conf"
	server vsftpd vsftpd "$d/vsftpd.conf"
	for port in 22 53 80 443 1883 21; do
		until_ok 10 in_ns sh -c "ss -Hltn 'sport = :$port' | grep -q ."
	done
}

setup_file() {
	local tool
	for tool in nginx dnsmasq dig mosquitto mosquitto_pub vsftpd udhcpc tcpdump curl ssh; do
		command -v "$tool" >/dev/null || skip "$tool is missing: make deps"
	done
	ip netns add "$NS"
	ip netns add "$PEER"
	ip link add sr0 netns "$NS" type veth peer name sr1 netns "$PEER"
	in_ns ip link set lo up
	in_peer ip link set lo up
	in_ns ip addr add "$SERVER/24" dev sr0
	in_ns ip addr add fd99::1/64 dev sr0 nodad
	in_peer ip addr add "$HOST/24" dev sr1
	in_peer ip addr add fd99::2/64 dev sr1 nodad
	in_ns ip link set sr0 up
	in_peer ip link set sr1 up
	configure_servers
	start_servers
}

teardown_file() {
	xargs -r kill -KILL <"$BATS_FILE_TMPDIR/servers" || :
	ip netns del "$NS" 2>/dev/null || :
	ip netns del "$PEER" 2>/dev/null || :
}

teardown() {
	stop_netprobe
	cat "$BATS_TEST_TMPDIR/log" 2>/dev/null || :
}

# start [OPTION...]: the daemon, watching nothing yet.
start() {
	OUTER=(ip netns exec "$NS")
	start_netprobe "$ALL" "$@"
}

# watch CONFIG: a client that applies it and stays.
watch() {
	rm -f "$BATS_TEST_TMPDIR/go" "$BATS_TEST_TMPDIR/out"
	"$CLIENT" "$SOCKET" raw "$BATS_TEST_TMPDIR/raw" apply "$1" wait "$BATS_TEST_TMPDIR/go" settle ping \
		apply '{"enabled":true}' settle ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
}

# seen: what the client of watch was told, in $output. Its last config takes the interfaces away, which ends every flow.
seen() {
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	output=$(<"$BATS_TEST_TMPDIR/out")
}

# Each protocol once, over IPv4, and HTTP over IPv6. FTP as someone who may not enter, SSH too.
every_client() {
	in_peer curl -sf -o /dev/null -A "$SECRET" "http://$SERVER/$SECRET.txt?q=$SECRET"
	in_peer curl -sf -o /dev/null "http://[fd99::1]/$SECRET.txt"
	in_peer curl -sfk -o /dev/null --resolve "$SECRET.example:443:$SERVER" "https://$SECRET.example/$SECRET.txt"
	in_peer openssl s_client -connect "$SERVER:443" -servername "$SECRET.example" -alpn "$SECRET" </dev/null >/dev/null 2>&1 || :
	in_peer ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=5 \
		"$SECRET@$SERVER" true 2>/dev/null || :
	in_peer dig +short +tries=2 +time=2 "@$SERVER" "$SECRET.example" >/dev/null
	in_peer dig +short +tcp +time=2 "@$SERVER" "$SECRET.example" >/dev/null
	in_peer mosquitto_pub -h "$SERVER" -t "$SECRET/topic" -m "$SECRET" -i "$SECRET"
	in_peer curl -s -o /dev/null --ftp-method nocwd -u "anonymous:$SECRET" "ftp://$SERVER/$SECRET.txt"
	in_peer udhcpc -i sr1 -f -q -n -t 3 -T 1 -s /bin/true -x "hostname:$SECRET" >/dev/null 2>&1
}

# protocol NAME PORT [TRANSPORT]: an event for it, from the client's end to the server's port.
protocol() {
	has "o.get('type') == 'dpi_event' and o.get('protocol') == '$1' and o['destinationPort'] == $2 and o['transportProtocol'] == '${3:-tcp}' and o['interfaceName'] == 'sr0' and o['confidence'] >= 0.6" ||
		{ echo "no event: $*"; return 1; }
}

@test "HV-12 HV-17 real clients of ten kinds: each protocol, both directions, and no secret in any frame" {
	start
	watch "$WATCH"
	every_client
	seen
	protocol http 80
	has "o.get('type') == 'dpi_event' and o.get('protocol') == 'http' and o['destinationIp'] == 'fd99::1' and o['sourceIp'] == 'fd99::2'"
	protocol tls 443
	protocol ssh 22
	protocol dns 53 udp
	protocol dns 53 tcp
	protocol mqtt 1883
	protocol ftp 21
	protocol dhcp 67 udp
	has "o.get('type') == 'fingerprint_event' and o['ip'] == '$HOST' and o['licenseClean'].get('p0fSignature', '').startswith('4:64+0:') and o['licenseClean'].get('ja4', '').startswith('t13d')"
	has "o.get('type') == 'fingerprint_event' and o['ip'] == '$HOST' and len(o['licenseClean'].get('hassh', '')) == 32"
	has "o.get('type') == 'fingerprint_event' and o['ip'] == '$SERVER' and len(o['licenseClean'].get('hasshServer', '')) == 32"
	has "o.get('type') == 'fingerprint_event' and o['ip'] == 'fd99::2' and o['licenseClean'].get('p0fSignature', '').startswith('6:64+0:')"
	# One flow for both directions, and every packet of it counted.
	has "o.get('type') == 'flow_record' and o.get('protocol') == 'http' and o['sourceIp'] == '$HOST' and o['destinationPort'] == 80 and int(o['packetsForward']) > 3 and int(o['packetsReverse']) > 2 and int(o['bytesForward']) > 300 and o['tcpFlagsForward'] & 3 == 3 and o['tcpFlagsReverse'] & 0x12 == 0x12"
	python3 - "$BATS_TEST_TMPDIR/out" <<-'P'
		import json, sys
		records = [o for o in map(json.loads, open(sys.argv[1])) if o.get("type") == "flow_record"]
		ends = [tuple(sorted([(r["sourceIp"], r["sourcePort"]), (r["destinationIp"], r["destinationPort"])])) + (r["transportProtocol"],)
		        for r in records if r["transportProtocol"] == "tcp"]
		assert len(ends) == len(set(ends)) >= 8, ends
	P
	# The secret was on the wire, as URI, query, host, server name, ALPN, user, client id, topic, password, DHCP host name.
	[ "$(stat -c %s "$BATS_TEST_TMPDIR/raw")" -gt 2000 ]
	run grep -c "$SECRET" "$BATS_TEST_TMPDIR/raw"
	[ "$output" = 0 ]
}

@test "HV-11 a classified flow: its packets stay in the kernel, and are all counted" {
	local last
	start
	watch "$WATCH"
	in_peer curl -sf -o /dev/null "http://$SERVER/large"
	seen
	protocol http 80
	has "o.get('type') == 'flow_record' and o.get('protocol') == 'http' and int(o['bytesReverse']) > 20000000 and int(o['packetsReverse']) > 400"
	last=$(grep flowCapture <<<"$output" | tail -n 1)
	echo "# $(grep -o '"packets[A-Za-z]*":"[0-9]*"' <<<"$last" | tr '\n' ' ')" >&3
	output=$last
	has 'int(o["pingAck"]["flowCapture"]["packetsHandedUp"]) < 100 and int(o["pingAck"]["flowCapture"]["packets"]) > 1000 and int(o["pingAck"]["flowCapture"]["flowsClassified"]) == 1'
}

@test "HV-3 a wildcard, an empty or an unknown interface: invalid_config, nothing attached, counted, logged" {
	local name n=0
	start
	for name in any '*' '' nope0; do
		n=$((n + 1))
		run "$CLIENT" "$SOCKET" apply "{\"enabled\":true,\"captureInterfaces\":[\"sr0\",\"$name\"]}" ping
		[ "$status" -eq 0 ]
		has 'o.get("error", {}).get("code") == "invalid_config" and "capture_interfaces[1]" in o["error"]["message"]'
		has "'pingAck' in o and int(o['pingAck']['configsRefused']) == $n and o['pingAck']['flowCapture']['interfaces'] == 0"
	done
	[ "$(grep -c 'config refused' "$BATS_TEST_TMPDIR/log")" -eq 4 ]
	# What is in force stays in force.
	run "$CLIENT" "$SOCKET" apply "$WATCH" apply '{"enabled":true,"captureInterfaces":["any"]}' ping
	has "'pingAck' in o and o['pingAck']['flowCapture']['interfaces'] == 1"
	# A table of another size is another tap, opened by a daemon that serves.
	run "$CLIENT" "$SOCKET" apply '{"enabled":true,"captureInterfaces":["sr0"],"flowTableMaxEntries":5000}' ping
	has "'pingAck' in o and o['pingAck']['flowCapture']['interfaces'] == 1"
	[ "$(grep -c 'tap kind=' "$BATS_TEST_TMPDIR/log")" -eq 2 ]
}

@test "HV-4 HV-5 an interface that appears is not watched; one taken off the list is let go, the others undisturbed" {
	start
	watch '{"enabled":true,"captureInterfaces":["sr0","lo"]}'
	in_ns ip link add sr2 type veth peer name sr3
	in_ns ip addr add 10.98.0.1/24 dev sr2
	in_ns ip link set sr2 up
	in_ns ip link set sr3 up
	in_ns ping -c 3 -i 0.01 -W 1 10.98.0.2 >/dev/null 2>&1 || :
	in_ns python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"x", ("10.98.0.255", 9)) if s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1) is None else 0'
	in_peer curl -sf -o /dev/null "http://$SERVER/$SECRET.txt"
	in_ns sh -c 'exec 5<>/dev/udp/127.0.0.1/9' 2>/dev/null || :
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	output=$(<"$BATS_TEST_TMPDIR/out")
	run ! grep -q '"interfaceName":"sr[23]"' "$BATS_TEST_TMPDIR/out"
	run ! grep -qE '"(sourceIp|destinationIp|ip)":"10\.98\.0\.' "$BATS_TEST_TMPDIR/out" # nor as one of another interface
	in_ns ip link del sr2

	# A flow on each; then the list is shorter by one.
	rm -f "$BATS_TEST_TMPDIR/go" "$BATS_TEST_TMPDIR/out"
	in_ns python3 -c '
import os, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 7001))
deadline = time.time() + 60
while not os.path.exists(sys.argv[1]) and time.time() < deadline:
    s.sendto(b"on", ("127.0.0.1", 7002))
    time.sleep(0.01)
' "$BATS_TEST_TMPDIR/stop" &
	local sender=$!
	"$CLIENT" "$SOCKET" apply '{"enabled":true,"captureInterfaces":["sr0","lo"]}' wait "$BATS_TEST_TMPDIR/go" \
		apply '{"enabled":true,"captureInterfaces":["lo"]}' settle ping wait "$BATS_TEST_TMPDIR/go2" \
		apply '{"enabled":true}' settle ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
	in_peer curl -sf -o /dev/null "http://$SERVER/$SECRET.txt"
	touch "$BATS_TEST_TMPDIR/go"
	until_ok 10 grep -q pingAck "$BATS_TEST_TMPDIR/out"
	output=$(<"$BATS_TEST_TMPDIR/out")
	has "o.get('type') == 'flow_record' and o['interfaceName'] == 'sr0' and o['endReason'] == 'interface_removed' and o['destinationPort'] == 80"
	run ! grep -q '"interfaceName":"lo".*"endReason":"interface_removed"' "$BATS_TEST_TMPDIR/out"
	output=$(<"$BATS_TEST_TMPDIR/out")
	has "'pingAck' in o and o['pingAck']['flowCapture']['interfaces'] == 1"
	in_peer curl -sf -o /dev/null "http://$SERVER/large" # not watched any more
	touch "$BATS_TEST_TMPDIR/go2" "$BATS_TEST_TMPDIR/stop"
	wait "$client" "$sender"
	output=$(<"$BATS_TEST_TMPDIR/out")
	python3 - "$BATS_TEST_TMPDIR/out" <<-'P'
		import json, sys
		lines = [json.loads(l) for l in open(sys.argv[1])]
		lo = [o for o in lines if o.get("type") == "flow_record" and 7001 in (o["sourcePort"], o["destinationPort"])]
		assert len(lo) == 1 and lo[0]["endReason"] == "interface_removed" and int(lo[0]["packetsForward"]) > 20, lo
		assert sum(int(o["bytesReverse"]) for o in lines if o.get("interfaceName") == "sr0" and "bytesReverse" in o) < 1000000
	P
}

@test "HV-14 a device's toggles, live: only TCP fingerprints, only http" {
	start
	watch "{\"enabled\":true,\"captureInterfaces\":[\"sr0\"],\"deviceBindings\":[{\"ip\":\"$HOST\",\"profileId\":\"p-7\",\"fingerprint\":{\"tcp\":true},\"dpi\":{\"enabled\":true,\"protocols\":[\"http\"]}}]}"
	in_peer curl -sf -o /dev/null "http://$SERVER/$SECRET.txt"
	in_peer curl -sfk -o /dev/null "https://$SERVER/$SECRET.txt"
	in_peer dig +short +tries=2 +time=2 "@$SERVER" "$SECRET.example" >/dev/null
	seen
	has "o.get('type') == 'dpi_event' and o.get('protocol') == 'http' and o['profileId'] == 'p-7'"
	[ "$(grep -c '"type":"dpi_event"' <<<"$output")" -eq 1 ]
	has "o.get('type') == 'fingerprint_event' and o['ip'] == '$HOST' and o['profileId'] == 'p-7' and o['licenseClean'].get('p0fSignature')"
	run ! grep -q '"ja4":"t' "$BATS_TEST_TMPDIR/out"
	run "$CLIENT" "$SOCKET" apply '{"enabled":true,"dpi":{"enabled":true,"protocols":["htpp"]}}'
	has 'o.get("error", {}).get("code") == "invalid_config" and "dpi.protocols[0]" in o["error"]["message"]'
}

@test "HV-15 the SYN of a stack that the database knows, and of one that it does not" {
	local signature
	start
	watch "$WATCH"
	in_peer curl -sf -o /dev/null "http://$SERVER/$SECRET.txt"
	seen
	signature=$(python3 -c '
import json, sys
for o in map(json.loads, sys.stdin):
    if o.get("type") == "fingerprint_event" and o["ip"] == sys.argv[1]:
        f = o["licenseClean"]
        part = f["p0fSignature"].split(":")
        print(":".join(["*", part[1].split("+")[0]] + part[2:]))
        break' "$HOST" <<<"$output")
	[ -n "$signature" ]
	stop_netprobe
	printf 'classes = unix\n[tcp:request]\nlabel = s:unix:Marble:4.x\nsig = %s\n' "$signature" >"$BATS_TEST_TMPDIR/s/known.fp"
	printf 'classes = unix\n[tcp:request]\nlabel = s:unix:Other:1.x\nsig = 4:33:0:1:2,3:mss::0\n' >"$BATS_TEST_TMPDIR/s/unknown.fp"
	start --fingerprint-db "$BATS_TEST_TMPDIR/s/known.fp"
	watch "$WATCH"
	in_peer curl -sf -o /dev/null "http://$SERVER/$SECRET.txt"
	seen
	has "o.get('type') == 'fingerprint_event' and o['ip'] == '$HOST' and o['licenseClean'].get('p0fMatch', {}).get('label') == 's:unix:Marble:4.x'"
	stop_netprobe
	start --fingerprint-db "$BATS_TEST_TMPDIR/s/unknown.fp"
	watch "$WATCH"
	in_peer curl -sf -o /dev/null "http://$SERVER/$SECRET.txt"
	seen
	has "o.get('type') == 'fingerprint_event' and o['ip'] == '$HOST' and o['licenseClean']['p0fSignature'] and not o['licenseClean'].get('p0fMatch') and o['licenseClean'].get('osMatch', {}).get('confidence', 0) == 0"
}

@test "HV-18 ten handshakes within the sample interval: one event of each class" {
	start
	watch '{"enabled":true,"captureInterfaces":["sr0"],"defaultSampleIntervalMs":600000}'
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		in_peer curl -sfk -o /dev/null "https://$SERVER/$SECRET.txt"
	done
	seen
	[ "$(grep -c '"type":"dpi_event"' <<<"$output")" -eq 1 ]
	[ "$(grep -c '"type":"fingerprint_event"' <<<"$output")" -eq 1 ]
	[ "$(grep -c '"type":"flow_record"' <<<"$output")" -ge 10 ]
	output=$(grep flowCapture <<<"$output" | tail -n 1)
	has 'int(o["pingAck"]["flowCapture"]["eventsSampled"]) == 18'
}

@test "HV-21 above its CPU threshold fewer packets of a flow are looked at, and all of them again when it is calm" {
	local load
	start --cpu-percent 2
	"$CLIENT" "$SOCKET" apply '{"enabled":true,"captureInterfaces":["lo"]}' >/dev/null
	# Every packet a flow of its own.
	in_ns python3 -c '
import os, socket, sys, time
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
for s in sockets:
    s.bind(("127.0.0.1", 0))
deadline = time.time() + 60
while not os.path.exists(sys.argv[1]) and time.time() < deadline:
    for port in range(10000, 60000):
        for s in sockets:
            s.sendto(b"\0" * 100, ("127.0.0.1", port))
        if port % 100 == 0 and os.path.exists(sys.argv[1]):
            break
' "$BATS_TEST_TMPDIR/stop" &
	load=$!
	until_ok 40 grep -q 'packets looked at for each flow packets=8' "$BATS_TEST_TMPDIR/log"
	run "$CLIENT" "$SOCKET" ping
	has '"pingAck" in o and o["pingAck"]["flowCapture"]["packetsPerFlow"] < 16'
	touch "$BATS_TEST_TMPDIR/stop"
	wait "$load"
	"$CLIENT" "$SOCKET" apply '{"enabled":true}' >/dev/null
	until_ok 60 grep -q 'packets looked at for each flow packets=16' "$BATS_TEST_TMPDIR/log"
	run "$CLIENT" "$SOCKET" ping
	has '"pingAck" in o and o["pingAck"]["flowCapture"]["packetsPerFlow"] == 16'
}

@test "a client that does not read: queues are bounded, what was dropped is counted" {
	start
	"$CLIENT" "$SOCKET" apply '{"enabled":true,"captureInterfaces":["lo"]}' wait "$BATS_TEST_TMPDIR/go" settle ping >"$BATS_TEST_TMPDIR/out" 3>&- &
	client=$!
	until_ok 10 grep -q configHash "$BATS_TEST_TMPDIR/out"
	in_ns python3 -c '
import socket
for i in range(40000):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 10000 + i))
    s.sendto(bytes.fromhex("123401000001000000000000") + b"\7example\0\0\1\0\1", ("127.0.0.1", 53))
    s.close()'
	touch "$BATS_TEST_TMPDIR/go"
	wait "$client"
	[ "$(proc_field RssAnon | cut -d' ' -f1)" -lt 49152 ]
	output=$(tail -n 1 "$BATS_TEST_TMPDIR/out")
	echo "# RssAnon $(proc_field RssAnon), $(grep -o '"dpiEvents[A-Za-z]*":"[0-9]*"' <<<"$output" | tr '\n' ' ')" >&3
	has 'int(o["pingAck"]["flowCapture"]["dpiEventsDropped"]) > 0'
	has 'int(o["pingAck"]["flowCapture"]["dpiEventsDropped"]) + int(o["pingAck"]["flowCapture"]["dpiEventsDelivered"]) == int(o["pingAck"]["flowCapture"]["flowsClassified"])'
}

# events FILE: the protocols of a file of JSON lines, one a line, sorted.
events() {
	python3 -c '
import json, sys
print("\n".join(sorted(" ".join(map(str, (o["transportProtocol"], o["sourceIp"], o["sourcePort"], o["destinationIp"], o["destinationPort"],
    o["protocol"]))) for o in map(json.loads, open(sys.argv[1])) if o.get("type") == "dpi_event")))' "$1"
}

@test "HV-17 --read: a capture of the same packets says the same, each time, without privilege and without a secret" {
	local capture=$BATS_TEST_TMPDIR/s/capture.pcap tcpdump
	start
	watch "$WATCH"
	ip netns exec "$NS" tcpdump -i sr0 -U -w "$capture" --immediate-mode >/dev/null 2>"$BATS_TEST_TMPDIR/tcpdump" 3>&- &
	tcpdump=$!
	until_ok 10 grep -q 'listening on' "$BATS_TEST_TMPDIR/tcpdump"
	every_client
	seen
	kill -TERM "$tcpdump"
	wait "$tcpdump" || :
	chmod 644 "$capture"
	for i in 1 2; do
		setpriv --reuid=nobody --regid=nogroup --clear-groups --bounding-set=-all "$BATS_TEST_TMPDIR/s/netprobe" --read "$capture" --json \
			>"$BATS_TEST_TMPDIR/read$i"
	done
	cmp "$BATS_TEST_TMPDIR/read1" "$BATS_TEST_TMPDIR/read2"
	events "$BATS_TEST_TMPDIR/out" >"$BATS_TEST_TMPDIR/live"
	events "$BATS_TEST_TMPDIR/read1" >"$BATS_TEST_TMPDIR/offline"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/live")" -ge 10 ]
	diff "$BATS_TEST_TMPDIR/live" "$BATS_TEST_TMPDIR/offline"
	output=$(<"$BATS_TEST_TMPDIR/read1")
	has "o['type'] == 'flow_record' and o.get('protocol') == 'http' and int(o['packetsForward']) > 3 and int(o['packetsReverse']) > 2"
	has "o['type'] == 'fingerprint_event' and o['ip'] == '$SERVER' and o['licenseClean'].get('p0fSignature', '').startswith('4:64+0:')"
	run grep -c "$SECRET" "$BATS_TEST_TMPDIR/read1"
	[ "$output" = 0 ]
	[ "$(grep -c "$SECRET" "$capture")" -gt 0 ]
	# pcapng through a pipe, as a table.
	run "$NETPROBE" --read - <"$capture"
	[ "$status" -eq 0 ]
	[[ "$output" == *"  ssh ("* ]]
	# Damaged: what could be read, then where it ends.
	head -c 5000 "$capture" >"$BATS_TEST_TMPDIR/cut.pcap"
	run --separate-stderr "$NETPROBE" --read "$BATS_TEST_TMPDIR/cut.pcap" --json
	[ "$status" -eq 3 ]
	[[ "$stderr" == *"cut.pcap: damaged at byte"* ]]
	[ "${#lines[@]}" -gt 0 ]
	run "$NETPROBE" --read "$BATS_TEST_TMPDIR/nothing" --json
	[ "$status" -eq 3 ]
	[[ "$output" == *"nothing: No such file"* ]]
}
