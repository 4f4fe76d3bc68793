#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# netprobe as a signed bundle on a booted system that has the base package only. Bundles are made by `make bundle` and stock
# minisign; the tests go on from each other.

load common
NAME=sr-bundle-$FAMILY
ADDON=/var/lib/serviceradar/addons/netprobe
ID=netprobe

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	[ -d "$TOP/build/bundle/netprobe" ] # make bundle; check has made it
	key first
	key second
	key stranger
	boot serviceradar-agent
	mkdir -p "$ROOT/srv/bundles"
	install -m 0644 "$WORK/first.pub" "$ROOT/etc/serviceradar/keys.d/first.pub"
}

teardown_file() {
	"$CT" down "$NAME"
	rm -rf "$WORK"
}

key() { minisign -G -W -f -p "$WORK/$1.pub" -s "$WORK/$1.key" >/dev/null; }
key_id() { sed -n '1s/.* //p' "$WORK/$1.pub"; }

# bundle KEY VERSION [SED-SCRIPT [BINARY]]: netprobe's bundle under another version, its manifest edited, its binary replaced;
# signed by KEY and put into the container's /srv/bundles.
bundle() {
	local dir=$WORK/payload file=$ID"_$2_linux_amd64.tar.gz"
	rm -rf "$dir"
	cp -r "$TOP/build/bundle/netprobe" "$dir"
	sed -i -e "s/^version: .*/version: \"$2\"/" -e "${3:-}" "$dir/addon.yaml"
	[ -z "${4:-}" ] || install -m 0755 "$4" "$dir/serviceradar-netprobe"
	(cd "$TOP" && mk/pack.sh "$dir" "$WORK/$file" && mk/sign.sh "$WORK/$1.key" "$WORK/$file" >/dev/null)
	cp "$WORK/$file" "$WORK/$file.minisig" "$ROOT/srv/bundles/"
}
path_of() { echo "/srv/bundles/${ID}_$1_linux_amd64.tar.gz"; }
sum_of() { sha256sum "$ROOT$(path_of "$1")" | cut -d' ' -f1; }

# assignment VERSION [SHA256 [URL]]: of a bundle, to standard output.
assignment() {
	cat <<-J
		{"addon_id": "$ID", "enabled": true, "delivery": "pushed-artifact", "version": "$1",
		 "artifact": {"url": "${3:-file://$(path_of "$1")}", "sha256": "${2:-$(sum_of "$1")}"},
		 "approved_capabilities": ["host-network-visibility"], "config": {"enabled": true}}
	J
}
# assign ...: set on this host, as an administrator does.
assign() {
	assignment "$@" >"$ROOT/etc/serviceradar/addons.d/.$ID.new"
	mv "$ROOT/etc/serviceradar/addons.d/.$ID.new" "$ROOT/etc/serviceradar/addons.d/$ID.json"
}
unassign() { rm -f "$ROOT/etc/serviceradar/addons.d/$ID.json"; }
status() { in_ct cat "/run/serviceradar/addons/$ID.json"; }
active_is() { [ "$(in_ct readlink "$ADDON/current")" = "versions/$1" ] && status_is active_version "$1" && status_is state active; }
last_error_has() { status | grep -q "\"last_error\": .*$1"; }
tree() { (cd "$ROOT" && find var/lib/serviceradar/addons etc/systemd usr/lib/serviceradar -printf '%p %m %U %G %l ' -type f -exec sha256sum {} + -o -printf '\n' 2>/dev/null | sort); }

@test "NP-2 unsigned, by a stranger, by a revoked key, with another digest: refused, and nothing is changed" {
	bundle first 1.5.0
	bundle stranger 1.5.1
	bundle first 1.5.2
	printf x >>"$ROOT$(path_of 1.5.2)"
	bundle first 1.5.3
	rm "$ROOT$(path_of 1.5.3).minisig"
	bundle second 1.5.4
	install -m 0644 "$WORK/second.pub" "$ROOT/etc/serviceradar/keys.d/second.pub"
	key_id second >"$ROOT/etc/serviceradar/keys.d/revoked"
	local before
	before=$(tree)
	for v in 1.5.1 1.5.2 1.5.3 1.5.4; do
		run in_ct "$UPDATER" stage "$(path_of $v)"
		echo "$output"
		[ "$status" -eq 2 ]
		[ "${#lines[@]}" -eq 1 ]
	done
	[[ "$output" == *revoked* ]]
	[ "$(tree)" = "$before" ]
	rm "$ROOT/etc/serviceradar/keys.d/revoked" "$ROOT/etc/serviceradar/keys.d/second.pub"
	in_ct "$UPDATER" verify "$(path_of 1.5.0)"
	[ "$(tree)" = "$before" ]
}

@test "DL-1 NP-1 assigned as a bundle: fetched, verified, staged whole, current by one link, running with its capabilities" {
	assign 1.5.0
	until_ok 20 active_is 1.5.0
	in_ct sh -c "cd $ADDON/versions/1.5.0 && ls -A" | sort >"$WORK/names"
	diff "$WORK/names" - <<<$'.origin.json\naddon.yaml\nconfig.schema.json\nserviceradar-netprobe'
	[ "$(in_ct stat -c '%U:%G %a' "$ADDON/versions/1.5.0/serviceradar-netprobe")" = "root:serviceradar 750" ]
	status_is grant_mode file+ambient
	local pid
	pid=$(main_pid serviceradar-netprobe)
	[ "$(proc_field "$pid" NoNewPrivs)" = 1 ]
	[ $((0x$(proc_field "$pid" CapPrm))) -eq $(((1 << 13) | (1 << 38) | (1 << 39))) ]
	run drift_none
	[ "$status" -eq 0 ]
}

@test "the rendered unit and the packaged one are the same bytes for the same manifest" {
	for u in service socket; do
		cmp "$ROOT/etc/systemd/system/serviceradar-netprobe.$u" "$TOP/systemd/serviceradar-netprobe.$u"
	done
}

@test "DL-1 a new version over https with a client certificate: previous names the one before" {
	bundle first 1.6.0
	(
		cd "$WORK"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout server.key -out server.csr
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem \
			-extfile <(echo subjectAltName=DNS:localhost)
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=agent -keyout agent.key -out agent.csr
		openssl x509 -req -in agent.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out agent.pem
	) 2>/dev/null
	cp "$WORK"/{ca,server,agent}.pem "$WORK"/{server,agent}.key "$ROOT/srv/"
	chmod 0644 "$ROOT"/srv/*.pem "$ROOT"/srv/*.key
	cat >"$ROOT/srv/https.py" <<-'P'
		import http.server, ssl
		s = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), lambda *a: http.server.SimpleHTTPRequestHandler(*a, directory="/srv/bundles"))
		c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		c.load_cert_chain("/srv/server.pem", "/srv/server.key")
		c.load_verify_locations("/srv/ca.pem")
		c.verify_mode = ssl.CERT_REQUIRED
		s.socket = c.wrap_socket(s.socket, server_side=True)
		s.serve_forever()
	P
	in_ct systemd-run -q --unit=t-https python3 /srv/https.py
	echo '{"fetch": {"ca_file": "/srv/ca.pem", "client_cert": "/srv/agent.pem", "client_key": "/srv/agent.key"}}' >"$ROOT/etc/serviceradar/agent.json"
	in_ct systemctl restart serviceradar-agent
	until_ok 10 in_ct sh -c 'ss -Hltn sport = :8443 | grep -q .'
	assign 1.6.0 "$(sum_of 1.6.0)" "https://localhost:8443/${ID}_1.6.0_linux_amd64.tar.gz"
	until_ok 20 active_is 1.6.0
	[ "$(in_ct readlink "$ADDON/previous")" = versions/1.5.0 ]
}

@test "NP-5 a version that does not get ready: the one before is current and running again, the failure in the status" {
	printf '#!/bin/sh\nexit 3\n' >"$WORK/broken"
	bundle first 1.7.0 "" "$WORK/broken"
	assign 1.7.0
	until_ok 30 last_error_has netprobe
	until_ok 10 drift_has version_mismatch
	until_ok 10 in_ct test ! -e "$ADDON/journal" # the attempt is over
	[ "$(in_ct readlink "$ADDON/current")" = versions/1.6.0 ]
	[ "$(in_ct readlink "$ADDON/previous")" = versions/1.5.0 ]
	[ "$(in_ct systemctl is-active serviceradar-netprobe)" = active ]
	status_is active_version 1.6.0
}

@test "NP-5 a version that gets ready and dies in its settle time: the one before again" {
	cat >"$WORK/mayfly" <<-'S'
		#!/usr/bin/python3
		import os, socket, time
		s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		a = os.environ["NOTIFY_SOCKET"]
		s.sendto(b"READY=1", "\0" + a[1:] if a[0] == "@" else a)
		time.sleep(0.3)
	S
	bundle first 1.7.1 "s/os_capabilities: .*/os_capabilities: []/" "$WORK/mayfly"
	in_ct "$UPDATER" stage "$(path_of 1.7.1)"
	run in_ct "$UPDATER" activate netprobe 1.7.1
	echo "$output"
	[ "$status" -eq 3 ]
	[[ "$output" == *"did not stay up"* ]]
	[ "$(in_ct readlink "$ADDON/current")" = versions/1.6.0 ]
	until_ok 10 in_ct systemctl is-active serviceradar-netprobe
}

@test "DL-7 a delivery that fails leaves the running process alone, and is recorded" {
	assign 1.6.0
	until_ok 20 active_is 1.6.0
	local pid
	pid=$(main_pid serviceradar-netprobe)
	assign 1.8.0 "$(printf %064d 0)" "https://localhost:8443/nothing.tar.gz"
	until_ok 20 last_error_has 404
	bundle first 1.8.1
	assign 1.8.1 "$(printf %064d 0)"
	until_ok 20 last_error_has "sha256"
	bundle stranger 1.8.2
	assign 1.8.2
	until_ok 20 last_error_has "does not trust"
	status_is active_version 1.6.0
	[ "$(main_pid serviceradar-netprobe)" = "$pid" ]
	drift_has version_mismatch
}

@test "DL-8 an assignment of this host wins over a pushed one, and the status says so" {
	assign 1.6.0
	in_ct install -d -o serviceradar -g serviceradar -m 0700 /var/lib/serviceradar/agent/assignments.d
	assignment 1.5.0 >"$ROOT/var/lib/serviceradar/agent/assignments.d/$ID.json"
	chown "$(stat -c %u "$ROOT/var/lib/serviceradar/agent")" "$ROOT/var/lib/serviceradar/agent/assignments.d/$ID.json"
	until_ok 10 overrides true
	until_ok 20 active_is 1.6.0
	unassign
	until_ok 20 source_is pushed
	until_ok 10 last_error_has "older than 1.6.0"
	status_is active_version 1.6.0
	rm "$ROOT/var/lib/serviceradar/agent/assignments.d/$ID.json"
	assign 1.6.0
	until_ok 20 active_is 1.6.0
	until_ok 10 overrides false
}
overrides() { status | grep -q "\"overrides_pushed\": *$1"; }
source_is() { status | grep -q "\"source\": *\"$1\""; }

@test "DL-10 a downgrade without a pin, and the same version with other bytes, are refused" {
	run in_ct "$UPDATER" activate netprobe 1.5.0
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *"older than 1.6.0"* ]]
	bundle first 1.6.0 "s/^description: .*/description: not the same/"
	run in_ct "$UPDATER" stage "$(path_of 1.6.0)"
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *"published once"* ]]
	bundle first 1.6.0
	run in_ct "$UPDATER" stage "$(path_of 1.6.0)"
	[ "$status" -eq 0 ]
	[[ "$output" == *"staged already"* ]]
	assign 1.5.0 # an administrator's assignment pins version and digest
	until_ok 20 active_is 1.5.0
	assign 1.6.0
	until_ok 20 active_is 1.6.0
}

@test "NP-6 binary_modified: an edited program of a staged version is staged again; unit_modified: named until it is repaired" {
	printf x >"$ROOT$ADDON/versions/1.6.0/config.schema.json.x" # no file of the bundle: nobody minds
	rm "$ROOT$ADDON/versions/1.6.0/config.schema.json.x"
	systemctl_stop_agent
	cp "$ROOT$ADDON/versions/1.6.0/serviceradar-netprobe" "$WORK/good"
	cp "$WORK/good" "$WORK/bad"
	printf x >>"$WORK/bad"
	install -m 0750 "$WORK/bad" "$ROOT$ADDON/versions/1.6.0/.x" && mv "$ROOT$ADDON/versions/1.6.0/.x" "$ROOT$ADDON/versions/1.6.0/serviceradar-netprobe"
	run in_ct "$UPDATER" activate netprobe 1.6.0
	[ "$status" -eq 2 ]
	[[ "$output" == *"changed after it was staged"* ]]
	rm "$ROOT$(path_of 1.6.0)" "$ROOT/var/lib/serviceradar/agent/bundles/"*
	in_ct systemctl start serviceradar-agent
	until_ok 10 drift_has binary_modified
	bundle first 1.6.0
	assign 1.6.0
	until_ok 20 drift_none
	cmp "$ROOT$ADDON/versions/1.6.0/serviceradar-netprobe" "$WORK/good"
	until_ok 10 active_is 1.6.0
	echo '# edited' >>"$ROOT/etc/systemd/system/serviceradar-netprobe.service"
	until_ok 10 drift_has unit_modified
	sed -i '/^# edited$/d' "$ROOT/etc/systemd/system/serviceradar-netprobe.service"
	until_ok 10 drift_none
}
systemctl_stop_agent() { in_ct systemctl stop serviceradar-agent; }

@test "DL-6 NP-6 another processor, a base agent that is too old: unsupported with the reason, never reported as applied" {
	local sum
	bundle first 2.0.0 "s/base_agent: .*/base_agent: \">=99.0.0\"/"
	assign 2.0.0
	until_ok 20 drift_has base_agent_too_old
	status_is state unsupported
	bundle first 2.0.1 "s/platforms: .*/platforms: [linux\/riscv64]/"
	assign 2.0.1
	until_ok 20 drift_has arch_unsupported
	status_is state unsupported
	bundle first 2.0.2 "s/platforms: .*/platforms: [plan9\/amd64]/"
	assign 2.0.2
	until_ok 20 drift_has platform_unsupported
	status_is active_version 1.6.0
	[ "$(in_ct systemctl is-active serviceradar-netprobe)" = active ]
	assign 1.6.0
	until_ok 20 active_is 1.6.0
}

@test "DL-11 NP-6 a new key is added, the old one revoked: new bundles verify, old ones do not, and what runs is named" {
	bundle second 1.9.0
	install -m 0644 "$WORK/second.pub" "$ROOT/etc/serviceradar/keys.d/second.pub"
	in_ct "$UPDATER" verify "$(path_of 1.9.0)"
	in_ct "$UPDATER" verify "$(path_of 1.6.0)"
	key_id first >"$ROOT/etc/serviceradar/keys.d/revoked"
	until_ok 10 drift_has signature_key_revoked
	run in_ct "$UPDATER" verify "$(path_of 1.6.0)"
	[ "$status" -eq 2 ]
	run in_ct "$UPDATER" activate netprobe 1.5.0 --allow-downgrade
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *revoked* ]]
	assign 1.9.0
	until_ok 20 active_is 1.9.0
	until_ok 10 drift_none
}

@test "rollback: what was active before is again; two pushed versions are kept" {
	bundle second 1.9.1
	assign 1.9.1
	until_ok 20 active_is 1.9.1
	systemctl_stop_agent
	in_ct "$UPDATER" rollback netprobe
	[ "$(in_ct readlink "$ADDON/current")" = versions/1.9.0 ]
	[ "$(in_ct readlink "$ADDON/previous")" = versions/1.9.1 ]
	[ "$(in_ct systemctl is-active serviceradar-netprobe)" = active ]
	in_ct "$UPDATER" rollback netprobe
	[ "$(in_ct readlink "$ADDON/current")" = versions/1.9.1 ]
	[ "$(in_ct ls "$ADDON/versions")" = $'1.9.0\n1.9.1' ]
	in_ct systemctl start serviceradar-agent
	until_ok 20 active_is 1.9.1
}

@test "srctl addon rollback: the version before is assigned by name and stays; the package's too" {
	in_ct srctl addon rollback "$ID"
	active_is 1.9.0
	grep -q '"version": *"1.9.0"' "$ROOT/etc/serviceradar/addons.d/$ID.json"
	in_ct systemctl restart serviceradar-agent
	until_ok 20 active_is 1.9.0
	until_ok 10 drift_none
	in_ct srctl addon rollback "$ID"
	active_is 1.9.1
	# To the package's: on a root of its own, for here it is not installed.
	sh_ct 'mkdir -p /root/r/etc/serviceradar/addons.d /root/r/var/lib/serviceradar/addons/netprobe
		cp /etc/serviceradar/addons.d/netprobe.json /root/r/etc/serviceradar/addons.d/
		echo "{\"previous\": \"packaged\"}" >/root/r/var/lib/serviceradar/addons/netprobe/state.json
		srctl --root /root/r addon rollback netprobe --no-wait'
	run sh_ct 'cat /root/r/etc/serviceradar/addons.d/netprobe.json'
	[[ $output == *'"delivery":"os-package"'* ]]
	[[ $output != *'"version"'* && $output != *'"artifact"'* && $output == *'"approved_capabilities"'* ]]
	run in_ct runuser -u nobody -- srctl addon rollback "$ID"
	[ "$status" -eq 2 ]
	[[ $output == *"only root may write it"* ]]
	run in_ct srctl addon rollback metrics
	[ "$status" -eq 2 ]
	[[ $output == *"metrics: there is nothing to roll back to"* ]]
	assign 1.9.1
	until_ok 20 active_is 1.9.1
}

fetching() { status | grep -q '"total": *[1-9]'; }

@test "srctl addon on a terminal: how much of a bundle is fetched is shown, and is in the status; elsewhere only what comes of it" {
	local drawn size command url=http://localhost:8081/$ID
	bundle second 1.9.2
	size=$(stat -c %s "$ROOT$(path_of 1.9.2)")
	cat >"$ROOT/srv/slow.py" <<-'P'
		import http.server, os, sys, time
		class Slow(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        data = open("/srv/bundles" + self.path, "rb").read()
		        self.send_response(200)
		        self.send_header("Content-Length", str(len(data)))
		        self.end_headers()
		        for i in range(0, len(data), 4096):
		            self.wfile.write(data[i:i + 4096])
		            time.sleep(4 * 4096 / len(data) if len(data) > 4096 else 0)
		http.server.ThreadingHTTPServer(("127.0.0.1", 8081), Slow).serve_forever()
	P
	in_ct systemd-run -q --unit=t-slow python3 /srv/slow.py
	until_ok 10 in_ct sh -c 'ss -Hltn sport = :8081 | grep -q .'
	assign 1.9.2 "$(sum_of 1.9.2)" "${url}_1.9.2_linux_amd64.tar.gz"
	until_ok 10 fetching
	status_is action fetching
	[[ $(in_ct srctl addon status "$ID") == *"Action: fetching"*"Bytes here: "[1-9]*"Bytes in all: $size"* ]]
	run in_ct script -qec "stty cols 100; TERM=xterm srctl addon config $ID --set enabled=true" /dev/null
	echo "$output"
	[ "$status" -eq 0 ]
	drawn=$(drawn "$output" | grep '^netprobe: fetching')
	[ "$(wc -l <<<"$drawn")" -ge 4 ]
	[ "$(grep -cvE '\[#+-+\]  +[0-9]+ %  [0-9.]+/[0-9.]+ KiB' <<<"$drawn")" -eq 0 ]
	[ "$(grep -cE 'KiB/s  0:0[0-4] left$' <<<"$drawn")" -ge 3 ]
	[[ $(tail -n 1 <<<"$drawn") =~ ([789][0-9]|100)\ % ]]
	[[ $output == *$'\r\033[K'"$ID is active."* ]]
	status_is active_version 1.9.2
	status_is action None
	run status
	[[ $output != *'"fetch"'* ]]

	# Again, for those who see none.
	for command in "TERM=dumb srctl addon config $ID --set enabled=true" "TERM=xterm srctl addon config $ID --set enabled=true 2>&1 | cat"; do
		assign 1.9.1
		until_ok 20 active_is 1.9.1
		in_ct rm -rf "$ADDON/versions/1.9.2" "/var/lib/serviceradar/agent/bundles/$ID.tar.gz"
		assign 1.9.2 "$(sum_of 1.9.2)" "${url}_1.9.2_linux_amd64.tar.gz"
		until_ok 10 fetching
		run in_ct script -qec "$command" /dev/null
		echo "$output"
		[ "$output" = "$ID is active."$'\r' ]
	done
	in_ct systemctl stop t-slow
	assign 1.9.1
	until_ok 20 active_is 1.9.1
}

@test "a signed catalog: only what it approves is assigned; a host's own decision counts more; one that does not hold allows nothing" {
	catalog() { # catalog SERIAL LIFECYCLE VERSION...
		local serial=$1 lifecycle=$2 sum
		shift 2
		python3 - "$serial" "$lifecycle" "$@" >"$WORK/catalog.json" <<-P
			import hashlib, json, sys
			sums = {v: hashlib.sha256(open(f"$ROOT/srv/bundles/${ID}_{v}_linux_amd64.tar.gz", "rb").read()).hexdigest() for v in sys.argv[3:]}
			print(json.dumps({"serial": int(sys.argv[1]), "packages": [{"id": "$ID", "version": v, "os": "linux", "arch": "amd64",
			      "sha256": s, "lifecycle": sys.argv[2]} for v, s in sums.items()]}))
		P
		sum=$(sha256sum <"$WORK/catalog.json")
		minisign -S -H -W -s "$WORK/second.key" -m "$WORK/catalog.json" -t "catalog serial=$serial sha256=${sum%% *}" >/dev/null
		install -m 0644 "$WORK/catalog.json.minisig" "$ROOT/etc/serviceradar/catalog.json.minisig"
		install -m 0644 "$WORK/catalog.json" "$ROOT/etc/serviceradar/.catalog.new"
		mv "$ROOT/etc/serviceradar/.catalog.new" "$ROOT/etc/serviceradar/catalog.json"
	}
	bundle second 1.9.5
	catalog 1 staged 1.9.1 1.9.5
	assign 1.9.5
	until_ok 20 last_error_has "staged in .*not approved"
	status_is active_version 1.9.1
	catalog 2 approved 1.9.5
	assign 1.9.5
	until_ok 20 active_is 1.9.5
	printf ' ' >>"$ROOT/etc/serviceradar/catalog.json"
	bundle second 1.9.6
	assign 1.9.6
	until_ok 20 last_error_has "catalog.json: the signature does not hold"
	catalog 3 approved 1.9.5
	until_ok 20 last_error_has "1.9.6 for amd64: not in"
	in_ct srctl addon approve netprobe 1.9.6
	until_ok 20 active_is 1.9.6
	in_ct srctl addon revoke netprobe 1.9.5
	assign 1.9.5
	until_ok 20 last_error_has "revoked on this host"
	status_is active_version 1.9.6
	rm "$ROOT"/etc/serviceradar/{catalog.json,catalog.json.minisig,approvals.json}
	assign 1.9.6
	until_ok 20 active_is 1.9.6
	bundle second 1.9.7
	assign 1.9.7
	until_ok 20 active_is 1.9.7
	assign 1.9.6
	until_ok 20 active_is 1.9.6
}

@test "DL-9 a second add-on crashes and is disabled: netprobe and the agent are not touched" {
	local pid agent
	pid=$(main_pid serviceradar-netprobe)
	agent=$(main_pid serviceradar-agent)
	printf '#!/bin/sh\nexec sleep infinity\n' >"$WORK/sleeper"
	ID=sleeper
	bundle second 1.0.0 "s/^id: .*/id: sleeper/; s/^name: .*/name: Sleeper/; s/os_capabilities: .*/os_capabilities: []/; s/notify: true/notify: false/; /^socket:/,/mode:/d" "$WORK/sleeper"
	assign 1.0.0
	until_ok 20 in_ct grep -q '"state": *"active"' /run/serviceradar/addons/sleeper.json
	in_ct systemctl kill -s KILL serviceradar-sleeper
	until_ok 10 in_ct systemctl is-active serviceradar-sleeper
	sed -i 's/"enabled": true, "delivery"/"enabled": false, "delivery"/' "$ROOT/etc/serviceradar/addons.d/sleeper.json"
	until_ok 20 in_ct grep -q '"state": *"disabled"' /run/serviceradar/addons/sleeper.json
	run in_ct systemctl is-active serviceradar-sleeper
	[ "$output" = inactive ]
	unassign
	in_ct "$UPDATER" remove sleeper
	ID=netprobe
	[ "$(main_pid serviceradar-netprobe)" = "$pid" ]
	[ "$(main_pid serviceradar-agent)" = "$agent" ]
}

@test "50 callers of mixed verbs at once: one after the other or busy, and the tree is whole" {
	systemctl_stop_agent
	# shellcheck disable=SC2016 # expanded in the container
	in_ct bash -c '
		verbs=("activate netprobe 1.9.7" "activate netprobe 1.9.6 --allow-downgrade" "rollback netprobe" "deactivate netprobe"
			"stage '"$(path_of 1.9.6)"'" "verify '"$(path_of 1.9.7)"'" "grant netprobe" "recover" "status netprobe" "reconcile netprobe")
		for i in {0..49}; do
			# shellcheck disable=SC2086
			('"$UPDATER"' ${verbs[i % 10]} >/dev/null 2>&1; echo $?) &
		done
		wait' >"$WORK/results"
	sort "$WORK/results" | uniq -c
	[ "$(wc -l <"$WORK/results")" -eq 50 ]
	run grep -vxE '0|2|5' "$WORK/results" # 2: nothing to roll back to, nothing active to grant
	[ "$output" = "" ]
	in_ct "$UPDATER" recover
	in_ct sh -c "! find $ADDON /etc/systemd/system -name '.*.new' | grep ."
	in_ct test ! -e "$ADDON/journal"
	in_ct "$UPDATER" activate netprobe 1.9.7
	[ "$(in_ct systemctl is-active serviceradar-netprobe)" = active ]
	in_ct systemctl start serviceradar-agent
	until_ok 20 active_is 1.9.6
}

@test "NP-3 the assignment is taken away: stopped, disabled, staged versions stay; remove leaves nothing" {
	unassign
	until_ok 20 in_ct sh -c "! systemctl is-active -q serviceradar-netprobe && ! systemctl is-enabled -q serviceradar-netprobe"
	[ "$(in_ct ls "$ADDON/versions" | wc -l)" -eq 2 ]
	in_ct test ! -e /etc/systemd/system/serviceradar-netprobe.service
	in_ct "$UPDATER" remove netprobe
	in_ct test ! -e "$ADDON"
}
