#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What srctl takes, and what its manual and its completions say that it takes.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

options() { grep -oE '\{ "[a-z-]+", (no|required)_argument' "$TOP/agent/srctl/main.c" | cut -d '"' -f 2; }
verbs() { "$TOP/${BUILD:-build}/bin/srctl" --help | sed -n 's/^  \([a-z-]\+\( [a-z]\+\)\?\)\( .*\|: .*\|\)$/\1/p'; }

@test "srctl: the manual and both completions have every option" {
	local option n=0
	while read -r option; do
		echo "$option"
		grep -q -- " -$option\b" "$TOP/man/srctl.1"
		grep -q -- "--$option\b" "$TOP/agent/srctl/srctl.bash"
		grep -q -- "--$option\[" "$TOP/agent/srctl/_srctl"
		n=$((n + 1))
	done < <(options)
	[ "$n" -ge 12 ]
}

@test "srctl: the manual and both completions have every verb" {
	local verb word n=0
	while read -r verb; do
		echo "$verb"
		for word in $verb; do
			grep -q "\b$word\b" "$TOP/man/srctl.1"
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
