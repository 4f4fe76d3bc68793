#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What the distributions' own checkers say of the packages. make lint runs the same by hand, the compilers' checkers too.
# What is overridden has its reason beside it: debian/*.lintian-overrides, rpm/serviceradar.rpmlintrc.toml.

load common

quiet() { make -s --no-print-directory -C "$TOP" "BUILD=${BUILD:-build}" "$1" 2>&1; }

@test "PK-4 lintian finds nothing in the Debian packages, pedantic and experimental checks included" {
	run quiet lint-deb
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" != *[EWIPX]:\ * ]]
}

@test "PK-4 rpmlint finds nothing in the RPM packages and the spec" {
	run quiet lint-rpm
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *" 0 errors, 0 warnings"* ]]
}

@test "PK-4 every override of lintian and rpmlint has its reason on the line before" {
	run awk '
		/^[[:space:]]*#/ { reasoned = 1; next }
		/^[[:space:]]*$/ || /^[A-Z].*=|^\]/ { reasoned = 0; next }
		!reasoned { print FILENAME ": " $0 }' "$TOP"/debian/*lintian-overrides "$TOP"/debian/source/lintian-overrides "$TOP"/rpm/*.toml
	[ "$output" = "" ]
}
