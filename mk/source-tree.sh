#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# source-tree.sh DIR: a copy of the source, without what was built, so that packaging leaves the work tree alone.
set -eu
out=$1
rm -rf "$out"
mkdir -p "$out"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
	git ls-files -co --exclude-standard
else
	find . -path ./build -prune -o -path ./.cache -prune -o -path ./.git -prune -o -type f -print
fi | while IFS= read -r f; do
	if [ -e "$f" ]; then printf '%s\n' "$f"; fi
done | tar -cf - -T - | tar -xf - -C "$out" --no-same-owner
