#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What netprobe says and holds on the kernel under test. Run in the virtual machine by `matrix`, with RUNG the rung that is tried.
# shellcheck disable=SC2154 # bats sets output

load ../live/common

teardown() {
	stop_netprobe
	cat "$BATS_TEST_TMPDIR/log" 2>/dev/null || :
}

since() { printf '%s\n' "$1" "$(uname -r)" | sort -C -V; }

# Hooks that serve, in the order in which they are listed.
expected() {
	printf '%s\n' tp_btf/inet_sock_set_state tp_btf/inet_sock_set_state # the second for what interrupts the first
	[[ $RUNG != best && $RUNG != functions ]] || echo fexit/inet_csk_accept
	if [ "$RUNG" = tracepoints ] || { [ "$RUNG" = best ] && since 6.3; }; then
		printf '%s\n' tp_btf/sock_send_length tp_btf/sock_recv_length
	elif [ "$RUNG" != least ]; then
		printf '%s\n' fexit/inet_sendmsg fexit/inet6_sendmsg fexit/inet_recvmsg fexit/inet6_recvmsg
	fi
	echo tp_btf/net_dev_queue
	[[ $RUNG != best && $RUNG != functions ]] || echo fentry/skb_consume_udp
	[ "$RUNG" != tracepoints ] || echo tp_btf/sk_data_ready
	printf '%s\n' tp_btf/sched_process_exec tp_btf/sched_process_exit iter/task iter/task_file
}

as_netprobe() {
	setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps="-all,$ALL" --ambient-caps="-all,$ALL" "$@"
}

@test "HV-10 --check: which programs serve on this kernel, which do not and why, which tap; the daemon says the same" {
	cp "$NETPROBE" "$BATS_TEST_TMPDIR/netprobe"
	chmod 755 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
	# shellcheck disable=SC2086 # several options
	run as_netprobe "$BATS_TEST_TMPDIR/netprobe" --check $NETPROBE_OPTIONS
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(awk '$1 == "ok" && $2 ~ "/" && $3 == "active" && NF == 3 { print $2 }' <<<"$output")" = "$(expected)" ]
	# An accept function of the other form, and what is not there: each with its reason.
	[ "$(awk '$2 ~ "/" && $3 != "active" && NF < 4 && $0 !~ "left out$"' <<<"$output")" = "" ]
	tap=socket
	! since 6.4 || tap=tracepoint
	grep -qx "ok *tap *$tap" <<<"$output"
	start_netprobe "$ALL"
	[ "$(sed -n 's/.*program hook=\([^ ]*\) state=active$/\1/p' "$BATS_TEST_TMPDIR/log")" = "$(expected)" ]
	run "$CLIENT" "$SOCKET" apply '{"enabled":true,"captureInterfaces":["lo"]}' ping
	grep -q "tap kind=$tap" "$BATS_TEST_TMPDIR/log"
	has '"pingAck" in o and o["pingAck"]["continuousCaptureAvailable"] and o["pingAck"]["kernelRelease"] == "'"$(uname -r)"'"'
}

@test "HV-1 exactly the three capabilities, from the file, where perf events are refused to who has only CAP_PERFMON" {
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" = 3 ]
	[ "$(cat /proc/sys/kernel/unprivileged_bpf_disabled)" != 0 ]
	mkdir -p "$BATS_TEST_TMPDIR/s"
	chown nobody "$BATS_TEST_TMPDIR/s"
	chmod 711 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_SUITE_TMPDIR" "$BATS_RUN_TMPDIR"
	cp "$NETPROBE" "$BATS_TEST_TMPDIR/s/netprobe"
	setcap cap_net_raw,cap_bpf,cap_perfmon+ep "$BATS_TEST_TMPDIR/s/netprobe"
	setpriv --reuid=nobody --regid=nogroup --clear-groups "$BATS_TEST_TMPDIR/s/netprobe" --socket "$BATS_TEST_TMPDIR/s/sock" \
		>"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
	PID=$!
	until_ok 10 grep -q ' serving' "$BATS_TEST_TMPDIR/log"
	[ $((0x$(proc_field CapPrm))) -eq $((1 << 13 | 1 << 38 | 1 << 39)) ]
	[ $((0x$(proc_field CapEff))) -eq 0 ]
	run "$CLIENT" "$BATS_TEST_TMPDIR/s/sock" ping
	has '"pingAck" in o and o["pingAck"]["continuousCaptureAvailable"]'
}
