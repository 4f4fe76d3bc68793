#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What agent, agent-fetch, agent-forward, updater and netprobe open, change and run on a booted system, held against the policies of AppArmor and
# SELinux: no kernel here enforces them, so each call is taken from strace and looked up in what the policy was compiled to.

load common
NAME=sr-confined

setup_file() {
	prepare_repo
	WORK=$(mktemp -d)
	export WORK
	"$CT" up "$NAME" "$("$TOP/tests/lib/rootfs" deb)" --bind-ro="$REPO:/srv/repo"
	use_repo in_ct
	mkdir "$WORK/traces"
	strace -ff -y -q -s 512 -e trace=%file -o "$WORK/traces/t" -p "$("$CT" pid "$NAME")" 2>"$WORK/strace" &
	echo $! >"$WORK/strace.pid"
	until_ok 10 sh -c "ls $WORK/traces | grep -q ."
}

teardown_file() {
	kill "$(cat "$WORK/strace.pid")" 2>/dev/null || :
	"$CT" down "$NAME"
	"$CT" down "$NAME-policy"
	rm -rf "$WORK"
}

@test "the services are traced from installation to removal, a bundle and a restart between" {
	pkg install serviceradar-agent serviceradar-netprobe
	in_ct srctl addon enable netprobe
	in_ct sh -c 'openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout /dev/null -out /etc/serviceradar/ca.pem 2>/dev/null
		echo "{\"sinks\": {\"journal\": true, \"ipfix\": {\"a\": {\"host\": \"127.0.0.1\"}}, \"syslog\": {\"b\": {\"host\": \"localhost\", \"port\": 1, \"ca_file\": \"/etc/serviceradar/ca.pem\"}},
			\"otlp\": {\"c\": {\"url\": \"https://localhost:1/v1/logs\", \"ca_file\": \"/etc/serviceradar/ca.pem\"}}}}" >/etc/serviceradar/agent.json'
	in_ct systemctl reload serviceradar-agent
	until_ok 10 sh_ct 'srctl sinks --json | grep otlp | grep -q "localhost:1"'
	in_ct sh -c 'curl -s -o /dev/null http://127.0.0.1:1/ || :; srctl flows >/dev/null'

	local version=9.0.0 file root
	root=$("$CT" root "$NAME")
	cp -r "$TOP/build/bundle/netprobe" "$WORK/payload"
	sed -i "s/^version: .*/version: \"$version\"/" "$WORK/payload/addon.yaml"
	minisign -G -W -f -p "$root/etc/serviceradar/keys.d/k.pub" -s "$WORK/k.key" >/dev/null
	file=netprobe_${version}_linux_$(dpkg --print-architecture).tar.gz
	mkdir "$root/srv/bundles"
	(cd "$TOP" && mk/pack.sh "$WORK/payload" "$root/srv/bundles/$file" && mk/sign.sh "$WORK/k.key" "$root/srv/bundles/$file")
	cat >"$root/etc/serviceradar/addons.d/.new" <<-J
		{"addon_id": "netprobe", "enabled": true, "delivery": "pushed-artifact", "version": "$version",
		 "artifact": {"url": "file:///srv/bundles/$file", "sha256": "$(sha256sum <"$root/srv/bundles/$file" | cut -d' ' -f1)"},
		 "approved_capabilities": ["host-network-visibility"], "config": {"enabled": true}}
	J
	mv "$root/etc/serviceradar/addons.d/.new" "$root/etc/serviceradar/addons.d/netprobe.json"
	until_ok 40 status_is active_version "$version"
	until_ok 20 status_is state active
	in_ct systemctl restart serviceradar-agent serviceradar-netprobe
	until_ok 20 status_is state active
	in_ct srctl addon disable netprobe
	in_ct systemctl stop serviceradar-agent serviceradar-updater
	kill "$(cat "$WORK/strace.pid")"
	"$TOP/tests/lib/accesses.py" "$WORK"/traces/* >"$WORK/accesses"
	[ "$(wc -l <"$WORK/accesses")" -gt 200 ]
}

@test "AppArmor: a rule for every file that a service of ours touches" {
	local profile
	for profile in "$TOP"/apparmor/*; do
		apparmor_parser --skip-kernel-load --skip-cache --features-file /etc/apparmor.d/abi/3.0 --debug "$profile" 2>/dev/null
	done >"$WORK/dump"
	run "$TOP/tests/lib/apparmor.py" "$WORK/dump" "$WORK/accesses"
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# ${lines[-1]}" >&3
}

@test "SELinux: a rule for every file that a service of ours touches, by the type of its path" {
	local store=/var/lib/selinux/default/active
	"$CT" mount "$NAME-policy" "$("$TOP/tests/lib/rootfs" selinux)"
	cp -r "$TOP/selinux" "$WORK/accesses" "$TOP/tests/lib/selinux.py" "$("$CT" root "$NAME-policy")/root/"
	"$CT" chroot "$NAME-policy" sh -c 'cd /root/selinux && make -f /usr/share/selinux/devel/Makefile serviceradar.pp >/dev/null && semodule -n -s default -i serviceradar.pp'
	"$CT" chroot "$NAME-policy" checkpolicy -b -M -F -o /root/policy $store/policy.kern
	run "$CT" chroot "$NAME-policy" python3 /root/selinux.py /root/policy $store/file_contexts /root/accesses
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# ${lines[-1]}" >&3
}
