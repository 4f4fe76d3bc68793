#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The state matrix: each test is a row of cells, one installation (FAMILY, ENV) from its first package to the last, with the state that
# an administrator left before each event and the result that matrix.tsv says. "make check-matrix" runs it for every FAMILY and ENV.

load common
ENV=${ENV:-systemd}
HERE=$BATS_TEST_DIRNAME
CELLS=${CELLS:-$BATS_RUN_TMPDIR/cells}

host() {
	local env=(env FAMILY="$FAMILY" ENV="$ENV" ORIGIN="$ORIGIN" PACKAGES="$PACKAGES")
	[ "$FAMILY" = rpm ] || env+=(DEBIAN_FRONTEND=noninteractive)
	if [ "$ENV" = chroot ]; then "$CT" chroot "$NAME" "${env[@]}" /srv/matrix/host "$@"; else in_ct "${env[@]}" /srv/matrix/host "$@"; fi
}

# expect EVENT: $AGENT and $NETPROBE of the table.
expect() {
	read -r AGENT NETPROBE WHY < <(awk -v want="$FAMILY $ENV $ORIGIN $PACKAGES $UNIT $RUNS $1" '
		BEGIN { n = split(want, w, " ") }
		/^#/ || !NF { next }
		{
			for (i = 1; i <= n; i++) if ($i != "*" && index("," $i ",", "," w[i] ",") == 0) next
			line = $8 " " $9
			for (i = 10; i <= NF; i++) line = line " " $i
			print line
			exit
		}' "$HERE/matrix.tsv")
	[ -n "$NETPROBE" ] || { echo "matrix.tsv has no row for $FAMILY $ENV $ORIGIN $PACKAGES $UNIT $RUNS $1"; return 1; }
}

# What a package manager has to say that is no reason to look.
noise() {
	sed -E "/RPM should not be used directly|However assuming you know/d; /unable to delete old directory/d; /warning: downgrading/d
		/Failed to (preset unit|set unit properties).* masked|systemctl preset failed/d; /policy-rc.d returned 101, not running/d; /Device or resource busy/d; /a key of the old configuration was left out/d
		/while removing .*, directory .* not empty so not removed/d"
}

# cell EVENT VERSION: does it and looks.
cell() {
	local event=$1 begun got='' checks=() deadline before
	expect "$event"
	if [ "$AGENT" = - ]; then
		printf '%s\n' "none $FAMILY $ENV $ORIGIN $PACKAGES $UNIT $RUNS $event: ${WHY#- }" >>"$CELLS"
		return 0
	fi
	begun=$EPOCHREALTIME
	if [ "$event" != install ]; then
		run host state "$UNIT" "$RUNS"
		[ "$status" -eq 0 ] || { echo "$ORIGIN $PACKAGES $UNIT $RUNS $event: the state before: $output"; return 1; }
	fi
	run host op "$event" "$2"
	if [ "$status" -ne 0 ] || noise <<<"$output" | grep -iE 'warning|error|fail|cannot|refus'; then
		echo "$ORIGIN $PACKAGES $UNIT $RUNS $event ended with $status: $output"
		return 1
	fi
	deadline=$((SECONDS + 20))
	# shellcheck disable=SC2053 # a pattern: "enabled/*"
	until got=$(host facts) && [[ $got == "$AGENT "$NETPROBE ]]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "$ORIGIN $PACKAGES $UNIT $RUNS $event: $got, not $AGENT $NETPROBE. $output"
			return 1
		fi
		sleep 0.3 # a look costs as much as a daemon's second
	done
	if [ "$ENV" != chroot ]; then
		if [ "$UNIT" != masked ] && [ "$ENV" != policy ]; then checks+=(current); fi
		[[ $NETPROBE != */active ]] || checks+=(capable)
		if [[ $NETPROBE == */active && $AGENT == */active && $UNIT != masked && $ENV != policy ]]; then checks+=(connected); fi
		if [[ $AGENT == none/inactive ]]; then checks+=(processes); fi
	fi
	if [[ $NETPROBE == enabled/* && $ENV != rousr ]]; then checks+=(granted); fi
	[[ $PACKAGES != base || $AGENT == none/* || $ENV$RUNS == policyactive ]] || checks+=(without)
	deadline=$((SECONDS + 20))
	until got=$(host sound "${checks[@]}") && [ "$got" = "" ]; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			echo "$ORIGIN $PACKAGES $UNIT $RUNS $event: $got"
			return 1
		fi
		sleep 0.3
	done
	printf '%s\n' "green $FAMILY $ENV $ORIGIN $PACKAGES $UNIT $RUNS $event: $AGENT $NETPROBE $(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }') s" >>"$CELLS"
}

# Names of files that are not in the image; the package managers' own records, logs and caches are no part of it.
written() {
	local path
	(cd "$CT_STATE_DIR/$NAME/upper" && find . -mindepth 1 ! -type c | sed 's/^.//' |
		grep -vE '^/(var/(log|cache|lib/(dpkg|rpm|dnf|apt)|tmp)|srv|tmp|root|run|dev|proc|sys)(/|$)' | sort) |
		while read -r path; do [ -e "$IMAGE$path" ] || [ -L "$IMAGE$path" ] || echo "$path"; done
}

# What stays behind, as SECURITY.md says: the user and its group, masks, and with RPM configuration, state and events. The root of the
# tests lacks directories that belong to packages of an RPM distribution.
documented() {
	if [ "$FAMILY" = rpm ]; then
		grep -vE '^/(etc|var/lib)/serviceradar(/|$)|^/usr/share/(licenses|man/man[0-9])$'
	else
		cat
	fi | grep -vE '^/etc/systemd/system/serviceradar-(agent|netprobe)\.(service|socket)$'
}

# Where the policy forbade stopping, the agent is stopped above, after its slice's unit file is gone: systemd leaves the empty cgroup.
nothing_left() {
	if [ "$ENV" = policy ]; then
		[ "$(host left | grep -vx /sys/fs/cgroup/serviceradar.slice)" = serviceradar ]
	else
		[ "$(host left)" = serviceradar ]
	fi
}

row() {
	ORIGIN=$1 PACKAGES=$2 UNIT=$3 RUNS=$4
	local version event before after
	case $ORIGIN in fresh) version=new ;; *) version=$ORIGIN ;; esac
	NAME=sr-m-$FAMILY-$ENV-$ORIGIN-$PACKAGES-${UNIT:0:1}${RUNS:0:1}
	CT_STATE_DIR=${CT_STATE:-/run/serviceradar-ct}
	expect upgrade
	if [ "$AGENT" = - ]; then
		for event in upgrade reinstall downgrade remove install purge; do cell "$event" new; done
		return 0
	fi
	IMAGE=$("$TOP/tests/lib/rootfs" "$FAMILY")
	"$CT" mount "$NAME" "$IMAGE"
	local root
	root=$("$CT" root "$NAME")
	mkdir -p "$root/srv/matrix"
	cp -r "$HERE/matrix-host" "$root/srv/matrix/host"
	cp "$HERE/assignment.json" "$root/srv/matrix/"
	cp -r "$MATRIX_PACKAGES/new-$FAMILY" "$root/srv/matrix/new"
	cp -r "$MATRIX_PACKAGES/previous-$FAMILY" "$root/srv/matrix/previous"
	cp -r "$MATRIX_PACKAGES/legacy-$FAMILY" "$root/srv/matrix/legacy"
	[ "$ENV" = chroot ] || "$CT" boot "$NAME"
	host environment before
	before=$(written)
	run host op install "$version"
	[ "$status" -eq 0 ] || { echo "$version: $output"; return 1; }
	host environment after
	case $ORIGIN in
	fresh)
		cell reinstall new
		cell downgrade previous
		cell upgrade new ;;
	*)
		cell upgrade new
		cell reinstall new
		cell downgrade previous
		host op upgrade new >/dev/null ;;
	esac
	cell remove new
	cell install new
	cell purge new
	if [ "$FAMILY" = rpm ]; then host op remove new >/dev/null; fi
	if [ "$ENV" = policy ] && [ "$RUNS" = active ]; then in_ct systemctl stop serviceradar-agent serviceradar.slice || :; fi
	after=$(written)
	run diff <(echo "$before" | sed '/^$/d') <(echo "$after" | documented | sed '/^$/d')
	[ "$output" = "" ] || { echo "left behind: $output"; return 1; }
	until_ok 5 nothing_left || { echo "left behind: $(host left)"; return 1; }
}

teardown() {
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ "$ENV" != chroot ]; then
		in_ct journalctl --no-pager -q -o short-precise -n 60 || :
	fi
	"$CT" kill "$NAME"
}

@test "PK-1 PK-3 NP-1 DL-3 DL-12 fresh, both packages, enabled, active" { row fresh both enabled active; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 fresh, both packages, enabled, inactive" { row fresh both enabled inactive; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 fresh, both packages, disabled, active" { row fresh both disabled active; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 fresh, both packages, disabled, inactive" { row fresh both disabled inactive; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 fresh, both packages, masked, active" { row fresh both masked active; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 fresh, both packages, masked, inactive" { row fresh both masked inactive; }
@test "PK-1 NP-4 fresh, base alone, active" { row fresh base enabled active; }
@test "PK-1 NP-4 fresh, base alone, inactive" { row fresh base enabled inactive; }
@test "PK-1 PK-2 PK-3 NP-1 DL-3 DL-12 from the single package, both packages, enabled, active" { row legacy both enabled active; }
@test "PK-1 PK-2 PK-3 NP-1 DL-3 DL-12 from the single package, both packages, enabled, inactive" { row legacy both enabled inactive; }
@test "PK-1 PK-2 PK-3 NP-1 DL-3 DL-12 from the single package, both packages, disabled, active" { row legacy both disabled active; }
@test "PK-1 PK-2 PK-3 NP-1 DL-3 DL-12 from the single package, both packages, disabled, inactive" { row legacy both disabled inactive; }
@test "PK-1 PK-2 PK-3 NP-1 DL-3 DL-12 from the single package, both packages, masked, active" { row legacy both masked active; }
@test "PK-1 PK-2 PK-3 NP-1 DL-3 DL-12 from the single package, both packages, masked, inactive" { row legacy both masked inactive; }
@test "PK-1 PK-2 NP-4 from the single package, base alone, active" { row legacy base enabled active; }
@test "PK-1 PK-2 NP-4 from the single package, base alone, inactive" { row legacy base enabled inactive; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 from the previous version, both packages, enabled, active" { row previous both enabled active; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 from the previous version, both packages, enabled, inactive" { row previous both enabled inactive; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 from the previous version, both packages, disabled, active" { row previous both disabled active; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 from the previous version, both packages, disabled, inactive" { row previous both disabled inactive; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 from the previous version, both packages, masked, active" { row previous both masked active; }
@test "PK-1 PK-3 NP-1 DL-3 DL-12 from the previous version, both packages, masked, inactive" { row previous both masked inactive; }
@test "PK-1 NP-4 from the previous version, base alone, active" { row previous base enabled active; }
@test "PK-1 NP-4 from the previous version, base alone, inactive" { row previous base enabled inactive; }
