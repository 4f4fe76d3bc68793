#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What srctl takes, and what its manual and its completions say that it takes.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

SRCTL=$TOP/${BUILD:-build}/bin/srctl
COMMON="help json no-color root version" # options of every command: srctl(1) has them

options() { grep -oE '\{ "[a-z-]+", (no|required)_argument' "$TOP/agent/srctl/main.c" | cut -d '"' -f 2; }
verbs() { "$SRCTL" --help | sed -n 's/^  \([a-z-]\+\( [a-z]\+\)\?\)\( .*\|: .*\|\)$/\1/p'; }

# page VERB: its manual page; verbs of a group share one.
page() { echo "$TOP/man/srctl-${1%% *}.1"; }

# wanted VERB: its options, as its usage has them.
wanted() {
	# shellcheck disable=SC2086 # a verb may be two words
	"$SRCTL" $1 --help | grep -oE -- '--[a-z][a-z-]*' | cut -c 3- | sort -u
}

# of_macros: the long options in lines of mdoc.
of_macros() { grep -oE ' -[a-z][a-z-]*' | cut -c 3- | sort -u; }

# synopsis VERB: the options that its page's synopsis gives it. Fails when the synopsis does not have it.
synopsis() {
	awk -v verb="$1" '
		/^\.Sh / { on = $2 == "SYNOPSIS" }
		!on { next }
		/^\.Nm/ { mine = 0 }
		/^\.Cm / { mine = index($0 " ", ".Cm " verb " ") == 1; found = found || mine }
		mine
		END { exit !found }' "$(page "$1")" >"$BATS_TEST_TMPDIR/synopsis" || return 1
	of_macros <"$BATS_TEST_TMPDIR/synopsis"
}

# described FILE: the options that a page explains.
described() { grep '^\.It .*Fl' "$1" | of_macros; }

@test "srctl: every command has a manual page, whose synopsis and list have each of its options and no other" {
	local verb n=0 pages=()
	while read -r verb; do
		echo "$verb"
		[ -e "$(page "$verb")" ]
		synopsis "$verb" >"$BATS_TEST_TMPDIR/has"
		diff <(wanted "$verb") "$BATS_TEST_TMPDIR/has"
		wanted "$verb" >>"$BATS_TEST_TMPDIR/$(basename "$(page "$verb")").wanted"
		pages+=("$(page "$verb")")
		n=$((n + 1))
	done < <(verbs | grep .)
	[ "$n" -ge 18 ]
	for verb in $(printf '%s\n' "${pages[@]}" | sort -u); do
		echo "$verb"
		diff <(sort -u "$BATS_TEST_TMPDIR/$(basename "$verb").wanted") <(described "$verb")
	done
	diff <(printf '%s\n' "${pages[@]}" | sort -u) <(printf '%s\n' "$TOP"/man/srctl-*.1 | sort) # none is of a command that is gone
}

@test "srctl: srctl(1) names every page and explains the common options; no option is left over" {
	local file name
	for file in "$TOP"/man/srctl-*.1; do
		name=$(basename "$file" .1)
		echo "$name"
		[ "$(grep -cxF -e ".Xr $name 1" -e ".Xr $name 1 ," "$TOP/man/srctl.1")" -eq 2 ] # in the list of commands, and to see also
		grep -qF ".Xr srctl 1" "$file"
	done
	diff <(tr ' ' '\n' <<<"$COMMON") <(described "$TOP/man/srctl.1")
	diff <(options | sort) <(sort -u <(tr ' ' '\n' <<<"$COMMON") <(verbs | while read -r name; do wanted "$name"; done))
}

@test "srctl: both completions have every option" {
	local option n=0
	while read -r option; do
		echo "$option"
		grep -q -- "--$option\b" "$TOP/agent/srctl/srctl.bash"
		grep -q -- "--$option\[" "$TOP/agent/srctl/_srctl"
		n=$((n + 1))
	done < <(options)
	[ "$n" -ge 12 ]
}

@test "srctl: both completions have every verb" {
	local verb word n=0
	while read -r verb; do
		echo "$verb"
		for word in $verb; do
			grep -q "\b$word\b" "$TOP/agent/srctl/srctl.bash"
			grep -q "\b$word\b" "$TOP/agent/srctl/_srctl"
		done
		n=$((n + 1))
	done < <(verbs)
	[ "$n" -ge 11 ]
}

@test "srctl: bash completes verbs, and options of flows" {
	source "$TOP/agent/srctl/srctl.bash"
	COMP_WORDS=(srctl fl) COMP_CWORD=1
	_srctl
	[ "${COMPREPLY[*]}" = flows ]
	COMP_WORDS=(srctl flows --pro) COMP_CWORD=2
	_srctl
	[ "${COMPREPLY[*]}" = "--process --protocol" ]
}
