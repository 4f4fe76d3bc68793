# SPDX-License-Identifier: Apache-2.0
# For the package tests: one booted container a file.
# shellcheck shell=bash

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
CT=$TOP/tests/lib/ct
export TOP CT

in_ct() { "$CT" exec "$NAME" "$@"; }
sh_ct() { "$CT" exec "$NAME" bash -c "$1"; }

# until_ok SECONDS COMMAND...: polls until it succeeds.
until_ok() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || {
			echo "not within the deadline: $*" >&2
			return 1
		}
		sleep 0.05
	done
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
drift_none() {
	in_ct python3 -c 'import json,sys; d=json.load(open("/run/serviceradar/addons/netprobe.json")); sys.exit(len(d["drift"]) != 0)'
}

main_pid() { in_ct systemctl show -P MainPID "$1"; }
proc_field() { in_ct sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
