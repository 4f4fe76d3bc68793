#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A day of an agent's life, SOAK_HOURS of it (4 unless set; `make check-soak` takes 24): a minute passes in 250 ms, by the agent's own interval
# and not by another clock.

load common
NAME=sr-soak-$FAMILY

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	prepare_repo
	EXTRA=$(dirname "$("$TOP/tests/package/sample-package" "$FAMILY" "$TOP/build" "$WORK/extra")")
	minisign -G -W -f -p "$WORK/key.pub" -s "$WORK/key.key" >/dev/null
	"$CT" up "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")" --bind-ro="$REPO:/srv/repo" --bind-ro="$EXTRA:/srv/extra"
	ROOT=$("$CT" root "$NAME")
	export ROOT
	mkdir -p "$ROOT/etc/systemd/system/serviceradar-agent.service.d"
	printf '[Service]\nEnvironment=SERVICERADAR_RECONCILE_MS=250\n' >"$ROOT/etc/systemd/system/serviceradar-agent.service.d/interval.conf"
	use_repo in_ct
	pkg install serviceradar-netprobe
	case $FAMILY in
	deb) in_ct sh -c 'apt-get -q -y install /srv/extra/*.deb' ;;
	rpm) in_ct sh -c 'dnf -q -y --releasever=9 install /srv/extra/*.rpm' ;;
	esac
	# A disk of its own for the events, to be filled.
	sh_ct 'systemctl stop serviceradar-agent; mount -t tmpfs -o size=40m,mode=0750,uid=serviceradar,gid=serviceradar events /var/log/serviceradar
		systemctl start serviceradar-agent'
	echo '{"sinks": {"journal": true, "otlp": {"lab": {"url": "http://127.0.0.1:4318/v1/logs"}}}}' >"$ROOT/etc/serviceradar/agent.json"
	in_ct systemctl reload serviceradar-agent
	install -m 0644 "$WORK/key.pub" "$ROOT/etc/serviceradar/keys.d/key.pub"
	heartbeat_bundle
	in_ct srctl addon enable netprobe
	in_ct srctl addon enable sample-timer
	in_ct srctl addon enable metrics
	sh_ct 'cp /etc/serviceradar/addons.d/*.json /root/'
	cp "$TOP/tests/package/soak.py" "$ROOT/root/"
}

teardown_file() {
	"$CT" down "$NAME"
	rm -rf "$WORK"
}

active() { in_ct grep -q '"state": "active"' "/run/serviceradar/addons/$1.json"; }

@test "NP-6 DL-4 DL-9 flips, crashes, sinks that are gone: nothing is lost, no state sticks, memory does not grow" {
	local hours=${SOAK_HOURS:-4} seed=${SOAK_SEED:-$RANDOM}
	until_ok 20 active heartbeat
	# As many flows as the agent keeps, so that their room is taken before it is measured.
	sh_ct "python3 -c '
import socket
for i in range(3000):
    s = socket.socket(); s.connect_ex((\"127.0.0.1\", 1)); s.close()'"
	# A short run has fewer samples: what an average of hours evens out is allowed for.
	[ "$hours" -ge 24 ] || export GROWTH_PERCENT=3
	run in_ct env GROWTH_PERCENT="${GROWTH_PERCENT:-1}" python3 /root/soak.py $((hours * 60)) 250 "$seed"
	echo "seed $seed: $output"
	echo "# seed $seed: ${output//$'\n'/$'\n# '}" >&3
	[ "$status" -eq 0 ]
}
