#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The Debian packages against the distribution itself: its own testers, its image builder, its smallest system. Needs apt's
# sources; `make check-proof` runs it.

load common
NAME=sr-proof

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	prepare_repo
	export REPO
	"$TOP/tests/lib/rootfs" minimal >/dev/null
}

teardown_file() {
	"$CT" down "$NAME"
	rm -rf "$WORK"
}

teardown() { "$CT" down "$NAME"; }

# debs: the packages under test.
debs() { find "$TOP/build/deb" -name 'serviceradar-*.deb' ! -name '*-dbgsym_*'; }

@test "PK-4 apt install --no-install-recommends of both on a minimal Debian: at most 15 MB in all, no interpreter, documented" {
	local package
	mount_minimal
	# shellcheck disable=SC2016 # dpkg-query's
	chroot_ct dpkg-query -W -f '${Package} ${Installed-Size}\n' | sort >"$WORK/before"
	chroot_ct apt-get -q -y install --no-install-recommends serviceradar-agent serviceradar-netprobe
	# shellcheck disable=SC2016
	chroot_ct dpkg-query -W -f '${Package} ${Installed-Size}\n' | sort >"$WORK/after"
	comm -13 "$WORK/before" "$WORK/after" >"$WORK/new"
	cat "$WORK/new"
	awk '{ n += $2 } END { printf "%d packages, %.1f MB\n", NR, n / 1000; exit n > 15000 }' "$WORK/new"
	run grep -E '^(perl|python|ruby|lua|tcl|guile|php|nodejs|gawk|mawk|default-jre)' "$WORK/new"
	[ "$output" = "" ]
	# What is asked for by name has its reason in the docs.
	for package in $(for deb in $(debs); do dpkg-deb -f "$deb" Depends | tr ',' '\n' | sed 's/^ *\([a-z0-9.+-]*\).*/\1/'; done | sort -u); do
		grep -q "^| [^|]*\`$package\`" "$TOP/docs/repository.md" || { echo "docs/repository.md does not say what $package is for"; return 1; }
	done
}

@test "PK-4 piuparts: install, remove, purge; and upgrade from the version before" {
	local old deb
	mapfile -t new < <(debs)
	run piuparts -d "$(. /etc/os-release && echo "$VERSION_CODENAME")" -e "$("$TOP/tests/lib/rootfs" minimal)" --keep-sources-list --no-upgrade-test "${new[@]}"
	tail -n 5 <<<"$output"
	[ "$status" -eq 0 ]
	grep -q 'PASS: Installation and purging test' <<<"$output"
	# The version before: the same files under a lower number.
	old=$WORK/old
	mkdir -p "$old"
	for deb in "${new[@]}"; do
		rm -rf "$WORK/tree"
		dpkg-deb -R "$deb" "$WORK/tree"
		sed -i -e 's/^Version: .*/Version: 1.3.9-1/' -e "s/(= $(dpkg-deb -f "$deb" Version))/(= 1.3.9-1)/" "$WORK/tree/DEBIAN/control"
		dpkg-deb --root-owner-group -b "$WORK/tree" "$old/$(basename "${deb/_*_/_1.3.9-1_}")" >/dev/null
	done
	"$TOP/tests/lib/repo" "$old" "$WORK/oldrepo"
	mount_minimal
	rm -rf "$ROOT/srv/repo"
	sed -i "s|file:/srv/repo|file:$WORK/oldrepo|" "$ROOT/etc/apt/sources.list.d/serviceradar.list"
	cp -a "$ROOT" "$WORK/chroot"
	run piuparts -d "$(. /etc/os-release && echo "$VERSION_CODENAME")" -e "$WORK/chroot" --keep-sources-list --no-install-purge-test \
		--bindmount "$WORK/oldrepo" "${new[@]}"
	tail -n 5 <<<"$output"
	[ "$status" -eq 0 ]
	grep -q 'PASS: Upgrading between Debian distributions\|PASS: Installation, upgrade and purging tests' <<<"$output"
	grep -q '1.3.9-1' <<<"$output" # it did come from there
}

@test "PK-4 autopkgtest, the program itself, runs debian/tests on a booted system" {
	mount_minimal
	chroot_ct apt-get -q -y install --no-install-recommends autopkgtest dpkg-dev curl python3-minimal libcap2-bin ca-certificates dbus \
		serviceradar-netprobe >/dev/null
	chroot_ct apt-get -q -y purge serviceradar-netprobe serviceradar-agent
	rm "$ROOT"/etc/apt/sources.list.d/0*
	mkdir -p "$ROOT/srv/debs" && cp $(debs) "$ROOT/srv/debs/"
	(cd "$TOP" && mk/source-tree.sh "$ROOT/srv/source")
	for unit in systemd-timesyncd systemd-logind systemd-networkd systemd-resolved console-getty getty@tty1; do
		ln -sf /dev/null "$ROOT/etc/systemd/system/$unit.service"
	done
	"$CT" boot "$NAME"
	sh_ct 'apt-get -q update'
	run sh_ct 'cd /tmp && autopkgtest -B /srv/source -- null'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" =~ smoke\ +PASS ]]
}

@test "PK-3 an image made by mmdebstrap with the packages in it, assigned: boots, and everything is up by itself" {
	local codename
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mount_minimal
	cp "$ROOT"/etc/apt/sources.list.d/0*.sources "$WORK/apt.sources" 2>/dev/null || cp "$ROOT"/etc/apt/sources.list.d/0*.list "$WORK/apt.list"
	"$CT" down "$NAME"
	printf '#!/bin/sh\ninstall -d -m 0755 "$1/etc/serviceradar/addons.d"\ninstall -m 0644 %s "$1/etc/serviceradar/addons.d/netprobe.json"\n' \
		"$TOP/tests/package/assignment.json" >"$WORK/assign"
	chmod 755 "$WORK/assign"
	echo "deb [trusted=yes] copy:$REPO ./" >"$WORK/ours.list"
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	mmdebstrap --quiet --variant=minbase --mode=root --format=directory ${proxy:+--aptopt="Acquire::http::Proxy \"$proxy\""} \
		--include=systemd,systemd-sysv,serviceradar-netprobe,libcap2-bin,curl,python3 --aptopt='APT::Install-Recommends "false"' \
		--essential-hook="$WORK/assign \"\$1\"" "$codename" "$WORK/image" "$WORK"/apt.* "$WORK/ours.list"
	[ -n "$(getcap "$WORK/image$PAYLOAD/serviceradar-netprobe")" ]
	for unit in systemd-timesyncd systemd-logind systemd-networkd systemd-resolved console-getty getty@tty1; do
		ln -sf /dev/null "$WORK/image/etc/systemd/system/$unit.service"
	done
	"$CT" up "$NAME" "$WORK/image"
	until_ok 30 status_is state active
	drift_none
	[ "$(in_ct systemctl is-system-running)" = running ]
}
