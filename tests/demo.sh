#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole path for a person to see: build, repository, apt install, assign, real traffic, attributed flows. In a
# throw-away container; with HOST=1 on this host.
set -euo pipefail
cd "$(dirname "$0")/.."

name=serviceradar-demo
repo=$PWD/build/demo/repo
log=$PWD/build/demo/demo.log
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

step() { printf '%s[%3ds] %s%s\n' "$bold" "$SECONDS" "$*" "$plain"; }
die() { echo "demo: $*" >&2; exit 1; }

# Runs quietly; what it said is shown when it fails.
quietly() {
	"$@" >>"$log" 2>&1 || { tail -n 30 "$log" >&2; die "failed: $* (all of it: $log)"; }
}

on_container() { tests/lib/ct exec "$name" "$@"; }
on_host() { "$@"; }

cleanup() {
	if [ "${HOST:-0}" != 1 ]; then
		tests/lib/ct down "$name" >/dev/null 2>&1 || :
	else
		rm -f /etc/apt/sources.list.d/serviceradar-demo.list
	fi
}

[ "$(id -u)" = 0 ] || die "needs root: sudo make demo"
mkdir -p build/demo
: >"$log"
target=on_container
if [ "${HOST:-0}" = 1 ]; then
	[ -d /run/systemd/system ] || die "HOST=1 needs a host that runs systemd; leave it out for a container"
	target=on_host
fi

step "installing what the build needs"
quietly mk/install-deps.sh
step "building both packages"
quietly make deb
step "making a local apt repository"
quietly tests/lib/repo build/deb "$repo"
trap cleanup EXIT
source_line="deb [trusted=yes] file:$repo ./"
if [ "${HOST:-0}" != 1 ]; then
	step "making the container's root file system (once; about half a minute)"
	rootfs=$(tests/lib/rootfs deb)
	step "booting a throw-away container"
	quietly tests/lib/ct up "$name" "$rootfs" --bind-ro="$repo:/srv/repo"
	source_line='deb [trusted=yes] file:/srv/repo ./'
	list=/etc/apt/sources.list
else
	list=/etc/apt/sources.list.d/serviceradar-demo.list
fi
quietly "$target" sh -c "echo '$source_line' >$list && apt-get -q update"
step "apt-get install serviceradar-agent serviceradar-netprobe"
quietly "$target" apt-get -q -y install serviceradar-agent serviceradar-netprobe
step "srctl addon enable netprobe"
"$target" srctl addon enable netprobe
step "making traffic: curl to python's http.server, over IPv4 and IPv6, and nc to nc"
# shellcheck disable=SC2016 # expanded where it runs
quietly "$target" bash -c '
	set -e
	python3 -m http.server 8080 --bind 127.0.0.1 >/dev/null 2>&1 & a=$!
	python3 -m http.server 8081 --bind ::1 >/dev/null 2>&1 & b=$!
	nc -l 127.0.0.1 9000 >/dev/null & c=$!
	trap "kill $a $b $c 2>/dev/null || :" EXIT
	for port in 8080 8081 9000; do
		for _ in $(seq 100); do
			if ss -Hltn "sport = :$port" | grep -q .; then break; fi
			sleep 0.05
		done
	done
	for _ in 1 2 3; do
		curl -s -o /dev/null http://127.0.0.1:8080/
		curl -s -o /dev/null "http://[::1]:8081/"
	done
	echo hello | nc -N 127.0.0.1 9000
	runuser -u nobody -- curl -s -o /dev/null http://127.0.0.1:8080/
'
# Events are on their way for a quarter of a second at most.
for _ in $(seq 40); do
	if [ "$("$target" srctl flows --json | grep -c '"comm":"curl"')" -ge 7 ]; then break; fi
	sleep 0.1
done
step "srctl flows: which process owns which connection"
echo
"$target" srctl flows
echo
[ "$("$target" srctl flows --json | grep -c '"comm":"curl"')" -ge 7 ] || die "the flows of curl are not there"
step "srctl doctor"
"$target" srctl doctor
if [ "${HOST:-0}" = 1 ]; then
	step "done; it stays installed: apt-get purge serviceradar-agent serviceradar-netprobe removes it"
else
	step "done; the container goes away"
fi
