#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# pack.sh DIRECTORY BUNDLE: the files of a flat directory as a bundle; an executable gets 0755, anything else 0644.
set -eu
dir=$1
bundle=$2
find "$dir" -type f -perm -100 -exec chmod 0755 {} +
find "$dir" -type f ! -perm -100 -exec chmod 0644 {} +
(cd "$dir" && printf '%s\n' * | LC_ALL=C sort) |
	tar -C "$dir" --format=ustar --blocking-factor=1 --owner=root:0 --group=root:0 --numeric-owner \
		--mtime="@${SOURCE_DATE_EPOCH:-0}" --no-recursion -cf - -T - | gzip -9n >"$bundle.new"
mv "$bundle.new" "$bundle"
