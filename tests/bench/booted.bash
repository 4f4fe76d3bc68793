# SPDX-License-Identifier: Apache-2.0
# For benches of the packages on a booted system.
# shellcheck shell=bash

ct=tests/lib/ct

# shellcheck disable=SC2154 # who sources this sets it
in_ct() { $ct exec "$name" "$@"; }

# boot: the container $name, with both packages installed and netprobe assigned; $root is its root directory. What is in the directory
# $etc, when that is set, is there as /etc/serviceradar before.
boot() {
	local repo=$PWD/build/bench/repo
	mkdir -p build/bench
	tests/lib/repo build/deb "$repo"
	$ct up "$name" "$(tests/lib/rootfs deb)" --bind-ro="$repo:/srv/repo"
	root=$($ct root "$name")
	[ -z "${etc:-}" ] || cp -r "$etc" "$root/etc/serviceradar"
	{
		in_ct sh -c 'echo "deb [trusted=yes] file:/srv/repo ./" >/etc/apt/sources.list && apt-get -q update'
		in_ct apt-get -q -y install serviceradar-agent serviceradar-netprobe
		in_ct srctl addon enable netprobe
	} >"build/bench/$name.log" 2>&1
}

# pid_of PGREP-OPTION...: of a process in the container.
pid_of() { pgrep --ns "$($ct pid "$name")" --nslist pid "$@"; }

# cpu PID: nanoseconds on a processor, all threads.
cpu() { cat /proc/"$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%d", n }'; }

# sink NAME KEY: of srctl sinks.
sink() { in_ct srctl sinks --json | python3 -c 'import json, sys
for o in map(json.loads, sys.stdin):
    if o["name"] == sys.argv[1]: print(o[sys.argv[2]])' "$1" "$2"; }
