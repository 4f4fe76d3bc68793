#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# source-tree.sh DIR: a copy of the source, without what was built, so that packaging leaves the work tree alone. Modes do not
# depend on the umask, nor times on the checkout when SOURCE_DATE_EPOCH is set.
set -eu
umask 022
out=$1
rm -rf "$out"
mkdir -p "$out"
# A copy that was unpacked inside of another repository is not that one's.
if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
	git ls-files -co --exclude-standard
else
	find . -path ./build -prune -o -path ./.cache -prune -o -path ./.git -prune -o -type f -print
fi | while IFS= read -r f; do
	if [ -e "$f" ]; then printf '%s\n' "$f"; fi
done | tar -cf - -T - | tar -xf - -C "$out" --no-same-owner
chmod -R u+rwX,go+rX,go-w "$out"
[ -z "${SOURCE_DATE_EPOCH:-}" ] || find "$out" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
