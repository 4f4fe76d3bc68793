# SPDX-License-Identifier: Apache-2.0
# For the live tests: the daemon of the build tree on this machine's kernel, traffic in a network namespace of its own.
# shellcheck shell=bash

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck source=tests/lib/poll.bash
source "$TOP/tests/lib/poll.bash"
BUILT=$TOP/${BUILD:-build}
NETPROBE=$BUILT/netprobe/serviceradar-netprobe
CLIENT=$BUILT/tests/ipc-client
NS=${NS:-sr-live}
export NETPROBE CLIENT NS

# A background job is to be `ip netns exec` itself, so that its pid is the program's.
in_ns() { ip netns exec "$NS" "$@"; }

# start_netprobe CAPABILITIES [OPTION...]: as an unprivileged user with these ambient capabilities ("" for none). The
# command in the array WRAPPER starts it; the one in OUTER, as root, starts that. NETPROBE_OPTIONS come first.
WRAPPER=()
OUTER=()
start_netprobe() {
	local caps=$1
	shift
	SOCKET=$BATS_TEST_TMPDIR/s/ipc.sock
	mkdir -p "$BATS_TEST_TMPDIR/s"
	chown nobody "$BATS_TEST_TMPDIR/s"
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
	cp "$NETPROBE" "$BATS_TEST_TMPDIR/s/netprobe" # the tree may be closed to other users
	# shellcheck disable=SC2086 # several options
	"${OUTER[@]}" setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps="-all${caps:+,$caps}" --ambient-caps="-all${caps:+,$caps}" \
		"${WRAPPER[@]}" "$BATS_TEST_TMPDIR/s/netprobe" ${NETPROBE_OPTIONS:-} --socket "$SOCKET" "$@" >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	PID=$!
	until_ok 10 grep -q ' serving' "$BATS_TEST_TMPDIR/log" || { cat "$BATS_TEST_TMPDIR/log"; return 1; }
}
ALL=+net_raw,+bpf,+perfmon
export ALL

stop_netprobe() {
	[ -z "${PID:-}" ] || { kill "$PID" 2>/dev/null || :; wait "$PID" 2>/dev/null || :; }
	PID=
}

proc_field() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$PID/status"; }

# shellcheck disable=SC2154 # bats sets output
# has 'PYTHON EXPRESSION': some line of $output is a JSON object o for which it is true. By a pipe: bash dies of some here-strings of
# many megabytes.
has() {
	printf '%s\n' "$output" | python3 -c 'import json, sys
lines = [json.loads(l) for l in sys.stdin if l.startswith("{")]
sys.exit(not any(eval(sys.argv[1], {"o": o}) for o in lines))' "$1"
}
# Counters of a PingAck in $output add up: nothing is lost without being counted.
adds_up() {
	has '"pingAck" in o and int(o["pingAck"]["eventsProduced"]) > 0 and int(o["pingAck"]["eventsProduced"]) + int(o["pingAck"].get("externalMatched", 0)) == sum(int(o["pingAck"][k]) for k in ("eventsDelivered", "eventsDroppedKernel", "eventsDroppedQueue", "eventsDiscarded", "eventsMerged", "eventsWaiting"))'
}

# shellcheck disable=SC2089,SC2090 # one argument of the client
CONFIG='{"enabled":true,"flowAttributionIpcBatch":true}'
# shellcheck disable=SC2090
export CONFIG
