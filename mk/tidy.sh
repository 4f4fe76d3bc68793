#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tidy.sh BUILD VERSION FILE: clang-tidy on one file; any finding, and any failure of clang-tidy itself, fails.
set -u
build=$1 version=$2 file=$3
out=$(clang-tidy --quiet "$file" -- -std=gnu17 -I. -I"$build" -D_GNU_SOURCE -DSR_VERSION="\"$version\"" 2>/dev/null)
status=$?
if [ "$status" -ne 0 ] || [ -n "$out" ]; then
	printf '%s\n' "$file (status $status)" "$out"
	exit 1
fi
