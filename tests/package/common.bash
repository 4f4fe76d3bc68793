# SPDX-License-Identifier: Apache-2.0
# For the package tests: one container a file. FAMILY says which packages are under test: deb (the default) or rpm.
# shellcheck shell=bash

FAMILY=${FAMILY:-deb}
UPDATER=/usr/libexec/serviceradar/agent-updater
PAYLOAD=/usr/lib/serviceradar/addons/netprobe
export UPDATER PAYLOAD

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck source=tests/lib/poll.bash
source "$TOP/tests/lib/poll.bash"
CT=$TOP/tests/lib/ct
export TOP CT

in_ct() { "$CT" exec "$NAME" "$@"; }
sh_ct() { "$CT" exec "$NAME" bash -c "$1"; }

# prepare_repo: a repository of the packages under test; containers see it as /srv/repo.
prepare_repo() {
	REPO=$TOP/build/check/repo-$FAMILY-$NAME
	if [ "$FAMILY" = deb ]; then
		"$TOP/tests/lib/repo" "$TOP/build/deb" "$REPO"
	else
		rm -rf "$REPO"
		mkdir -p "$REPO"
		cp "$TOP"/build/rpm/*."$(uname -m)".rpm "$REPO"
		createrepo_c -q "$REPO"
	fi
}

# use_repo RUN...: tells the container's apt of it, by way of RUN (in_ct, or ct chroot). dnf knows it from the start.
use_repo() {
	[ "$FAMILY" = rpm ] || "$@" sh -c 'echo "deb [trusted=yes] file:/srv/repo ./" >/etc/apt/sources.list && apt-get -q update'
}

# pkg_in RUN... -- install|reinstall|remove|purge PACKAGE...: by the distribution's tool. rpm knows no purge.
pkg_in() {
	local run=()
	while [ "$1" != -- ]; do run+=("$1"); shift; done
	shift
	local verb=$1
	shift
	case $FAMILY-$verb in
	deb-reinstall) "${run[@]}" apt-get -q -y install --reinstall "$@" ;;
	deb-*) "${run[@]}" apt-get -q -y "$verb" "$@" ;;
	rpm-purge) "${run[@]}" dnf -q -y --releasever=9 remove "$@" ;;
	rpm-*) "${run[@]}" dnf -q -y --releasever=9 "$verb" "$@" ;;
	esac
}
pkg() { pkg_in in_ct -- "$@"; }

# apt starts what it installs; an RPM distribution leaves that to the administrator or the next boot.
start_agent() { [ "$FAMILY" = deb ] || in_ct systemctl start serviceradar-agent; }

# boot [PACKAGE]...: the suite's container, which knows the repository, with its root in ROOT; these packages installed, and the agent started.
boot() {
	prepare_repo
	"$CT" up "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")" --bind-ro="$REPO:/srv/repo"
	ROOT=$("$CT" root "$NAME")
	export ROOT
	use_repo in_ct
	[ $# -eq 0 ] || { pkg install "$@" && start_agent; }
}

# What the services said, when a test failed.
teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || in_ct journalctl --no-pager -q -o short-precise -u 'serviceradar-*' -n 30 || :
}

# status_is KEY VALUE: a top-level key of netprobe's status file.
status_is() {
	# shellcheck disable=SC2016 # expanded in the container
	in_ct python3 -c 'import json,sys; d=json.load(open("/run/serviceradar/addons/netprobe.json")); sys.exit(str(d[sys.argv[1]]) != sys.argv[2])' "$1" "$2"
}

# drift_has REASON / drift_none
drift_has() {
	in_ct python3 -c 'import json,sys; d=json.load(open("/run/serviceradar/addons/netprobe.json")); sys.exit(sys.argv[1] not in [x["reason"] for x in d["drift"]])' "$1"
}
# shellcheck disable=SC2329 # called by until_ok
drift_none() {
	in_ct python3 -c 'import json,sys; d=json.load(open("/run/serviceradar/addons/netprobe.json")); sys.exit(len(d["drift"]) != 0)'
}

main_pid() { in_ct systemctl show -P MainPID "$1"; }
proc_field() { in_ct sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# heartbeat_bundle: a small service without a capability, as a bundle that the key in $WORK signs; assigned, and its assignment kept in /root.
heartbeat_bundle() {
	local dir=$WORK/heartbeat file=heartbeat_1.0.0_linux_amd64.tar.gz
	mkdir -p "$dir" "$ROOT/srv/bundles"
	printf '#!/bin/sh\nexec sleep infinity\n' >"$dir/heartbeat"
	chmod 0755 "$dir/heartbeat"
	printf '{"type": "object", "additionalProperties": false}\n' >"$dir/config.schema.json"
	cat >"$dir/addon.yaml" <<-'Y'
		id: heartbeat
		name: Heartbeat
		version: "1.0.0"
		kind: native
		delivery: pushed-artifact
		supervision: systemd-service
		capabilities: []
		requires: {}
		exec: {binary: heartbeat, settle_ms: 100}
		config_schema: config.schema.json
	Y
	(cd "$TOP" && mk/pack.sh "$dir" "$WORK/$file" && mk/sign.sh "$WORK/key.key" "$WORK/$file" >/dev/null)
	cp "$WORK/$file" "$WORK/$file.minisig" "$ROOT/srv/bundles/"
	cat >"$ROOT/root/heartbeat.json" <<-J
		{"addon_id": "heartbeat", "enabled": true, "delivery": "pushed-artifact", "version": "1.0.0",
		 "artifact": {"url": "file:///srv/bundles/$file", "sha256": "$(sha256sum <"$WORK/$file" | cut -d' ' -f1)"}}
	J
	cp "$ROOT/root/heartbeat.json" "$ROOT/etc/serviceradar/addons.d/"
}

# drawn OUTPUT: the lines that were drawn over each other on a terminal, one a line.
drawn() { tr '\r' '\n' <<<"$1" | sed -n 's/\x1b\[K$//p' | grep . || :; }
