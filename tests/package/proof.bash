# SPDX-License-Identifier: Apache-2.0
# For what is proven of the built packages.
# shellcheck shell=bash

# unpack_debs DIR: the files of both packages, nothing is run.
unpack_debs() {
	local deb
	mkdir -p "$1"
	for deb in "$TOP"/build/deb/serviceradar-*.deb; do
		case $deb in
		*-dbgsym_*) ;;
		*) dpkg-deb -x "$deb" "$1" ;;
		esac
	done
}

# programs DIR: the executables below it that are ELF.
programs() { find "$1" -type f -perm -100 -exec sh -c 'head -c 4 "$1" | grep -q "^.ELF"' sh {} \; -print; }
