#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is built here for arm64 (make deb|bundle ARCH=arm64), held against what is built for this machine; its programs run under
# emulation. No arm64 kernel is needed, so nothing here loads a kernel program.

load common
OUT=$TOP/${BUILD:-build}
ARM=$OUT/arm64
export OUT ARM

build() { make -s --no-print-directory -C "$TOP" "BUILD=${BUILD:-build}" "$@" 2>&1; }

setup_file() {
	[ "$(dpkg --print-architecture)" != arm64 ] || skip "this machine is the other one"
	build all bundle
	build ARCH=arm64 all bundle
	[ -e "$OUT/deb" ] || build deb
	[ -e "$ARM/deb" ] || build ARCH=arm64 deb
	CROSS_ROOT=$(cd "$TOP" && mk/cross.sh arm64 --root)
	WORK=$(mktemp -d)
	export CROSS_ROOT WORK
	local p
	for p in agent netprobe; do
		dpkg-deb -x "$ARM"/deb/serviceradar-${p}_*_arm64.deb "$WORK/arm64"
		dpkg-deb -x "$OUT"/deb/serviceradar-${p}_*_amd64.deb "$WORK/amd64"
	done
	mkdir -p "$WORK/root/etc/serviceradar/keys.d"
	minisign -G -W -f -p "$WORK/root/etc/serviceradar/keys.d/k.pub" -s "$WORK/k.key" >/dev/null
	BUNDLE=$WORK/$(cd "$ARM/bundle" && echo netprobe_*_linux_arm64.tar.gz)
	cp "$ARM/bundle/${BUNDLE##*/}" "$BUNDLE"
	"$TOP/mk/sign.sh" "$WORK/k.key" "$BUNDLE"
	export BUNDLE
}

teardown() { :; } # no container
teardown_file() { rm -rf "${WORK:-/nonexistent}"; }

emulated() { qemu-aarch64-static -L "$CROSS_ROOT" "$@"; }
programs() { find "$WORK/$1" -type f -perm -100 ! -name '*.sh' | sort; }

@test "the unit tests pass as arm64 programs" {
	run build ARCH=arm64 check-unit
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# ${lines[-1]}" >&3
	[[ "${lines[-1]}" =~ ^[1-9][0-9]*\ passed,\ 0\ failed ]]
}

@test "every kernel program is the same bytes on both, and those bytes are in the daemon of both packages" {
	local source object arch
	for source in "$TOP"/netprobe/bpf/*.bpf.c; do
		object=netprobe/bpf/$(basename "$source" .c).o
		build "${BUILD:-build}/$object"
		(cd "$TOP" && mk/cross.sh arm64 make -s "BUILD=${BUILD:-build}/arm64" CC=aarch64-linux-gnu-gcc PKG_CONFIG=aarch64-linux-gnu-pkg-config \
			"${BUILD:-build}/arm64/$object")
		cmp "$OUT/$object" "$ARM/$object"
		for arch in amd64 arm64; do
			python3 -c 'import sys; o, d = (open(p, "rb").read() for p in sys.argv[1:]); sys.exit(o not in d)' \
				"$OUT/$object" "$WORK/$arch/usr/lib/serviceradar/addons/netprobe/serviceradar-netprobe"
		done
	done
}

@test "the packages of both hold the same files, with the same modes, and depend on the same" {
	local p arch
	for p in agent netprobe; do
		for arch in amd64 arm64; do
			local deb=("$OUT/deb/serviceradar-${p}"_*_amd64.deb)
			[ $arch = amd64 ] || deb=("$ARM/deb/serviceradar-${p}"_*_arm64.deb)
			dpkg-deb -c "${deb[0]}" | awk '{ print $1, $2, $6, $7, $8 }' >"$WORK/$p.$arch"
			dpkg-deb -f "${deb[0]}" Depends Recommends Breaks Replaces Conflicts | sed 's/ ([^)]*)//g' >>"$WORK/$p.$arch"
		done
		diff "$WORK/$p.amd64" "$WORK/$p.arm64"
	done
}

@test "every program of the packages is one for arm64, and runs" {
	local program n=0
	while read -r program; do
		readelf -h "$program" | grep -q 'Machine:.*AArch64'
		[ "$(emulated "$program" --version)" = "$(basename "$program") $(cat "$TOP/VERSION")" ]
		n=$((n + 1))
	done < <(programs arm64)
	[ "$n" -eq "$(programs amd64 | wc -l)" ]
}

@test "NP-2 a signed bundle verifies for the arm64 updater, a changed one does not" {
	run emulated "$WORK/arm64$UPDATER" --root "$WORK/root" --json verify "$BUNDLE"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *'"result":'*'"done"'* ]]
	cp "$BUNDLE" "$WORK/changed.tar.gz"
	cp "$BUNDLE.minisig" "$WORK/changed.tar.gz.minisig"
	printf x >>"$WORK/changed.tar.gz"
	run emulated "$WORK/arm64$UPDATER" --root "$WORK/root" verify "$WORK/changed.tar.gz"
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *changed.tar.gz* ]]
}

@test "DL-6 a bundle for arm64 is refused on this machine, naming both" {
	run "$WORK/amd64$UPDATER" --root "$WORK/root" verify "$BUNDLE"
	echo "$output"
	[ "$status" -eq 2 ]
	[[ "$output" == *"built for arm64"*amd64* ]]
}

@test "PK-4 lintian finds nothing in the arm64 packages" {
	run lintian --pedantic -E -I --fail-on error,warning,info,pedantic,experimental --allow-root "$ARM"/deb/*.changes
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" != *[EWIPX]:\ * ]]
}
