# SPDX-License-Identifier: Apache-2.0
# Waiting in tests: for a condition with a deadline, never for a time.
# shellcheck shell=bash

# until_ok SECONDS COMMAND...: polls until it succeeds. PATIENCE is how many times as slow the machine may be, an emulated one above all.
until_ok() {
	local deadline=$((SECONDS + $1 * ${PATIENCE:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || {
			echo "not within the deadline: $*" >&2
			return 1
		}
		sleep 0.05
	done
}
