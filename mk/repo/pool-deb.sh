#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pool-deb.sh APT SUITE DIR: puts the Debian packages of DIR into the pool of a suite. A name that is there already with other
# bytes is refused: clients keep what they have by its name.
set -euo pipefail
apt=$1 suite=$2 dir=$3

# put FILE FOLDER
put() {
	local to
	to=$2/$(basename "$1")
	if [ -e "$to" ]; then
		cmp -s "$1" "$to" || { echo "publish: $1: another file of that name is published: raise the version" >&2; exit 1; }
	else
		mkdir -p "$2"
		cp "$1" "$to"
	fi
}
folder() { # of a source package, as Debian's pool has it
	case $1 in
	lib?*) echo "$apt/pool/$suite/$2/${1:0:4}/$1" ;;
	*) echo "$apt/pool/$suite/$2/${1:0:1}/$1" ;;
	esac
}

for f in "$dir"/*.deb; do
	[ -e "$f" ] || continue
	source=$(dpkg-deb -f "$f" Source)
	source=${source%% *}
	[ -n "$source" ] || source=$(dpkg-deb -f "$f" Package)
	case $f in
	*-dbgsym_*) put "$f" "$(folder "$source" debug)" ;;
	*) put "$f" "$(folder "$source" main)" ;;
	esac
	[ ! -e "${f%.deb}.spdx.json" ] || put "${f%.deb}.spdx.json" "$(folder "$source" main)"
done
for f in "$dir"/*.dsc; do
	[ -e "$f" ] || continue
	source=$(sed -n 's/^Source: //p' "$f")
	put "$f" "$(folder "$source" main)"
	sed -n '/^Checksums-Sha256:/,/^[^ ]/s/^ [0-9a-f]\{64\} [0-9]* //p' "$f" | while read -r part; do
		put "$dir/$part" "$(folder "$source" main)"
	done
done
